"""Campaigns and facts as files, read line by line; a faulty line never stops the next."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

import jiter
import orjson

from gatekeeper.ground.errors import UsageError
from gatekeeper.knowledge.file_arrival import filed
from gatekeeper.knowledge.store import FactStore
from gatekeeper.lists import rows
from schemas.codec import Unreadable
from schemas.events import Send
from schemas.topics import FACT_TOPICS, logical_name

SAID_OF_SENDS = ("confirmations", "acts")
"""Topics that files may hold besides the facts: questions to people, and acts of reviewers."""

Line = tuple[int, bytes]
"""A line's number from 1 and its bytes without line break; a line longer than any record is cut."""


class Unread(NamedTuple):
    """An unreadable line of facts, with its fault."""

    file: Path
    line: int
    fault: str


class _Event(NamedTuple):
    topic: str
    key: bytes | None
    value: bytes | None


@contextmanager
def opened(file: Path) -> Iterator[IO[bytes]]:
    """Yields the open file, or stdin for `-`; raises UsageError (2) for one that cannot be opened."""
    if str(file) == "-":
        yield sys.stdin.buffer
        return
    with reading(file):
        handle = file.open("rb")
    with handle:
        yield handle


@contextmanager
def reading(file: Path) -> Iterator[None]:
    """Raises UsageError (2) if the file cannot be read in this block."""
    try:
        yield
    except OSError as error:
        raise UsageError("error.file_unreadable", file=file, detail=error) from None


def lines(handle: IO[bytes], file: Path) -> Iterator[Line]:
    """Yields the lines that are not empty, in bounded memory; raises UsageError (2) if reading fails.

    A byte order mark, which some editors write at the start of a UTF-8 file, is left out.
    """
    with reading(file):
        for number, raw, _ in rows.lines(handle):
            if value := (raw.removeprefix(rows.BOM) if number == 1 else raw).rstrip(b"\r\n"):
                yield number, value


def campaign(handle: IO[bytes], file: Path) -> Iterator[tuple[int, bytes | Unreadable]]:
    """Yields the sends of a campaign as JSON, with line numbers, from a JSONL file or a CSV file (`.csv`).

    A CSV file has field names in its first line. `contact_point.id` is a field within a field, `match.0.token` one
    within a list. An empty cell is an absent field, and `v` may be left out.
    Raises UsageError (2) if the columns are not those of a send.
    """
    return _rows(handle, file) if file.suffix.lower() == ".csv" else lines(handle, file)


def fold(paths: Iterable[Path], store: FactStore, *, at: int, zone: str) -> Iterator[Unread | None]:
    """Loads facts from files into a store, and yields for each line None or its fault.

    A path is a file with one event a line, `{"topic", "key"?, "value"}`. Or it is a folder with a file of values for
    each topic, such as `sources.jsonl`. A line without a known topic is refused, and the person in it is withheld.
    `at`, `zone`: as for `filed`.
    Raises UsageError (2) for a missing file, because missing facts must never clear a send.
    """
    for number, (file, topic) in enumerate([pair for path in paths for pair in _fact_files(path)]):
        with opened(file) as handle:
            for line, value in lines(handle, file):
                event = _Event(topic, None, value) if topic else _event(value)
                # a resolution refers to an offset on a broker, which a file does not have
                if event.topic == "reference" and _resolves(event.value or b""):
                    fault = None
                else:
                    fault = store.apply(filed((event.topic, number, line), event.key, event.value, at=at, zone=zone))
                yield Unread(file, line, fault) if fault else None


def _fact_files(path: Path) -> Iterator[tuple[Path, str | None]]:
    if not path.is_dir():
        yield path, None
        return
    for topic in FACT_TOPICS:
        yield path / f"{topic}.jsonl", topic
    for topic in SAID_OF_SENDS:
        if (file := path / f"{topic}.jsonl").exists():
            yield file, topic


def _event(line: bytes) -> _Event:
    try:
        event = jiter.from_json(line, allow_inf_nan=False, catch_duplicate_keys=True)
        topic, key, value = logical_name(event["topic"]), event.get("key"), event["value"]
        if topic in (*FACT_TOPICS, *SAID_OF_SENDS) and event.keys() <= {"topic", "key", "value"}:
            written = None if value is None else orjson.dumps(value)
            return _Event(topic, None if key is None else key.encode(), written)
    except (ValueError, LookupError, TypeError, AttributeError):
        pass
    return _Event("consents", None, line)


def _resolves(value: bytes) -> bool:
    try:
        return bool(orjson.loads(value)["kind"] == "resolution")
    except (ValueError, LookupError, TypeError):
        return False


def _rows(handle: IO[bytes], file: Path) -> Iterator[tuple[int, bytes | Unreadable]]:
    with reading(file):
        encoding = rows.survey(handle).encoding
        handle.seek(0)
        columns: list[str] = []
        # each line alone: no field of a send holds a line break, and an open quote must not take the next line
        for number, raw, _ in rows.lines(handle):
            cells = _cells(raw, encoding)
            if not columns:
                columns = _columns([] if isinstance(cells, str) else cells, file)
            elif isinstance(cells, str):
                yield number, Unreadable(cells)
            elif len(cells) == len(columns):
                yield number, orjson.dumps(_nested(zip(columns, cells, strict=True)))
            elif cells:
                yield number, Unreadable("cells_differ")


def _cells(raw: bytes, encoding: rows.Encoding) -> list[str] | str:
    """The cells of a line, or a key of texts/row.toml if it cannot be read."""
    written = rows.decoded(raw, encoding)
    if written is None:
        return "not_encoded"
    try:
        return [cell.strip() for cell in next(csv.reader([written], strict=True), [])]
    except csv.Error:
        return "not_csv"


def _columns(columns: list[str], file: Path) -> list[str]:
    """The columns of a campaign, checked: a file without header must not pass as one with it."""
    tops = {column.partition(".")[0] for column in columns}
    wanted = [name for name, field in Send.model_fields.items() if field.is_required() and name != "v"]
    if missing := [name for name in wanted if name not in tops]:
        raise UsageError("error.columns_missing", file=file, columns=", ".join(missing))
    for index, column in enumerate(columns):
        others = (*columns[:index], *columns[index + 1 :])
        taken = any(other == column or other.startswith(f"{column}.") for other in others)
        if taken or column.partition(".")[0] not in Send.model_fields:
            # a column's name may be anything, even personal data, so the error gives its number
            raise UsageError("error.column_wrong", file=file, column=index + 1)
    return columns


def _nested(row: Iterable[tuple[str, str]]) -> dict[str, Any]:
    event: dict[str, Any] = {"v": 1}
    for column, cell in row:
        if cell:
            *path, name = column.split(".")
            inner = event
            for part in path:
                inner = inner.setdefault(part, {})
            inner[name] = int(cell) if name in ("v", "score") and cell.isdecimal() else cell
    return {name: _listed(value) for name, value in event.items()}


def _listed(value: Any) -> Any:
    """The value with a list in place of each object whose names are all numbers."""
    if not isinstance(value, dict):
        return value
    inner = {name: _listed(part) for name, part in value.items()}
    if all(name.isdecimal() for name in inner):
        return [inner[name] for name in sorted(inner, key=int)]
    return inner
