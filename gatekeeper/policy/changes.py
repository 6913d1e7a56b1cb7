"""Changes between two decisions on the same sends: counts of old against new verdicts, and of the people concerned."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from schemas.decision import Verdict

By = Literal["verdict", "reason", "source", "campaign"]
NONE = "-"


class Change(NamedTuple):
    """One row: old and new verdict, grouped by primary reasons, acquisition method or campaign."""

    by: By
    name: str
    old: Verdict
    new: Verdict


@dataclass(slots=True)
class SendCount:
    """Number of sends, and the names of their people where these are known."""

    sends: int = 0
    people: set[str] = field(default_factory=set)

    def add(self, person: str | None) -> None:
        """Counts one send of a person."""
        self.sends += 1
        if person is not None:
            self.people.add(person)


class Result(NamedTuple):
    """A verdict with its primary reason; None for a clear one."""

    verdict: Verdict
    primary: str | None


class Changes:
    """Counts of changes; add each send once."""

    def __init__(self) -> None:
        self.sends = 0
        self._cells: dict[Change, SendCount] = defaultdict(SendCount)

    def add(self, old: Result, new: Result, *, method: str, campaign: str, person: str | None) -> None:
        """Counts one send. `method`: how its basis was acquired. `person`: an id or a pseudonym, None if unknown."""
        self.sends += 1
        names: dict[By, str] = {"verdict": "", "reason": f"{old.primary or NONE} → {new.primary or NONE}"}
        names |= {"source": method, "campaign": campaign}
        for by, name in names.items():
            self._cells[Change(by, name, old.verdict, new.verdict)].add(person)

    def rows(self, by: By, *, changed: bool = True) -> Iterator[tuple[Change, SendCount]]:
        """Yields the rows of one kind, most sends first. `changed`: only rows with another verdict."""
        rows = [(change, cell) for change, cell in self._cells.items() if change.by == by]
        for change, cell in sorted(rows, key=lambda row: (-row[1].sends, row[0])):
            if not changed or change.old != change.new:
                yield change, cell

    @property
    def widened(self) -> SendCount:
        """The sends that are clear now and were withheld before."""
        return self._sum(lambda change: change.new == "clear")

    @property
    def narrowed(self) -> SendCount:
        """The sends that were clear before and are withheld now."""
        return self._sum(lambda change: change.old == "clear")

    def _sum(self, counts: Callable[[Change], bool]) -> SendCount:
        total = SendCount()
        for change, cell in self.rows("verdict"):
            if counts(change):
                total.sends += cell.sends
                total.people |= cell.people
        return total
