"""Conversion of rows to events: each row becomes one event of its topic, is skipped, or is rejected with a cause."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hmac import digest
from typing import IO, Any

import orjson
from pydantic import TypeAdapter, ValidationError

from gatekeeper.errors import UsageError
from gatekeeper.identity import SURE, Tokens
from gatekeeper.lists.cells import UnfitRow
from gatekeeper.lists.columns import ID_OF, Cell, ColumnMap, Constant, Contact, Node, alike
from gatekeeper.lists.mapping import by_name
from gatekeeper.lists.rows import BOM, Encoding, Row, lines, rows
from schemas.codec import Unreadable, canonical, decode
from schemas.events import GIVEN_STATES, Delivery
from schemas.topics import subject_key
from schemas.values import Line

_DATE_OF = {"consents": "recorded_at", "suppressions": "received_at"}
"""The field of an event's recording time, by topic; it is filled in if no column feeds it."""
_ABSENT = object()
_TEXT = TypeAdapter(Line)


@dataclass(frozen=True, slots=True)
class Event:
    """A record of a fact topic to publish, with the line of its row."""

    line: int
    key: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class Rejected:
    """A rejected row: its lines, the column by its name in the map, the event's field, and the cause.

    `cause` is a full key of texts/row.toml or texts/fault.toml (`row.…`, `fault.…`). No value of the row is included.
    """

    line: int
    last_line: int
    column: str
    field: str
    cause: str


@dataclass(frozen=True, slots=True)
class SkippedRow:
    """A row that is skipped, because one of its cells is in the map's `skip`."""

    line: int


Outcome = Event | Rejected | SkippedRow


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
) -> Iterator[Outcome]:
    """Reads the header of a CSV file, and gives the outcome of each row, in order, from a line on.

    `columns`: None for a list whose columns have the names of fields. `list_date`: the date of the list, for rows
    without a date of their own. `tokens`: None only if the map makes no tokens. `id_key`: for the ids of rows without
    an id of their own; without it such a row is rejected.
    Raises UsageError (2) for a file without header, a header that lacks a column of the map or repeats it, or a list
    without ids if there is no `id_key`.
    """
    names, coming = headed(handle, encoding, file=file, from_line=from_line)
    columns = columns or by_name(names, topic=topic, file=file)
    for path, column in columns.needs:
        demand(names, column, file=file, field=path)
    if columns.ids_made and id_key is None:
        raise UsageError("error.import_key_missing", field=columns.ids_made[0])
    maker = _Maker(columns, tokens, id_key, list_date)
    return (maker.outcome(row, names) for row in coming)


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
    """Yields the outcome of each line of a JSONL file from a line on; a line holds an event's value as on its topic."""
    for line in lines(handle):
        value = line.raw.rstrip(b"\r\n")
        if line.number < from_line:
            continue
        if not line.whole:
            yield Rejected(line.number, line.number, "", "", "row.line_too_long")
        elif value.strip():
            # the byte order mark, which some editors write first, is not JSON
            yield _checked(topic, Row(line.number, line.number, []), value.removeprefix(BOM), {})


class _Maker:
    """Maker of events from rows, for one column map."""

    def __init__(self, columns: ColumnMap, tokens: Tokens | None, id_key: bytes | None, list_date: str) -> None:
        self._map = columns
        self._tokens = tokens
        self._id_key = id_key
        self._id_tokens = Tokens({1: id_key}) if id_key else None
        self._under_id_key: dict[str, str] = {}
        """The row's tokens as the key of ids makes them, which never changes."""
        self._list_date = list_date
        self._skips = [(cell.column, cell.skip) for cell in columns.cells if cell.skip]

    def outcome(self, row: Row, header: Sequence[str]) -> Outcome:
        """The outcome of a row; no content of a row raises."""
        if row.cause or len(row.cells) != len(header):
            return Rejected(row.line, row.last_line, "", "", f"row.{row.cause or 'cells_differ'}")
        cells = dict(zip(header, row.cells, strict=True))
        self._under_id_key.clear()
        if any(alike(cells[column]) in skip for column, skip in self._skips):
            return SkippedRow(row.line)
        try:
            event = self._completed(self._root(cells))
        except UnfitRow as unfit:
            field = next((path for path, column in self._map.needs if column == unfit.column), "")
            return Rejected(row.line, row.last_line, unfit.column, field, f"row.{unfit.cause}")
        return _checked(self._map.topic, row, orjson.dumps(event), self._map.column_of)

    def _root(self, cells: Mapping[str, str]) -> dict[str, Any]:
        made = self._object(self._map.root, cells)
        # a source without contact point would cover all of them; a suppression without person or token stops nobody
        for name, other in (("contact_points", ""), ("token", "recipient_id")):
            if name in self._map.root and name not in made and other not in made:
                raise UnfitRow("contact_missing", self._map.contact_column)
        return made

    def _completed(self, made: dict[str, Any]) -> dict[str, Any]:
        """The event with the fields that its row may omit: version, kind, method, id and date."""
        topic = self._map.topic
        event: dict[str, Any] = {"v": 1, **({"kind": "consent"} if topic == "consents" else {}), **made}
        if topic == "consents":
            if event["kind"] != "consent":
                return event
            event = {"method": "import", "expressed_by": "import", **event}
            if event.get("state") in GIVEN_STATES and not self._says_method(event):
                event["method"] = "import"
        name, date = ID_OF.get(topic, ""), _DATE_OF.get(topic, "")
        if name and name not in event:
            event[name] = self._id(event)
        if date and date not in event:
            event[date] = self._list_date
        return event

    def _id(self, event: Mapping[str, Any]) -> str:
        """The id of a row without one: the same for a repeated row, and without the key it tells nobody the row."""
        if self._id_key is None:
            raise UnfitRow("id_missing", "")
        return f"row-{digest(self._id_key, canonical(self._of_any_key(event)), 'sha256').hex()[:40]}"

    def _of_any_key(self, node: Any) -> Any:
        """A part of the event without readings, with tokens that do not depend on the token keys."""
        if isinstance(node, list):
            return [self._of_any_key(each) for each in node]
        if not isinstance(node, Mapping):
            return node
        made = node.get("token") in self._under_id_key
        found = {name: self._of_any_key(each) for name, each in node.items() if not (made and name == "readings")}
        return {**found, "token": self._under_id_key[node["token"]]} if made else found

    def _point_id(self, token: str) -> str:
        """The id of a contact point without one: the same for the same contact value (rule 7.4.18)."""
        if self._id_key is None:
            raise UnfitRow("id_missing", "")
        return f"cp-{digest(self._id_key, self._under_id_key[token].encode(), 'sha256').hex()[:40]}"

    def _says_method(self, event: Mapping[str, Any]) -> bool:
        """True if a row itself says how its yes was given, and has evidence of it (rule 7.1.10)."""
        return isinstance(self._map.root.get("method"), Cell) and "evidence_ref" in event

    def _filled(self, node: Node, cells: Mapping[str, str]) -> Any:
        if isinstance(node, Constant):
            return node.value
        if isinstance(node, Cell):
            return _cell(node, cells[node.column])
        if isinstance(node, list):
            parts = [self._filled(each, cells) for each in node]
            return [part for part in parts if part is not _ABSENT] or _ABSENT
        if isinstance(node, dict):
            return self._object(node, cells) or _ABSENT
        raise TypeError(node)

    def _object(self, node: dict[str, Node], cells: Mapping[str, str]) -> dict[str, Any]:
        """The part of the event with its values from the row; empty if the row has no value or no contact for it."""
        found: dict[str, Any] = {}
        said = False
        for key, each in node.items():
            if isinstance(each, Contact):
                known = self._known(each, cells)
                if known is None and node is not self._map.root:
                    return {}
                found.update(known or {})
                if known and node is not self._map.root and "id" not in node:
                    found["id"] = self._point_id(known["token"])
            elif (value := self._filled(each, cells)) is not _ABSENT:
                found[key] = value
            else:
                continue
            said = said or not isinstance(each, Constant)
        return found if said or node is self._map.root else {}

    def _known(self, contact: Contact, cells: Mapping[str, str]) -> dict[str, Any] | None:
        """The token of a contact value with its readings; None if the row has no contact value."""
        parts = {column: " ".join(cells[column].split()) for column in contact.columns}
        if not any(parts[column] for column in contact.places):
            return None
        for column, part in parts.items():
            try:
                _TEXT.validate_python(part)
            except ValidationError:
                raise UnfitRow("contact_unreadable", column) from None
        delivery = Delivery(
            name=parts.get(contact.name or "") or "-",
            postcode=parts.get(contact.postcode or "") or None,
            lines=tuple(parts[column] for column in contact.lines if parts[column]),
            email=parts.get(contact.email or "") or None,
            phone=parts.get(contact.phone or "") or None,
        )
        known = self._tokens.of(contact.channel, delivery) if self._tokens is not None else None
        if known is None:
            raise UnfitRow("contact_unreadable", contact.places[0])
        same = [(token, SURE) for token in known.same]
        readings = [{"token": token, "score": score} for token, score in (*same, *known.readings)]
        if self._id_tokens is not None and (named := self._id_tokens.of(contact.channel, delivery)):
            self._under_id_key[known.token] = named.token
        return {"token": known.token, **({"readings": readings} if readings else {})}


def _cell(node: Cell, text: str) -> Any:
    spelling = alike(text)
    if node.values is not None and spelling in node.values:
        return node.values[spelling]
    if spelling in node.absent:
        return _ABSENT
    if node.values is not None:
        raise UnfitRow("value_unknown", node.column)
    try:
        return node.read(f"{node.prefix}{text}{node.suffix}")
    except UnfitRow as unfit:
        raise UnfitRow(unfit.cause, node.column) from None


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
