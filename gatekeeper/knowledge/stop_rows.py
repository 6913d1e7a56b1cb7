"""The rows of lists of stops: how surely each binds, and which somebody has to mend (domain rule 8.1.37)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from typing import NamedTuple

import orjson

from gatekeeper.ground.tables import SPOILT, Table
from gatekeeper.staff.signed_acts import takes_away
from schemas.codec import canonical
from schemas.events import Suppression

BEFORE = "before"
"""A stop by token that says nothing of its row, as those that were taken in before the rule."""
ROWS = (BEFORE, "rejected", "wide", "certain")
"""The strongest last: a row that was mended is as sure as its best version."""
_ERASURE = "erase-"


class Row(NamedTuple):
    """A row of a list. `rejected`, `lacks`: when it was rejected first, 0 if never, and what it lacked.

    `right`: when it was last right, 0 if never. `best`: its best version, "" for a stop that is no row.
    """

    id: str
    kind: str
    rejected: int = 0
    lacks: str | None = None
    right: int = 0
    best: str = ""

    @property
    def is_open(self) -> bool:
        """True for a duty: no row was right since this one was rejected."""
        return self.right < self.rejected

    @property
    def sureness(self) -> str:
        """One of ROWS, or "" for a stop that is no row."""
        return "rejected" if self.is_open else self.best


class StopRows:
    """The rows. The order of the calls does not matter. `table`: holds them.

    Versions of a row have id, kind, scope and register in common. So an equal id of another company mends nothing.
    """

    def __init__(self, table: Table) -> None:
        self._table = table
        self._counts = Counter(Row(*orjson.loads(row)).sureness for _, row in table.items() if row != SPOILT)

    @property
    def counts(self) -> Mapping[str, int]:
        """The number of rows by sureness, in the order of ROWS."""
        return {row: self._counts[row] for row in ROWS}

    def duties(self) -> Iterator[tuple[str, Row]]:
        """Yields the rows that somebody has to mend, by name."""
        for name, value in self._table.items():
            if value != SPOILT and (row := Row(*orjson.loads(value))).is_open:
                yield name, row

    def take(self, stop: Suppression, at: int) -> None:
        """Adds a stop that arrived `at` this time. An erasure by act has its tokens from sources, and is no row."""
        if takes_away(stop):
            return
        name = name_of(stop)
        value = self._table.get(name)
        if value == SPOILT:
            return
        had = Row(*orjson.loads(value)) if value else Row(stop.suppression_id, stop.kind)
        row = had
        if stop.row != "rejected":
            is_row = stop.row or (stop.token and not stop.suppression_id.startswith(_ERASURE))
            best = max(had.best, (stop.row or BEFORE) if is_row else "", key=("", *ROWS).index)
            row = had._replace(right=max(had.right, at), best=best)
        elif not had.rejected or at < had.rejected:
            row = had._replace(rejected=at, lacks=stop.lacks)
        if row != had:
            self._table[name] = orjson.dumps([*row])
            self._counts[row.sureness] += 1
            self._counts[had.sureness] -= 1


def name_of(stop: Suppression) -> str:
    """The name that the versions of a row have in common."""
    scope = stop.scope.model_dump(mode="json", exclude_none=True)
    return blake2b(canonical([stop.suppression_id, stop.kind, scope, stop.register_id]), digest_size=16).hexdigest()
