"""Instants and spans: every time of the domain in whole microseconds since the epoch (domain rule 6.1)."""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from schemas.values import parse_time

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_DAY = timedelta(days=1)


class Span(NamedTuple):
    """Range of instants that a written time may mean: all microseconds of a day, or one. Both ends belong to it."""

    first: int
    last: int


LONG_AGO = Span(-(2**62), -(2**62))
BEFORE_ALL = LONG_AGO.first - 1
"""An instant before every event, undated ones too."""


@lru_cache(maxsize=65536)
def span(text: str, zone: str) -> Span:
    """The span of an ISO 8601 text; a date or a time without offset is read in `zone`."""
    parsed = parse_time(text)
    if isinstance(parsed, datetime):
        instant = _micros(parsed if parsed.tzinfo else parsed.replace(tzinfo=ZoneInfo(zone)))
        return Span(instant, instant)
    start = datetime(parsed.year, parsed.month, parsed.day, tzinfo=ZoneInfo(zone))
    return Span(_micros(start), _micros(start + _DAY) - 1)


@lru_cache(maxsize=65536)
def months_after(micros: int, months: int, zone: str) -> int:
    """The instant that many calendar months later in `zone`; if the month lacks the day, its last day."""
    start = (_EPOCH + micros * _MICROSECOND).astimezone(ZoneInfo(zone))
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    return _micros(start.replace(year=year, month=month + 1, day=min(start.day, monthrange(year, month + 1)[1])))


def today(micros: int, zone: str) -> date:
    """The calendar day of an instant in `zone`."""
    return (_EPOCH + micros * _MICROSECOND).astimezone(ZoneInfo(zone)).date()


@lru_cache(maxsize=1024)
def instant(milliseconds: int) -> str:
    """RFC 3339 in UTC with milliseconds."""
    return (_EPOCH + timedelta(milliseconds=milliseconds)).strftime("%Y-%m-%dT%H:%M:%S.") + f"{milliseconds % 1000:03}Z"


@lru_cache(maxsize=1024)
def period_ms(text: str) -> int:
    """The milliseconds of an ISO 8601 period of days, hours or minutes (`schemas.values.Period`)."""
    return int(text.strip("PTDHM")) * {"D": 86_400_000, "H": 3_600_000, "M": 60_000}[text[-1]]


def local(micros: int, zone: str) -> str:
    """An instant as the clocks of `zone` show it, in ISO 8601 with its offset, to the second."""
    return (_EPOCH + micros * _MICROSECOND).astimezone(ZoneInfo(zone)).isoformat(timespec="seconds")


@lru_cache(maxsize=65536)
def clock(written: str | None, zone: str) -> str:
    """A written time in local time to the minute; a date stays as written, '' for none."""
    if not written or len(written) <= len("2026-11-01"):
        return written or ""
    return local(span(written, zone).first, zone)[:16].replace("T", " ")


@lru_cache(maxsize=65536)
def day(micros: int, zone: str) -> str:
    """The calendar day of an instant in `zone`, as ISO 8601."""
    return today(micros, zone).isoformat()


def _micros(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND
