"""Campaigns and facts as files: what stands on each line, read line by line, and no line ever stops the next."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

import jiter
import orjson

from gatekeeper.errors import UsageError
from schemas.codec import Unreadable
from schemas.events import Send
from schemas.topics import FACT_TOPICS, MAX_MESSAGE_BYTES, logical_name

LINE_BYTES = MAX_MESSAGE_BYTES - 4096
"""A longer line no broker of ours takes, whatever is in it; the rest is room for the batch around it."""
SAID_OF_SENDS = ("confirmations", "acts")
"""Topics beside the facts that files may hold: what people were asked, and what reviewers said."""

Line = tuple[int, bytes]
"""Its number in the file, from 1, and its bytes without the line break; cut at LINE_BYTES, more than any record has."""


class FactLine(NamedTuple):
    """One event of a file: the topic it belongs on (registry name), its line, its key if it names one, its value."""

    topic: str
    number: int
    key: bytes | None
    value: bytes | None


def lines(handle: IO[bytes]) -> Iterator[Line]:
    """Yields what stands on each line that is not empty, in bounded memory. Raises OSError."""
    number, ended = 0, True
    # a file without line breaks would be read into memory whole
    while raw := handle.readline(LINE_BYTES):
        begins, ended = ended, raw.endswith(b"\n")
        number += begins
        if begins and (value := raw.rstrip(b"\r\n")):
            yield number, value


def campaign(handle: IO[bytes], file: Path) -> Iterator[tuple[int, bytes | Unreadable]]:
    """Yields the sends of a campaign as JSON: a JSONL file as it is, a CSV file (by its name) row by row.

    A CSV file has field names in its first line: `contact_point.id` is a field within a field, `match.0.token` one
    within a list. An empty cell is an absent field, and `v` may be left out. A row is one line.
    Raises UsageError (2) where the columns are not those of a send, OSError.
    """
    return _rows(lines(handle), file) if file.suffix.lower() == ".csv" else lines(handle)


def facts(handle: IO[bytes], topic: str | None = None) -> Iterator[FactLine]:
    """Yields the events of a file, one a line: values of `topic`, or each with its topic beside it. Raises OSError.

    A line that names no topic of ours is yielded as it stands, to be refused: whomever it names is withheld.
    A resolution is left out, since the record that it resolves has its place on a broker and not in a file.
    """
    for number, value in lines(handle):
        found = FactLine(topic, number, None, value) if topic else _event(number, value)
        if found.topic != "reference" or not _resolves(found.value or b""):
            yield found


def _event(number: int, line: bytes) -> FactLine:
    try:
        event = jiter.from_json(line, allow_inf_nan=False, catch_duplicate_keys=True)
        topic, key, value = logical_name(event["topic"]), event.get("key"), event["value"]
        if topic in (*FACT_TOPICS, *SAID_OF_SENDS) and event.keys() <= {"topic", "key", "value"}:
            written = None if value is None else orjson.dumps(value)
            return FactLine(topic, number, None if key is None else key.encode(), written)
    except (ValueError, LookupError, TypeError, AttributeError):
        pass
    return FactLine("consents", number, None, line)


def _resolves(value: bytes) -> bool:
    try:
        return bool(orjson.loads(value)["kind"] == "resolution")
    except (ValueError, LookupError, TypeError):
        return False


def _rows(found: Iterator[Line], file: Path) -> Iterator[tuple[int, bytes | Unreadable]]:
    columns = _columns(next(found, (1, b""))[1], file)
    for number, line in found:
        try:
            cells = _cells(line)
            if len(cells) != len(columns):
                raise ValueError
            yield number, orjson.dumps(_nested(zip(columns, cells, strict=True)))
        except (csv.Error, ValueError, orjson.JSONEncodeError):
            yield number, Unreadable("row_wrong")


def _columns(line: bytes, file: Path) -> list[str]:
    """Returns the columns of a campaign; a file without its header must not be taken for one."""
    try:
        columns = _cells(line)
    except (csv.Error, ValueError):
        columns = []
    tops = {column.partition(".")[0] for column in columns}
    wanted = [name for name, field in Send.model_fields.items() if field.is_required() and name != "v"]
    if missing := [name for name in wanted if name not in tops]:
        raise UsageError("error.columns_missing", file=file, columns=", ".join(missing))
    for place, column in enumerate(columns):
        unknown = column.partition(".")[0] not in Send.model_fields
        if unknown or any(other == column or other.startswith(f"{column}.") for other in columns[:place] + columns[place + 1:]):
            # a column's name comes from outside and may be anything: it is told by its place
            raise UsageError("error.column_wrong", file=file, column=place + 1)
    return columns


def _cells(line: bytes) -> list[str]:
    # each line alone, or one quote left open would swallow all that follows
    return next(csv.reader([line.decode("utf-8-sig")], strict=True), [])


def _nested(row: Iterable[tuple[str, str]]) -> dict[str, Any]:
    found: dict[str, Any] = {"v": 1}
    for column, cell in row:
        if cell:
            *path, name = column.split(".")
            inner = found
            for part in path:
                inner = inner.setdefault(part, {})
            inner[name] = int(cell) if name in ("v", "score") and cell.isdecimal() else cell
    return {name: _listed(value) for name, value in found.items()}


def _listed(value: Any) -> Any:
    """Returns a value with each object whose names are all numbers as the list it stands for."""
    if not isinstance(value, dict):
        return value
    inner = {name: _listed(each) for name, each in value.items()}
    if all(name.isdecimal() for name in inner):
        return [inner[name] for name in sorted(inner, key=int)]
    return inner
