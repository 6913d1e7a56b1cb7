"""The filter of the review queue, one language for the command line and for the console's URLs.

A filter is the query of a URL: `state=open&reason=AGE_UNCERTAIN&before=2026-12-01`. An item must match every key.
One value of a key is enough, if it has several (`channel=postal,email`, or the key again).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, get_args
from urllib.parse import parse_qsl

from pydantic import TypeAdapter

from gatekeeper.engine.item import WAITING
from gatekeeper.ground import times
from gatekeeper.ground.errors import UsageError
from gatekeeper.policy.reasons import CATALOGUE, VERDICTS
from gatekeeper.review.data_origin import is_origin
from gatekeeper.review.review_item import Item
from gatekeeper.staff.act_kinds import State
from schemas.values import ID_PATTERN, Channel, Time

ANY = "any"
"""Value of `state` that matches every state."""
_UNITS = {"m": 60_000, "h": 3_600_000, "d": 86_400_000}
_DAY = TypeAdapter[str](Time)
_AGE = re.compile(r"([0-9]{1,5})([mhd])")


def _one_of(known: Collection[str]) -> Callable[[str], bool]:
    return lambda value: value in known


def _id(value: str) -> bool:
    return re.fullmatch(ID_PATTERN, value) is not None


def _day(value: str) -> bool:
    try:
        return len(value) == 10 and bool(_DAY.validate_python(value))
    except ValueError:
        return False


_VALID: Mapping[str, Callable[[str], bool]] = {
    "state": _one_of({*get_args(State), ANY}),
    "verdict": _one_of(VERDICTS[1:]),
    "reason": _one_of(CATALOGUE),
    "primary": _one_of(CATALOGUE),
    "campaign": _id,
    "channel": _one_of(get_args(Channel)),
    "source": _id,
    "origin": is_origin,
    "recipient": _id,
    "controller": _id,
    "older_than": lambda value: _AGE.fullmatch(value) is not None,
    "before": _day,
    "run": _id,
    "id": _id,
}
KEYS = tuple(_VALID)
FIELDS = ("id", "run", "verdict", "primary", "campaign", "channel", "source", "origin", "recipient", "controller")
"""Keys that are compared with the item's field of the same name."""


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed filter: the accepted values of each key; an absent key restricts nothing."""

    wanted: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def matches(self, item: Item, *, now: int, zone: str, states: Collection[str] = WAITING) -> bool:
        """Tells whether an item matches at an instant (milliseconds); dates are read in `zone`.

        `states`: the states that match where the query names neither a state nor an id.
        Informational items (the same piece twice) match only by their reason or their id.
        """
        for key, wanted in self.wanted.items():
            if not _MATCHES[key](item, wanted, now, zone):
                return False
        named = "id" in self.wanted
        if item.informational and not named and not {*self._of("reason"), *self._of("primary")} & {*item.codes}:
            return False
        return named or "state" in self.wanted or item.state in states

    @property
    def of_origin(self) -> bool:
        """Tells whether the query filters by data origin, which only audit records hold."""
        return "origin" in self.wanted

    def _of(self, key: str) -> frozenset[str]:
        return self.wanted.get(key, frozenset())


def parse(*queries: str) -> Query:
    """Parses queries into one that needs all of them; a leading `?` is ignored.

    Raises UsageError (2) for an unknown key, with the known ones, and for a value that no item can have.
    """
    wanted: dict[str, set[str]] = {}
    for query in queries:
        text = query.removeprefix("?")
        try:
            pairs = parse_qsl(
                text, keep_blank_values=True, strict_parsing=bool(text), encoding="utf-8", errors="strict"
            )
        except ValueError:
            raise UsageError("error.filter_form", known=", ".join(KEYS)) from None
        for key, values in pairs:
            if key not in _VALID:
                # an unknown key may be anything, even a person's name
                shown = key if re.fullmatch(r"[a-z_]{1,20}", key) else "?"
                raise UsageError("error.filter_key", name=shown, known=", ".join(KEYS))
            for value in values.split(","):
                if not _VALID[key](value):
                    raise UsageError("error.filter_value", name=key, form=_FORMS.get(key, "ID"))
                wanted.setdefault(key, set()).add(value)
    return Query({key: frozenset(values) for key, values in wanted.items()})


def older_than(age: str) -> int:
    """An age such as `36h`, in milliseconds."""
    return int(age[:-1]) * _UNITS[age[-1]]


def _older(item: Item, wanted: frozenset[str], now: int, zone: str) -> bool:
    return now - item.seen > min(map(older_than, wanted))


def _before(item: Item, wanted: frozenset[str], now: int, zone: str) -> bool:
    if item.mail_date is None:
        return False
    latest = max(times.span(day, zone).first for day in wanted)
    return times.span(item.mail_date, zone).first < latest


_Match = Callable[[Item, frozenset[str], int, str], bool]


def _field(name: str) -> _Match:
    def match(item: Item, wanted: frozenset[str], now: int, zone: str) -> bool:
        return getattr(item, name) in wanted

    return match


_MATCHES: Mapping[str, _Match] = {
    **{key: _field(key) for key in FIELDS},
    "state": lambda item, wanted, now, zone: ANY in wanted or item.state in wanted,
    "reason": lambda item, wanted, now, zone: not wanted.isdisjoint(item.codes),
    "older_than": _older,
    "before": _before,
}
_FORMS: Mapping[str, Any] = {
    "state": "|".join((*get_args(State), ANY)),
    "verdict": "|".join(VERDICTS[1:]),
    "reason": "AGE_UNCERTAIN",
    "primary": "AGE_UNCERTAIN",
    "channel": "|".join(get_args(Channel)),
    "origin": "batch/ID|notice/ID|method/CODE|none",
    "older_than": "90m|36h|3d",
    "before": "2026-12-01",
}
