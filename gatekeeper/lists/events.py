"""Conversion of rows to events. Each row becomes one event of its topic, is skipped, or is rejected with a cause."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import IO

import orjson

from gatekeeper.ground.errors import UsageError
from gatekeeper.identity import Tokens
from gatekeeper.identity.stop_events import given_mark
from gatekeeper.lists.cells import UnfitRow
from gatekeeper.lists.columns import ColumnMap
from gatekeeper.lists.event_maker import EventMaker
from gatekeeper.lists.mapping import by_name
from gatekeeper.lists.rows import BOM, Encoding, Row, lines, rows
from schemas.codec import Unreadable, decode
from schemas.events import suppressions as stops
from schemas.topics import subject_key


@dataclass(frozen=True, slots=True)
class Event:
    """A record of a fact topic to publish, with the line of its row.

    `more`: further records of the row, as a stop of two people has. `row`: how surely a stop names the person by name
    and address; None for any other record.
    """

    line: int
    key: bytes
    value: bytes
    more: tuple[tuple[bytes, bytes], ...] = ()
    row: stops.Row | None = None
    lacks: stops.Lack | None = None

    @property
    def records(self) -> tuple[tuple[bytes, bytes], ...]:
        """All records of the row."""
        return (self.key, self.value), *self.more


@dataclass(frozen=True, slots=True)
class Rejected:
    """A rejected row: its lines, the column by its name in the map, the event's field, and the cause.

    `cause` is a full key of texts/row.toml or texts/fault.toml (`row.…`, `fault.…`). No value of the row is included.
    `duty`: of a stop with an id, the record by which the row stays to be mended (domain rule 8.1.37).
    """

    line: int
    last_line: int
    column: str
    field: str
    cause: str
    duty: tuple[bytes, bytes] | None = None


@dataclass(frozen=True, slots=True)
class SkippedRow:
    """A row that is skipped, because one of its cells is in the map's `skip`."""

    line: int


Outcome = Event | Rejected | SkippedRow
Mapped = Callable[[Callable[[Row], Outcome], Iterator[Row]], Iterator[Outcome]]


def events(
    handle: IO[bytes],
    columns: ColumnMap | None,
    *,
    topic: str,
    file: str,
    encoding: Encoding,
    tokens: Tokens | None,
    id_key: bytes | None,
    list_date: str,
    from_line: int = 1,
    mapped: Mapped = map,
) -> Iterator[Outcome]:
    """Reads the header of a CSV file, and gives the outcome of each row, in order, from a line on.

    `columns`: None for a list whose columns have the names of fields. `list_date`: the date of the list, for rows
    without a date of their own. `tokens`: None only if the map makes no tokens. `id_key`: for the ids of rows without
    an id of their own; without it such a row is rejected. `mapped`: works on the rows, as `map` does.
    Raises UsageError (2) for a file without header, or a header that lacks or repeats a column of the map. It also
    does for a list without ids if there is no `id_key`.
    """
    names, coming = headed(handle, encoding, file=file, from_line=from_line)
    columns = columns or by_name(names, topic=topic, file=file)
    for path, column in columns.needs:
        demand(names, column, file=file, field=path)
    if columns.ids_made and id_key is None:
        raise UsageError("error.import_key_missing", field=columns.ids_made[0])
    maker = EventMaker(columns, tokens, id_key, list_date)
    return mapped(lambda row: _outcome(row, names, columns, maker), coming)


def headed(
    handle: IO[bytes], encoding: Encoding, *, file: str, from_line: int = 1
) -> tuple[Sequence[str], Iterator[Row]]:
    """The header of a CSV file, and its rows from a line on, without empty ones.

    Raises UsageError (2) for a file without header.
    """
    coming = rows(handle, encoding)
    header = next((row for row in coming if any(row.cells) or row.cause), None)
    if header is None or header.cause:
        raise UsageError("error.header_unreadable", file=file)
    return header.cells, (row for row in coming if row.line >= from_line and (row.cause or any(row.cells)))


def demand(header: Sequence[str], column: str, *, file: str, field: str) -> None:
    """Raises UsageError (2) unless a header has this column exactly once; `field` is the field that needs it."""
    if (count := header.count(column)) != 1:
        key = "error.column_missing" if count == 0 else "error.column_twice"
        raise UsageError(key, file=file, column=column, field=field)


def json_events(handle: IO[bytes], *, topic: str, from_line: int = 1) -> Iterator[Outcome]:
    """Yields the outcome of each line of a JSONL file from a line on. A line holds an event's value as on its topic."""
    for line in lines(handle):
        value = line.raw.rstrip(b"\r\n")
        if line.number < from_line:
            continue
        if not line.whole:
            yield Rejected(line.number, line.number, "", "", "row.line_too_long")
        elif value.strip():
            value = value.removeprefix(BOM)  # the byte order mark, which some editors write first, is not JSON
            mark = given_mark(value) if topic == "suppressions" else None
            if mark:
                yield Rejected(line.number, line.number, "", mark, "fault.row_given")
            else:
                yield _checked(topic, Row(line.number, line.number, []), value, {})


def _outcome(row: Row, header: Sequence[str], columns: ColumnMap, maker: EventMaker) -> Outcome:
    """The outcome of a row; no content of a row raises."""
    if row.cause or len(row.cells) != len(header):
        return Rejected(row.line, row.last_line, "", "", f"row.{row.cause or 'cells_differ'}")
    cells = dict(zip(header, row.cells, strict=True))
    try:
        made = maker.events(cells)
    except UnfitRow as unfit:
        field = next((path for path, column in columns.needs if column == unfit.column), "")
        return _with_duty(Rejected(row.line, row.last_line, unfit.column, field, f"row.{unfit.cause}"), maker, cells)
    if not made:
        return SkippedRow(row.line)
    outcomes = [_checked(columns.topic, row, orjson.dumps(event), columns.column_of) for event in made]
    first, *others = outcomes
    for outcome in outcomes:
        if not isinstance(outcome, Event):
            return _with_duty(outcome, maker, cells) if isinstance(outcome, Rejected) else outcome
    assert isinstance(first, Event)
    more = tuple((other.key, other.value) for other in others if isinstance(other, Event))
    return replace(first, more=more, row=made[0].get("row"), lacks=made[0].get("lacks"))


def _with_duty(rejected: Rejected, maker: EventMaker, cells: Mapping[str, str]) -> Rejected:
    """The rejection, with the record by which its row stays to be mended, if it has an id."""
    duty = maker.duty(cells, rejected.cause.partition(".")[2])
    outcome = duty and _checked("suppressions", Row(rejected.line, rejected.last_line, []), orjson.dumps(duty), {})
    return replace(rejected, duty=(outcome.key, outcome.value)) if isinstance(outcome, Event) else rejected


def _checked(topic: str, row: Row, value: bytes, column_of: Mapping[str, str]) -> Outcome:
    """The event if a worker would accept it, else a rejection."""
    try:
        model = decode(topic, None, value)
    except Unreadable as fault:
        place = fault.place
        if topic in ("consents", "reference"):  # several kinds: the place begins with the kind
            place = place.partition(".")[2]
        if fault.fault in ("kind_unknown", "kind_missing"):
            place = "kind"
        return Rejected(row.line, row.last_line, _column(place, column_of), place, f"fault.{fault.fault}")
    return Event(row.line, subject_key(topic, model).encode(), value)


def _column(place: str, column_of: Mapping[str, str]) -> str:
    while place and place not in column_of:
        place = place.rpartition(".")[0]
    return column_of.get(place, "")
