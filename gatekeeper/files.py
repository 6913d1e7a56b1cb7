"""Campaigns and facts as files: what stands on each line, read line by line, and no line ever stops the next."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

import jiter
import orjson

from gatekeeper.errors import UsageError
from gatekeeper.facts import FactStore
from schemas.codec import Unreadable
from schemas.events import Send
from schemas.topics import FACT_TOPICS, MAX_MESSAGE_BYTES, logical_name

LINE_BYTES = MAX_MESSAGE_BYTES - 4096
"""A longer line no broker of ours takes, whatever is in it; the rest is room for the batch around it."""
SAID_OF_SENDS = ("confirmations", "acts")
"""Topics beside the facts that files may hold: what people were asked, and what reviewers said."""

Line = tuple[int, bytes]
"""Its number in the file, from 1, and its bytes without the line break; cut at LINE_BYTES, more than any record has."""


class Unread(NamedTuple):
    """A line of facts that could not be read, and why."""

    file: Path
    line: int
    fault: str


class _Event(NamedTuple):
    topic: str
    key: bytes | None
    value: bytes | None


@contextmanager
def opened(file: Path) -> Iterator[IO[bytes]]:
    """Yields the file, or stdin for `-`; raises UsageError (2) for one that cannot be opened."""
    if str(file) == "-":
        yield sys.stdin.buffer
        return
    try:
        handle = file.open("rb")
    except OSError as error:
        raise UsageError("error.file_unreadable", file=file, detail=error.strerror) from None
    with handle:
        yield handle


def lines(handle: IO[bytes], file: Path) -> Iterator[Line]:
    """Yields what stands on each line that is not empty, in bounded memory; raises UsageError (2) where it fails."""
    number, ended = 0, True
    try:
        # a file without line breaks would be read into memory whole
        while raw := handle.readline(LINE_BYTES):
            begins, ended = ended, raw.endswith(b"\n")
            number += begins
            value = raw.rstrip(b"\r\n") if ended or len(raw) < LINE_BYTES else raw
            if begins and value:
                yield number, value
    except OSError as error:
        raise UsageError("error.file_unreadable", file=file, detail=error.strerror) from None


def campaign(handle: IO[bytes], file: Path) -> Iterator[tuple[int, bytes | Unreadable]]:
    """Yields the sends of a campaign as JSON: a JSONL file as it is, a CSV file (by its name) row by row.

    A CSV file has field names in its first line: `contact_point.id` is a field within a field, `match.0.token` one
    within a list. An empty cell is an absent field, and `v` may be left out. A row is one line.
    Raises UsageError (2) where the columns are not those of a send.
    """
    found = lines(handle, file)
    return _rows(found, file) if file.suffix.lower() == ".csv" else found


def fold(paths: Iterable[Path], store: FactStore) -> Iterator[Unread | None]:
    """Takes facts from files into a store: yields, for each of their lines, None or why it could not be read.

    A path is a file with one event a line, `{"topic", "key"?, "value"}`, or a folder with a file of values for each
    topic, such as `sources.jsonl`. A line that names no topic of ours is refused: whomever it names is withheld.
    Raises UsageError (2) for a file that is not there: nobody may be cleared because it is missing.
    """
    for number, (file, topic) in enumerate([found for path in paths for found in _fact_files(path)]):
        with opened(file) as handle:
            for line, value in lines(handle, file):
                event = _Event(topic, None, value) if topic else _event(value)
                # what a resolution resolves has its place on a broker, and none in a file
                if event.topic == "reference" and _resolves(event.value or b""):
                    fault = None
                else:
                    fault = store.apply(event.topic, number, line, event.key, event.value)
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
        others = (*columns[:place], *columns[place + 1 :])
        taken = any(other == column or other.startswith(f"{column}.") for other in others)
        if taken or column.partition(".")[0] not in Send.model_fields:
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
