"""The pauses between tries of a delivery, and the time after which it is given up."""

from __future__ import annotations

from email.utils import parsedate_to_datetime

FIRST_SECONDS, MOST_SECONDS = 5.0, 600.0
"""Seconds until the second try, and between two tries at most, before chance shortens them."""
GIVE_UP_SECONDS = 24 * 3_600
"""Seconds after which a failed try is the last one. An endpoint may also ask us to wait that long, and no longer."""


def pause(failures: int, chance: float) -> float:
    """Seconds to wait after so many failures in a row: twice as long each time, up to MOST_SECONDS.

    `chance`: from 0 to 1. It takes up to half off, so that endpoints that failed together are not tried together.
    """
    whole = min(MOST_SECONDS, FIRST_SECONDS * 2 ** min(failures - 1, 20))
    return float(whole * (1 - chance / 2))


def asked_pause(retry_after: str | None, now: float) -> float:
    """Seconds that the header Retry-After asks for, from 0 to GIVE_UP_SECONDS; 0 for one that cannot be read.

    `now`: seconds since the epoch, because the header may hold a date.
    """
    header = (retry_after or "").strip()
    try:
        seconds: float = float(header) if header.isdecimal() else parsedate_to_datetime(header).timestamp() - now
    except (ValueError, TypeError, OverflowError):
        return 0.0
    return min(max(seconds, 0.0), float(GIVE_UP_SECONDS))
