"""A person's age from written birth dates, so that decide() and its snapshot need no birth date (rule 7.7.35)."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable, Iterator
from datetime import date
from typing import NamedTuple

from gatekeeper.deciding.facts import NO_AGES, Ages, HeldConsent
from gatekeeper.ground.times import span, today
from schemas.events import GIVEN_STATES

CAP = 25
"""Completed years that are told, at most: above every age of majority, and the same for every adult."""
_EARLIEST = date(1905, 1, 1)
"""Forms and old systems write earlier dates where nobody knows the birth date."""


class Birth(NamedTuple):
    """A birth date as a source writes it: `YYYY`, `YYYY-MM` or `YYYY-MM-DD`."""

    written: str
    source: str


def ages(births: Iterable[Birth], consents: Iterable[HeldConsent], *, at: int, zone: str) -> Ages:
    """The person's ages at `at` (milliseconds), and on the days of the consents, by the calendar of `zone`.

    Several or incomplete birth dates mean the youngest reading. A date before 1905 or after `at` counts as absent.
    """
    now = today(at * 1000, zone)
    usable = [birth for birth in births if _EARLIEST <= _readings(birth.written)[0] <= now]
    if not usable:
        return NO_AGES
    born = max(_readings(birth.written)[1] for birth in usable)
    days = {day for event in consents if event.state in GIVEN_STATES for day in _days(event, zone)}
    return Ages(
        _years(born, now),
        tuple(sorted({birth.source for birth in usable})),
        {day.isoformat(): _years(born, day) for day in sorted(days)},
    )


def _days(event: HeldConsent, zone: str) -> Iterator[date]:
    """Yields every day from which a consent may speak (rule 7.1.2)."""
    for text in (event.event_time, event.recorded_at):
        if text:
            yield today(span(text, zone).first, zone)
    if event.arrived is not None:
        yield today(event.arrived * 1000, zone)


def _years(born: date, day: date) -> int:
    """Completed years; somebody born on 29 February completes one on 1 March."""
    years = day.year - born.year - ((day.month, day.day) < (born.month, born.day))
    return min(max(years, 0), CAP)


def _readings(written: str) -> tuple[date, date]:
    """The first and last day that a birth date may mean. A day or month that does not exist means any."""
    year, month, in_month = (int(part) for part in f"{written}-00-00"[:10].split("-"))
    if not 1 <= month <= 12:
        return date(year, 1, 1), date(year, 12, 31)
    last = monthrange(year, month)[1]
    if not 1 <= in_month <= last:
        return date(year, month, 1), date(year, month, last)
    return date(year, month, in_month), date(year, month, in_month)
