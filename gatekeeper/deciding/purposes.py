"""The company's own purposes: the registered ones, and the records that are not read (domain rule 7.5.22)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from schemas.events import Purpose
from schemas.topics import DAY_MS


class Registered(NamedTuple):
    """A registered purpose: its newest record and the arrival of its first one, in milliseconds since the epoch.

    `by_two`: two managers stand for one of its records. `always`: a wide yes of any day covers it (rule 8.2.45).
    """

    purpose: Purpose
    arrived: int
    by_two: bool
    always: bool = False


@dataclass(frozen=True, slots=True)
class Purposes:
    """The registered purposes by code, and the codes with a record that is not read."""

    registered: Mapping[str, Registered] = field(default_factory=dict)
    unread: tuple[str, ...] = ()

    def get(self, code: str) -> Purpose | None:
        """The newest record of a registered purpose; None for a code that is not registered."""
        entry = self.registered.get(code)
        return entry.purpose if entry else None


SET_UP_MS = 31 * DAY_MS
"""Purposes that arrived within this time of the first one were there from always: the company was set up then."""


def read(records: Iterable[tuple[int, Purpose]], told: Collection[str] = ()) -> Purposes:
    """The purposes that these records register, given in the order of arrival, each with its arrival (milliseconds).

    A record that is not marketing counts only if two managers stand for it. The first record that counts settles
    whether its purpose is marketing; a later one that says otherwise is not read. A purpose below another has the
    upper one's word: the lower one that differs is not read. An upper one without two managers does not take back a
    lower one that arrived before it. Then the upper one is not read.

    `told`: the codes of which two managers say that a wide form told them, whenever they were registered.
    """
    counted: dict[str, Registered] = {}
    unread: set[str] = set()
    for arrived, record in records:
        first = counted.get(record.id)
        if not (record.marketing or record.by_two) or (first and first.purpose.marketing != record.marketing):
            unread.add(record.id)
        elif first:
            counted[record.id] = Registered(record, first.arrived, first.by_two or record.by_two)
        else:
            counted[record.id] = Registered(record, arrived, record.by_two)
    came = {code: (entry.arrived, rank) for rank, (code, entry) in enumerate(counted.items())}
    registered: dict[str, Registered] = {}
    for code in sorted(counted, key=lambda name: name.count(".")):
        entry = counted[code]
        refused = any(_differ(entry, registered[upper]) for upper in above(code) if upper in registered)
        if not entry.by_two:
            refused = refused or any(
                _differ(entry, lower) and came[name] < came[code]
                for name, lower in counted.items()
                if name.startswith(f"{code}.")
            )
        if refused:
            unread.add(code)
        else:
            registered[code] = entry
    set_up = min((entry.arrived for entry in counted.values()), default=0) + SET_UP_MS
    registered = {
        code: entry._replace(always=code in told or entry.arrived <= set_up) for code, entry in registered.items()
    }
    return Purposes(registered, tuple(sorted(unread)))


def above(code: str) -> Iterator[str]:
    """Yields the codes above a purpose, the nearest first: `a.b` and `a` are above `a.b.c`."""
    while "." in code:
        code = code.rpartition(".")[0]
        yield code


def _differ(one: Registered, other: Registered) -> bool:
    return one.purpose.marketing != other.purpose.marketing
