"""Readers of column maps, from TOML or from a header with field names; each mistake is reported with its place."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Annotated, Any, get_args

import orjson
from pydantic import Field, TypeAdapter, ValidationError

from gatekeeper.ground.errors import UsageError
from gatekeeper.ground.texts import near, text, wrong
from gatekeeper.identity.stop_events import MARKS
from gatekeeper.lists import dates
from gatekeeper.lists.cells import Hint, alternatives, inside, reader
from gatekeeper.lists.columns import Cell, ColumnMap, Constant, Contact, Node, alike, leaves
from schemas.events import OnConsents, Reference, Source, Suppression
from schemas.values import Channel, Model

SHAPES: Mapping[str, Hint] = {
    "sources": Source,
    "consents": OnConsents,
    "suppressions": Suppression,
    "reference": Reference,
}
"""Event type of each topic, by its registry name."""


def read_map(content: bytes, *, topic: str, file: str) -> ColumnMap:
    """Reads a column map from the bytes of its TOML file.

    Raises UsageError (2) with file, key path and a hint for any deviation from the format.
    """
    try:
        table = tomllib.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise UsageError("error.map_not_toml", file=file, detail=str(error)) from None
    return _Reading(file, topic).map(table)


def by_name(header: Sequence[str], *, topic: str, file: str) -> ColumnMap:
    """The map of a list whose columns have the names of fields: `recipient_id`, `check.basis`.

    Raises UsageError (2) with the number of a column that has no field's name. The name itself is not shown, because
    in a list without header it may be a person's.
    """
    reading = _Reading(file, topic)
    table: dict[str, Any] = {}
    for number, column in enumerate(header, start=1):
        hint: Hint | None = reading.shape
        for key in (keys := column.split(".")):
            hint = inside(hint, key)
        if not column or hint is None or reader(hint) is None:
            raise UsageError("error.column_unknown", file=file, number=number, topic=topic)
        *parents, last = keys
        inner = table
        for key in parents:
            inner = inner.setdefault(key, {})
        inner[last] = {"column": column}
    return reading.map(_with_lists(table))


def _with_lists(table: Any) -> Any:
    """The table with lists in place of parts whose keys are numbers."""
    if not isinstance(table, dict):
        return table
    inner = {key: _with_lists(value) for key, value in table.items()}
    return list(inner.values()) if all(key.isdecimal() for key in inner) else inner


class _Strict(Model):
    """A table of the map that feeds a value; unknown keys are refused."""


class _CellTable(_Strict):
    column: Annotated[str, Field(min_length=1)]
    values: dict[str, Any] | None = None
    absent: frozenset[str] = frozenset()
    skip: frozenset[str] = frozenset()
    prefix: str = ""
    suffix: str = ""
    format: str | None = None


class _ContactTable(_Strict):
    channel: Channel
    name: str | None = None
    postcode: str | None = None
    lines: Annotated[tuple[str, ...], Field(max_length=8)] = ()
    email: str | None = None
    phone: str | None = None


_ADDRESS, _PLACE, _NUMBER = frozenset({"name", "lines"}), frozenset({"lines"}), frozenset({"phone"})
_FORMS: Mapping[str, frozenset[str]] = {
    "postal": _ADDRESS,
    "visit": _ADDRESS,
    "email": frozenset({"email"}),
    "phone": _NUMBER,
    "sms": _NUMBER,
    "fax": _NUMBER,
}
"""Parts that a contact value needs, by channel; an address may also have a postcode. Other channels have no value."""


class _Reading:
    """Reader of one map; each error has the file and the key path."""

    def __init__(self, file: str, topic: str) -> None:
        self.file = file
        self.topic = topic
        self.shape: Hint = SHAPES[topic]
        self._everybody: Any = False

    def map(self, table: dict[str, Any]) -> ColumnMap:
        """The column map of a table."""
        kinds = [kind for kind in alternatives(self.shape) if table.get("kind") in _kinds(kind)]
        self.shape = kinds[0] if kinds else self.shape
        self._everybody = table.get("whole_address", False)
        root = self._table(table, self.shape, ())
        fed = list(leaves(root))
        needs: list[tuple[str, str]] = []
        for path, node in fed:
            columns = node.columns if isinstance(node, Contact) else (node.column,) if isinstance(node, Cell) else ()
            needs += [(path, column) for column in columns]
        if not needs:
            raise self._wrong((), "map.no_column")
        named = {node.column for path, node in fed if path == "recipient_id" and isinstance(node, Cell)}
        for path, column in needs:
            if column in named and path != "recipient_id":
                raise self._wrong((path,), "map.names_recipient", column=column)
        return ColumnMap(
            self.topic, root, tuple(needs), {path: node.column for path, node in fed if isinstance(node, Cell)}
        )

    def _node(self, value: Any, hint: Hint, path: tuple[str, ...]) -> Node:
        if isinstance(value, dict) and "column" in value:
            return self._cell(value, hint, path)
        if isinstance(value, dict) and "channel" in value:
            if path[-1] != "token":
                raise self._wrong(path, "map.contact_misplaced")
            return self._contact(value, path)
        if _feeds(value):
            if isinstance(value, dict):
                return self._table(value, hint, path)
            return [
                self._node(part, inside(hint, str(number)), (*path, str(number))) for number, part in enumerate(value)
            ]
        return self._constant(value, hint, path)

    def _table(self, value: dict[str, Any], hint: Hint, path: tuple[str, ...]) -> dict[str, Node]:
        nodes: dict[str, Node] = {}
        for key, part in value.items():
            within = inside(hint, key)
            if within is None or (self.shape is Suppression and not path and key in MARKS):
                names = [name for kind in alternatives(hint) for name in getattr(kind, "model_fields", ())]
                raise self._wrong((*path, key), "map.field_unknown", near=near(key, names))
            nodes[key] = self._node(part, within, (*path, key))
        return nodes

    def _cell(self, value: dict[str, Any], hint: Hint, path: tuple[str, ...]) -> Cell:
        table = self._checked(_CellTable, value, path)
        read = reader(hint, table.format)
        if read is None:
            raise self._wrong(path, "map.has_parts")
        if table.format is not None and not _is_pattern(table.format):
            raise self._wrong((*path, "format"), "map.no_pattern")
        values = None
        if table.values is not None:
            for spelling, meant in table.values.items():
                self._constant(meant, hint, (*path, "values", spelling))
            values = {alike(spelling): _plain(meant) for spelling, meant in table.values.items()}
        absent = table.absent if values is not None else table.absent | {""}
        return Cell(
            table.column,
            read,
            values,
            frozenset(map(alike, absent)),
            frozenset(map(alike, table.skip)),
            table.prefix,
            table.suffix,
        )

    def _contact(self, value: dict[str, Any], path: tuple[str, ...]) -> Contact:
        table = self._checked(_ContactTable, value, path)
        needed = _FORMS.get(table.channel, frozenset())
        if self._everybody is True and needed == _ADDRESS:
            needed = _PLACE
        elif self._everybody is not False:  # a token is made of a name or without it, for all rows
            raise self._wrong(("whole_address",), "wrong.value")
        given = table.model_fields_set - {"channel"}
        if not needed or given - {"postcode"} != needed or ("postcode" in given and needed not in (_ADDRESS, _PLACE)):
            parts = ", ".join(sorted(needed)) or "-"
            raise self._wrong(path, "map.contact_needs", channel=table.channel, parts=parts)
        return Contact(**table.model_dump())

    def _constant(self, value: Any, hint: Hint, path: tuple[str, ...]) -> Constant:
        plain = _plain(value)
        try:
            TypeAdapter(hint).validate_json(orjson.dumps(plain), strict=True)
        except (ValidationError, TypeError):
            raise self._wrong(path, "wrong.value") from None
        return Constant(plain)

    def _checked(self, model: type[Model], value: dict[str, Any], path: tuple[str, ...]) -> Any:
        try:
            return model.model_validate_json(orjson.dumps(_plain(value)))
        except ValidationError as error:
            faults = error.errors(include_url=False, include_input=False)
        except TypeError:
            raise self._wrong(path, "wrong.value") from None
        # a mistyped key is also a missing one; the mistyped one tells more
        first = next((fault for fault in faults if fault["type"] == "extra_forbidden"), faults[0])
        key = str(first["loc"][0])
        if first["type"] == "extra_forbidden":
            raise self._wrong((*path, key), "wrong.key", near=near(key, model.model_fields))
        place = ".".join((*path, key))
        raise UsageError("error.map_wrong", file=self.file, place=place, hint=wrong(first))

    def _wrong(self, path: tuple[str, ...], hint: str, **values: Any) -> UsageError:
        place = ".".join(path) or "."
        return UsageError("error.map_wrong", file=self.file, place=place, hint=text(hint, **values))


def _feeds(value: Any) -> bool:
    """Tells whether any value in a part of the map comes from a row."""
    if isinstance(value, dict):
        return "column" in value or "channel" in value or any(_feeds(part) for part in value.values())
    return isinstance(value, list) and any(_feeds(part) for part in value)


def _kinds(shape: Hint) -> tuple[Any, ...]:
    kind = inside(shape, "kind")
    return get_args(kind) if kind is not None else ()


def _plain(value: Any) -> Any:
    """A TOML value as a JSON value, with days and times in ISO 8601."""
    if isinstance(value, date):  # includes datetime
        return value.isoformat()
    if isinstance(value, list):
        return [_plain(part) for part in value]
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    return value


def _is_pattern(pattern: str) -> bool:
    try:
        dates.formatted(datetime(2000, 12, 31, 13, 14, 15).strftime(pattern), pattern)
    except ValueError:
        return False
    return "%" in pattern
