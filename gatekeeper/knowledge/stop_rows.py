"""The rows of lists of stops by how surely they bind, one for each id (domain rule 8.1.37)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from gatekeeper.ground.tables import Table
from gatekeeper.staff.signed_acts import takes_away
from schemas.events import Suppression

BEFORE = "before"
"""A stop by token that says nothing of its row, as those that were taken in before the rule."""
ROWS = (BEFORE, "rejected", "wide", "certain")
"""The strongest last: a row that was mended is as sure as its best version."""
_ERASURE = "erase-"


class StopRows:
    """The rows by id. The order of the calls does not matter. `table`: holds them."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._counts = Counter(row.decode() for _, row in table.items())

    @property
    def counts(self) -> Mapping[str, int]:
        """The number of ids by row, in the order of ROWS."""
        return {row: self._counts[row] for row in ROWS}

    def take(self, stop: Suppression) -> None:
        """Adds a stop. One of a person alone has no row, and an erasure by act takes its tokens from sources."""
        row = stop.row or (BEFORE if stop.token and not stop.suppression_id.startswith(_ERASURE) else None)
        if row is None or takes_away(stop):
            return
        had = (self._table.get(stop.suppression_id) or b"").decode()
        if had in ROWS and ROWS.index(had) >= ROWS.index(row):
            return
        self._table[stop.suppression_id] = row.encode()
        self._counts[row] += 1
        self._counts[had] -= had in ROWS
