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
        gaps = Gaps(unresolved)
        gaps._stated = dict(self._stated)
        return gaps

    def add(self, gap: StatedGap) -> bool:
        """Takes in a gap; False if there are too many."""
        if len(self._stated) >= GAPS and gap.place not in self._stated:
            return False
        self._stated[gap.place] = gap
        return True

    def __iter__(self) -> Iterator[StatedGap]:
        """Yields the gaps that not enough managers have resolved."""
        return (gap for gap in self._stated.values() if self._unresolved.resolved_by(gap.place) < BY_TWO)

    def binding(self, companies: Collection[str]) -> list[str]:
        """The gaps that withhold the mail of one of these companies, as faults of facts."""
        if not self._stated:
            return []
        ours = (gap for gap in self if not gap.controllers or not set(gap.controllers).isdisjoint(companies))
        return ["/".join((f"{GAP}{gap.feed}", *map(str, gap.place), WHOLE_BATCH)) for gap in ours]

    @property
    def withhold_everybody(self) -> bool:
        """True if a gap withholds everybody's mail."""
        return any(not gap.controllers for gap in self)

    def withholding(self) -> Iterator[Withholding]:
        """Yields the gaps as records that withhold."""
        for gap in self:
            whom: Whom = "companies" if gap.controllers else "everybody"
            name = "/".join(map(str, gap.place))
            by = self._unresolved.resolved_by(gap.place)
            yield Withholding(name, f"{GAP}{gap.feed}", gap.arrived, whom, gap.controllers, by, BY_TWO)
