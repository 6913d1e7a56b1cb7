"""Conversion of days and times, as people and old systems in Japan write them, to ISO 8601; ambiguous ones fail."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from unicodedata import normalize

ERAS = {
    "明治": date(1868, 1, 25),
    "大正": date(1912, 7, 30),
    "昭和": date(1926, 12, 25),
    "平成": date(1989, 1, 8),
    "令和": date(2019, 5, 1),
}
"""Japanese eras with their first days; the calendar year of the first day is year 1 (元年)."""

_LETTERS = dict(zip("MTSHR", ERAS, strict=True))
_YEAR = rf"(?:(?P<era>{'|'.join(ERAS)}|[MTSHR])\.?(?P<of_era>元|[0-9]{{1,3}})|(?P<year>[0-9]{{4}}))"
_MONTH, _DAY = r"(?P<month>[0-9]{1,2})", r"(?P<day>[0-9]{1,2})"
_DATES = tuple(
    re.compile(pattern)
    for pattern in (
        rf"{_YEAR}年(?:{_MONTH}月(?:{_DAY}日)?)?",
        rf"{_YEAR}(?P<mark>[-/.]){_MONTH}(?:(?P=mark){_DAY})?",
        r"(?P<year>[0-9]{4})(?:(?P<month>[0-9]{2})(?P<day>[0-9]{2}))?",
    )
)
_TIME = re.compile(
    r"(?P<hour>[0-9]{1,2})(?:時(?:(?P<minutes>[0-9]{1,2})分(?:(?P<seconds>[0-9]{1,2})秒)?)?"
    r"|:(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2}(?:\.[0-9]{1,6})?))?)(?P<zone>Z|[+-][0-9]{2}:?[0-9]{2})?"
)
_WITHIN = re.compile(r"(?<=[年月治正和成])\s+|\s+(?=[年月日時分秒])|(?<=[時分])\s+")
_BETWEEN = re.compile(r"\s+|(?<=[0-9])T(?=[0-9])|(?<=日)(?=[0-9])")
_WEEKDAY = re.compile(r"\([月火水木金土日]\)")


def time(text: str) -> str:
    """A written day or time as ISO 8601; a day stays a day, and a time without offset gets none.

    Reads `2019-05-01`, `2019/5/1`, `2019年5月1日(水)`, `20190501`, `令和元年5月1日`, `R1.5.1`. A time may follow
    (`13:05`, `13時5分`, `13:05:30.5+09:00`); 24:00 is the start of the next day. Old forms use an era after its
    end, which is accepted. A day before the start of its era is not.
    Raises ValueError for anything else: `5/1/2019`, `19/5/1`, 30 February, a spreadsheet's day number.
    """
    day, clock = _parts(text)
    if len(day) < 3:
        raise ValueError("names no day")
    on = date(*day)
    return _at(on, clock) if clock else on.isoformat()


def birth_date(text: str) -> str:
    """A written birth date as `YYYY`, `YYYY-MM` or `YYYY-MM-DD`, as precise as it is written.

    Midnight after the day, as databases write it, is left out. Raises ValueError for anything else.
    """
    day, clock = _parts(text)
    if clock and not re.fullmatch(r"0?0:00(?::00(?:\.0+)?)?", clock):
        raise ValueError("a birth date has no time")
    date(*day, *(1,) * (3 - len(day)))
    return "-".join(f"{part:02}" for part in day)


def formatted(text: str, pattern: str) -> str:
    """A day or time in a `strptime` pattern, as ISO 8601; a day if the pattern has no hour.

    Raises ValueError if the text does not match the pattern, or the pattern is invalid.
    """
    read = datetime.strptime(text, pattern)
    return read.isoformat() if re.search("%[HIcX]", pattern) else read.date().isoformat()


def _parts(text: str) -> tuple[tuple[int, ...], str]:
    """The written parts of year, month and day, and the time as written."""
    plain = _WITHIN.sub("", _WEEKDAY.sub(" ", normalize("NFKC", text)).strip())
    day, *clock = _BETWEEN.split(plain, maxsplit=1)
    for pattern in _DATES:
        if match := pattern.fullmatch(day):
            return _day(match.groupdict()), "".join(clock)
    raise ValueError("is no date")


def _day(groups: dict[str, str | None]) -> tuple[int, ...]:
    era, of_era = groups.get("era"), groups.get("of_era")
    rest = [int(part) for part in (groups.get("month"), groups.get("day")) if part]
    if era is None or of_era is None:
        return (int(groups["year"] or 0), *rest)
    first = ERAS[_LETTERS.get(era, era)]
    year = 0 if of_era == "元" else int(of_era) - 1
    day = (first.year + year, *rest)
    if year < 0 or day < (first.year, first.month, first.day)[: len(day)]:
        raise ValueError("is before the era began")
    return day


def _at(on: date, clock: str) -> str:
    match = _TIME.fullmatch(clock)
    if not match:
        raise ValueError("is no time of day")
    hour, minute = int(match["hour"]), int(match["minute"] or match["minutes"] or 0)
    second, _, fraction = (match["second"] or match["seconds"] or "0").partition(".")
    if hour == 24 and not minute and not int(second) and not int(fraction or 0):
        try:
            on, hour = on + timedelta(days=1), 0
        except OverflowError:
            raise ValueError("is beyond the calendar") from None
    written = f"{on.isoformat()}T{hour:02}:{minute:02}:{int(second):02}.{fraction:0<6}{match['zone'] or ''}"
    return datetime.fromisoformat(written).isoformat()
