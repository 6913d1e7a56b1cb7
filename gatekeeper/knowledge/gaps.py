"""The feeds that have not given their withdrawals and stops since records were lost, until two managers resolve it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

from gatekeeper.deciding.facts import WHOLE_BATCH
from gatekeeper.deciding.rules.system import GAP
from gatekeeper.knowledge.unresolved import Unresolved
from gatekeeper.knowledge.withholding import BY_TWO, Whom, Withholding
from schemas.record import Coordinates

GAPS = 256
"""Gaps that are kept, at most. One beyond withholds everybody until two managers resolve it."""


class StatedGap(NamedTuple):
    """A gap by the place of its record. `controllers`: () for everybody. `arrived`: milliseconds since the epoch."""

    place: Coordinates
    feed: str
    controllers: tuple[str, ...]
    arrived: int


class Gaps:
    """The gaps that were stated. `unresolved`: knows who resolved the record at a place, also one not read yet."""

    def __init__(self, unresolved: Unresolved) -> None:
        self._unresolved = unresolved
        self._stated: dict[Coordinates, StatedGap] = {}

    def over(self, unresolved: Unresolved) -> Gaps:
        """The same gaps, under other resolutions."""
        found = Gaps(unresolved)
        found._stated = dict(self._stated)
        return found

    def add(self, gap: StatedGap) -> bool:
        """Takes in a gap; False if there are too many."""
        if len(self._stated) >= GAPS and gap.place not in self._stated:
            return False
        self._stated[gap.place] = gap
        return True

    def __iter__(self) -> Iterator[StatedGap]:
        """Yields the gaps that not enough managers have resolved."""
        return (one for one in self._stated.values() if self._unresolved.resolved_by(one.place) < BY_TWO)

    def binding(self, companies: Collection[str]) -> list[str]:
        """The gaps that withhold the mail of one of these companies, as faults of facts."""
        if not self._stated:
            return []
        ours = (one for one in self if not one.controllers or not set(one.controllers).isdisjoint(companies))
        return ["/".join((f"{GAP}{one.feed}", *map(str, one.place), WHOLE_BATCH)) for one in ours]

    @property
    def withhold_everybody(self) -> bool:
        """True if a gap withholds everybody's mail."""
        return any(not one.controllers for one in self)

    def withholding(self) -> Iterator[Withholding]:
        """Yields the gaps as records that withhold."""
        for one in self:
            whom: Whom = "companies" if one.controllers else "everybody"
            name = "/".join(map(str, one.place))
            by = self._unresolved.resolved_by(one.place)
            yield Withholding(name, f"{GAP}{one.feed}", one.arrived, whom, one.controllers, by, BY_TWO)
