"""Entries that are about no person alone: cancelled campaigns, and ids of signed acts."""

from __future__ import annotations

from itertools import islice

import orjson

from gatekeeper.ground.errors import IntegrityError
from gatekeeper.ledger.entries import CANCEL, Entry, cancel_key


class Marks:
    """The cancellations and the signed acts of one partition. They are few, so they are in memory."""

    def __init__(self) -> None:
        self._cancelled: dict[bytes, tuple[int, int]] = {}  # by key: time of cancellation, and `until`
        self._seen: dict[bytes, int] = {}  # ids of signed acts, with `until`

    def put(self, entry: Entry) -> None:
        """Puts in an entry of kind CANCEL or SEEN; raises IntegrityError (4) for one that this engine did not write."""
        kind, owner, _ = entry.key.split(b"/", 2)
        if entry.value is None or entry.until is None:
            self._cancelled.pop(entry.key, None)
            self._seen.pop(owner, None)
        elif kind == CANCEL:
            try:
                self._cancelled[entry.key] = int(orjson.loads(entry.value)["at"]), entry.until
            except (KeyError, TypeError, ValueError):
                raise IntegrityError("error.ledger_unreadable") from None
        else:
            self._seen[owner] = entry.until

    def seen(self, act_id: str) -> bool:
        """Tells whether a signed act with this id was judged."""
        return act_id.encode() in self._seen

    def seen_until(self, arrived: int, limit: int) -> list[Entry]:
        """Deletions of at most `limit` signed acts of which no copy counts any more.

        `arrived`: an arrival on the partition's `acts`, in milliseconds. The clock does not matter here: a worker that
        was away meets a copy long after it arrived.
        """
        over = (owner for owner, until in self._seen.items() if until < arrived)
        return [Entry(b"seen/%b/" % owner, None) for owner in islice(over, limit)]

    def cancelled_at(self, campaign: str, channel: str) -> int:
        """The instant (milliseconds) of a campaign's last cancellation, for this channel or for all; -1 for never."""
        keys = (cancel_key(campaign, channel), cancel_key(campaign, None))
        return max(self._cancelled.get(key, (-1, 0))[0] for key in keys)

    def due(self, at: int, limit: int) -> list[Entry]:
        """Deletions of at most `limit` cancellations that no longer matter."""
        return [Entry(key, None) for key, (_, until) in self._cancelled.items() if until <= at][:limit]
