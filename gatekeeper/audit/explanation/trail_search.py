"""Searches a trail for a decision, a send or an inquiry code, and gives all records of the pieces found."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field

from gatekeeper.audit.checks.trail import Trail
from gatekeeper.audit.explanation.placed_record import PlacedRecord, of, pieces
from gatekeeper.audit.records import inquiry
from gatekeeper.ground.errors import GatekeeperError, UsageError
from schemas.decision import DID_PATTERN
from schemas.values import ID_PATTERN


@dataclass(frozen=True, slots=True)
class SearchTerm:
    """A search term: a decision id, the beginning of one, or the id of a send."""

    text: str
    beginning: str | None
    """The beginning of a decision id, or the whole id; None for the id of a send."""

    @classmethod
    def read(cls, text: str) -> SearchTerm:
        """Reads a typed term; raises UsageError (2) if it can be none of the three.

        The id of a send may look like an inquiry code. Then a wrong check letter is no error.
        """
        plain = text.strip()
        if re.fullmatch(DID_PATTERN, plain.upper()):
            return cls(plain, plain.upper())
        try:
            return cls(plain, inquiry.read(plain))
        except UsageError:
            if not re.fullmatch(ID_PATTERN, plain) or (plain.count("-") == 2 and len(plain) == 13):
                raise
        return cls(plain, None)

    def meant(self, placed: PlacedRecord) -> bool:
        """Tells whether a record matches the term."""
        if self.beginning is not None and placed.did.startswith(self.beginning):
            return True
        return (placed.record["send"] or {}).get("event_id") == self.text

    @property
    def needles(self) -> list[bytes]:
        """The bytes of matching records contain one of these."""
        needles = [f'"event_id":"{self.text}"']
        if self.beginning:
            needles.append(f'"did":"{self.beginning}')
        return [needle.encode() for needle in needles]


@dataclass(slots=True)
class TrailSearch:
    """Search through a trail; `passed` is called for every manifest."""

    trail: Trail
    passed: Callable[[], None]
    troubles: list[GatekeeperError] = field(default_factory=list)
    """Errors that stopped the reading of a partition."""

    def found(self, term: SearchTerm) -> list[list[PlacedRecord]]:
        """The matching pieces, each with all of its records in order."""
        seeds = [placed for placed in self._records(self.trail.partitions(), term.needles) if term.meant(placed)]
        dids, names = {placed.did for placed in seeds}, set().union(*(placed.names for placed in seeds))
        numbers, records, before = sorted({placed.partition for placed in seeds}), seeds, set[str]()
        while names != before:  # a record may name an earlier one, which names others
            before = set(names)
            records = list(self._records(numbers, [name.encode() for name in names]))
            records = [placed for placed in records if not placed.names.isdisjoint(names)]
            names = names.union(*(placed.names for placed in records))
        return [piece for piece in pieces(records) if not dids.isdisjoint(placed.did for placed in piece)]

    def _records(self, numbers: list[int], needles: Collection[bytes]) -> Iterator[PlacedRecord]:
        for number in numbers:
            try:
                for link in self.trail.links(number):
                    self.passed()
                    yield from of(link, lambda value: any(needle in value for needle in needles))
            except GatekeeperError as error:
                if str(error) not in map(str, self.troubles):
                    self.troubles.append(error)
