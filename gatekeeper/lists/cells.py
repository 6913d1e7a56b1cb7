"""Conversion of a cell's text to the value of an event's field, by the field's type."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from gatekeeper.lists import dates
from schemas.values import BirthDate, Model, Time, ZonedTime

Hint = Any
"""A type annotation, such as `Time | None`."""
Read = Callable[[str], Any]

_BETWEEN = re.compile(r"[\s,;|、]+")
_YES_OR_NO = {"true": True, "1": True, "false": False, "0": False}


class UnfitRow(Exception):
    """Error for a row that cannot become an event. `cause` is a key of texts/row.toml, `column` its name in the map."""

    def __init__(self, cause: str, column: str = "") -> None:
        super().__init__(cause)
        self.cause = cause
        self.column = column


def inside(hint: Hint, key: str) -> Hint | None:
    """The type of the field, or list item, `key` in a value of a type. None if there is no such field.

    If several models have the field, the first one counts.
    """
    for kind in alternatives(hint):
        if isinstance(kind, type) and issubclass(kind, Model):
            fields = get_type_hints(kind, include_extras=True)
            if key in fields:
                return fields[key]
        elif _origin(kind) is tuple and key.isdecimal():
            return get_args(kind)[0]
        elif _origin(kind) is dict:
            return get_args(kind)[1]
    return None


def alternatives(hint: Hint) -> Iterator[Hint]:
    """Yields the alternatives of a type, without bounds; the types of days and times stay as they are."""
    if any(hint == named for named in (Time, ZonedTime, BirthDate)):
        yield hint
    elif _origin(hint) is Annotated:
        yield from alternatives(get_args(hint)[0])
    elif _origin(hint) in (Union, UnionType):
        for alternative in get_args(hint):
            yield from alternatives(alternative)
    else:
        yield hint


def reader(hint: Hint, pattern: str | None = None) -> Read | None:
    """The function that reads a cell as a value of a type. None for a value with parts, which no cell can hold.

    `pattern`: a `strptime` pattern, for days or times in a form that `dates.time` does not read.
    The function checks only the kind of the value; the contract checks bounds and vocabulary.
    """
    kinds = list(alternatives(hint))
    if any(_has_parts(kind) for kind in kinds):
        return None
    if any(_origin(kind) is tuple for kind in kinds):
        return lambda text: [part for part in _BETWEEN.split(text) if part]
    if bool in kinds:
        return lambda text: _yes_or_no(text, or_time=Time in kinds)
    if int in kinds:
        return lambda text: _number(text, or_text=len([kind for kind in kinds if kind is not type(None)]) > 1)
    if BirthDate in kinds:
        return lambda text: _day(text, dates.birth_date, pattern)
    if Time in kinds or ZonedTime in kinds:
        return lambda text: _day(text, dates.time, pattern)
    return str


def _origin(hint: Hint) -> Any:
    return get_origin(hint)


def _has_parts(kind: Hint) -> bool:
    if _origin(kind) is tuple:
        return any(_has_parts(alternative) for alternative in alternatives(get_args(kind)[0]))
    return _origin(kind) is dict or (isinstance(kind, type) and issubclass(kind, Model))


def _yes_or_no(text: str, *, or_time: bool) -> Any:
    if text.casefold() in _YES_OR_NO:
        return _YES_OR_NO[text.casefold()]
    if or_time:
        return _day(text, dates.time, None)
    raise UnfitRow("not_yes_or_no")


def _number(text: str, *, or_text: bool) -> Any:
    if re.fullmatch(r"-?[0-9]{1,18}", text):
        return int(text)
    if or_text:
        return text
    raise UnfitRow("not_a_number")


def _day(text: str, read: Callable[[str], str], pattern: str | None) -> str:
    try:
        return dates.formatted(text, pattern) if pattern else read(text)
    except ValueError:
        raise UnfitRow("time_unclear") from None
