"""The rows of lists of stops: how surely each binds, and which somebody has to mend (domain rule 8.1.37)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from typing import Any, NamedTuple

import orjson

from gatekeeper.ground.tables import SPOILT, Table
from gatekeeper.ground.times import span
from gatekeeper.knowledge.reference_log import ReferenceLog
from gatekeeper.staff.signed_acts import correctors, takes_away
from schemas.codec import canonical
from schemas.events import Suppression
from schemas.record import Record

BEFORE = "before"
"""A stop by token that says nothing of its row, as those that were taken in before the rule."""
ROWS = (BEFORE, "rejected", "wide", "certain")
"""The strongest last: a row that was mended is as sure as its best version."""
_ERASURE = "erase-"
_ZONE = "Asia/Tokyo"
"""Of days without a time."""
_BY_TOKEN = ""
"""In place of a person's id: a row by name and address."""
_PEOPLE = 64
"""People that the versions of one row name, at most; each stop of that id looks at all of them."""
_MORE = "*"
"""In place of further people. Managers alone close such a duty."""


class Rejection(NamedTuple):
    """The rejected versions of a row that lack the same and name the same person, "" for nobody.

    `received`: the latest day on which one came in. `at`: the arrival of the first of that day; those of earlier days
    are no news. `first`: the arrival of the first of all.
    """

    person: str
    lacks: str | None
    received: int
    at: int
    first: int

    def __or__(self, other: Rejection) -> Rejection:
        """Both in one; they lack the same and name the same person."""
        newer = min(self, other, key=lambda one: (-one.received, one.at))
        return newer._replace(first=min(self.first, other.first))


class Row(NamedTuple):
    """A row of a list. `right`: when a version last bound a person, by id, or somebody by token.

    `best`: its best version, "" for a stop that is no row.
    """

    id: str
    kind: str
    rejected: tuple[Rejection, ...] = ()
    right: Mapping[str, int] = {}
    best: str = ""

    @classmethod
    def of(cls, value: bytes) -> Row:
        """The row that a table holds."""
        id_, kind, rejected, right, best = orjson.loads(value)
        return cls(id_, kind, tuple(Rejection(*each) for each in rejected), right, best)

    @property
    def value(self) -> bytes:
        """The same as a table holds it."""
        return orjson.dumps([self.id, self.kind, [[*each] for each in self.rejected], self.right, self.best])

    def duties(self, closed: int) -> list[tuple[int, str | None]]:
        """The rejections that nothing mended since, each with its time and what it lacked.

        `closed`: when a manager closed the row, 0 if never.
        """
        found = []
        for each in self.rejected:
            mended = max(closed, self.right.get(each.person, 0))
            if mended < each.at:
                found.append((each.first if mended < each.first else each.at, each.lacks))
        return sorted(found, key=lambda duty: (duty[0], duty[1] or ""))

    def sureness(self, closed: int) -> str:
        """One of ROWS, or "" for a stop that is no row."""
        return "rejected" if self.duties(closed) else self.best


class Duty(NamedTuple):
    """A row that somebody has to mend. `since`: the arrival of its first rejected version that is open."""

    since: int
    id: str
    kind: str
    lacks: str | None


class StopRows:
    """The rows. The order of the calls does not matter. `table`: holds them.

    Versions of a row have id, kind, scope and register in common. So an equal id of another company mends nothing.
    A manager's closing is judged when it is used, by the staff in `log`.
    """

    def __init__(self, table: Table) -> None:
        self._table = table
        self._counts = Counter(Row.of(row).sureness(0) for _, row in table.items() if row != SPOILT)
        self._closings: dict[str, list[tuple[Record, Mapping[str, Any]]]] = {}
        self._judged: tuple[tuple[ReferenceLog, int] | None, dict[str, int]] = None, {}

    def counts(self, log: ReferenceLog) -> Mapping[str, int]:
        """The number of rows by sureness, in the order of ROWS."""
        counts = Counter(self._counts)
        for name in self._closings:
            if row := self._row(name):
                counts[row.sureness(0)] -= 1
                counts[row.sureness(self._closed(name, log))] += 1
        return {row: counts[row] for row in ROWS}

    def duties(self, log: ReferenceLog) -> Iterator[Duty]:
        """Yields the rows that somebody has to mend."""
        for name, _ in self._table.items():
            if (row := self._row(name)) and (open_ := row.duties(self._closed(name, log))):
                since, lacks = open_[0]
                yield Duty(since, row.id, row.kind, lacks)

    def take(self, stop: Suppression, at: int) -> None:
        """Adds a stop that arrived `at` this time. An erasure by act has its tokens from sources, and is no row."""
        if takes_away(stop):
            return
        name = name_of(stop)
        if self._table.get(name) == SPOILT:
            return
        had = self._row(name) or Row(stop.suppression_id, stop.kind)
        row = _rejected(had, stop, at) if stop.row == "rejected" else _bound(had, stop, at)
        if row != had:
            self._table[name] = row.value
            self._counts[row.sureness(0)] += 1
            self._counts[had.sureness(0)] -= 1

    def close(self, stop: Suppression, record: Record, said: Mapping[str, Any]) -> None:
        """Adds a correction of a rejected row; it counts if managers signed it. `record`, `said`: it as published."""
        name = name_of(stop)
        self._closings.setdefault(name, []).append((record, said))
        self._judged[1].pop(name, None)

    def _row(self, name: str) -> Row | None:
        value = self._table.get(name)
        return Row.of(value) if value and value != SPOILT else None

    def _closed(self, name: str, log: ReferenceLog) -> int:
        """The arrival of the last closing of a row that managers signed, 0 without one."""
        if self._judged[0] != (log, log.read):
            self._judged = (log, log.read), {}
        judged = self._judged[1]
        if name not in judged:
            signed = (
                record.timestamp
                for record, said in self._closings.get(name, ())
                if correctors(record, said, roster=log.roster, origin=log.origin).managers
            )
            judged[name] = max(signed, default=0)
        return judged[name]


def _rejected(row: Row, stop: Suppression, at: int) -> Row:
    """The row with a rejected version."""
    received = span(stop.received_at, _ZONE).last
    new = Rejection(stop.recipient_id or _BY_TOKEN, stop.lacks, received, at, at)
    of = {(each.person, each.lacks): each for each in row.rejected}
    key = new.person, new.lacks
    if key not in of and len(of) >= _PEOPLE:
        key, new = (_MORE, None), new._replace(person=_MORE, lacks=None)
    of[key] = of[key] | new if key in of else new
    return row._replace(rejected=tuple(sorted(of.values(), key=lambda each: (each.person, each.lacks or ""))))


def _bound(row: Row, stop: Suppression, at: int) -> Row:
    """The row with a version that binds somebody. One that had ended when it arrived mends nothing.

    A row that the door read again mends what named nobody. It may bind by an id now.
    """
    is_row = stop.row or (stop.token and not stop.suppression_id.startswith(_ERASURE))
    row = row._replace(best=max(row.best, (stop.row or BEFORE) if is_row else "", key=("", *ROWS).index))
    if stop.effective_until and span(stop.effective_until, _ZONE).last < at * 1000:
        return row
    people = {stop.recipient_id or _BY_TOKEN, *((_BY_TOKEN,) if stop.row else ())}
    known = [person for person in people if person in row.right or person == _BY_TOKEN or len(row.right) < _PEOPLE]
    return row._replace(right={**row.right, **{person: max(row.right.get(person, 0), at) for person in known}})


def name_of(stop: Suppression) -> str:
    """The name that the versions of a row have in common."""
    scope = stop.scope.model_dump(mode="json", exclude_none=True)
    return blake2b(canonical([stop.suppression_id, stop.kind, scope, stop.register_id]), digest_size=16).hexdigest()
