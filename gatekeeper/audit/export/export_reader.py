"""Reads an export: the folder that `gatekeeper audit export` writes and `gatekeeper audit verify` checks.

`export.json`, `records.ndjson.gz` and `manifests.ndjson.gz` in `days/DAY/P/` and in `unfinished/P/`, `log/`, `keys/`,
`policies/SHA256.toml`, `reference/SHA256.json`, `schemas/` and `verify.py`. An export of version 1 has one file for all
days of a partition: `records/P.ndjson.gz` and `manifests/P.ndjson.gz`.
"""

from __future__ import annotations

import base64
import re
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from stat import S_ISREG
from typing import Any, NamedTuple

import orjson

from gatekeeper.audit.checks.trail import Link, PersonLine, link
from gatekeeper.audit.tlog.canonical_json import is_place
from gatekeeper.audit.tlog.ranges import MAX_PARTITIONS
from gatekeeper.audit.verify.findings import Trouble
from gatekeeper.audit.verify.input_files import Lines
from gatekeeper.ground.errors import IntegrityError
from gatekeeper.ground.times import instant
from schemas.topics import DAY_MS

DAYS, UNFINISHED = "days", "unfinished"
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


PEOPLE = "staff.ndjson"
"""The file of the people who signed acts."""


class Finished(NamedTuple):
    """The last finished day of a partition, and its last manifest: offset, value and leaf number."""

    day: str
    offset: int
    value: bytes
    leaf: int


class ExportReader:
    """Reader of an export. It trusts the files, so verify them first.

    Raises IntegrityError (4) if a file is missing or cannot be read.
    """

    def __init__(self, path: Path, *, since: int | None = None, to: int | None = None) -> None:
        """`since`, `to`: skips days that lie wholly before `since` or after `to` (milliseconds)."""
        self.path = path
        self._first = "" if since is None else instant(since)[:10]
        # after a clock went back at midnight, a day's files may hold manifests of the day before
        self._last = "~" if to is None else instant(to + DAY_MS)[:10]
        with reading(path / "export.json") as file:
            self.about: dict[str, Any] = orjson.loads(file.read_bytes())
            self._partitions, self._version = self.about["partitions"], self.about["v"]
            if type(self._partitions) is not int or not 0 < self._partitions <= MAX_PARTITIONS:
                raise ValueError("a number of partitions")
            if self._version not in (1, 2):
                raise ValueError("a version")

    def partitions(self) -> list[int]:
        """The numbers of all partitions."""
        return list(range(self._partitions))

    def links(self, partition: int) -> Iterator[Link]:
        """Yields a partition's links in order, each with its records; raises as `checks.trail.link` does.

        Raises IntegrityError (4) at the end if records remain that no manifest covers.
        """
        records, offset = (line for _, line in self._lines("records", partition)), 0
        for file, line in self._lines("manifests", partition):
            with reading(file):
                fields = orjson.loads(line)
                value, signature = fields["value"].encode(), base64.b64decode(fields["sig"] or "")
                if not is_place(offset := fields["offset"]):
                    raise ValueError("a place is a number")
                yield link(partition, offset, value, signature, records, index=fields["index"])
        if next(records, None) is not None:
            raise IntegrityError("error.trail_order", partition=partition, offset=offset)

    def people(self) -> list[PersonLine]:
        """The people of the export; none in an export of an earlier release."""
        people = []
        for line in (self._stored(self.path / PEOPLE) or b"").splitlines():
            with reading(self.path / PEOPLE):
                fields = orjson.loads(line)
                value = fields["value"].encode()
                people.append(PersonLine(fields["partition"], fields["offset"], fields["timestamp"], value))
        return people

    def policy(self, sha256: str) -> bytes | None:
        """The bytes of a policy version by their SHA-256 in hex, None if they were not exported."""
        return self._stored(self.path / "policies" / f"{sha256}.toml")

    def reference(self, sha256: str) -> bytes | None:
        """The bytes of a record of `reference` by their SHA-256 in hex, None if they were not exported."""
        return self._stored(self.path / "reference" / f"{sha256}.json")

    def _stored(self, file: Path) -> bytes | None:
        try:
            file.lstat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError:
            pass  # the read below raises the cause
        with reading(file):
            return file.read_bytes()

    def _lines(self, kind: str, partition: int) -> Iterator[tuple[Path, bytes]]:
        for path in self._files(kind, partition):
            with reading(path), path.open("rb") as file:
                lines = Lines(iter([(path.name, file)]))
                for line in iter(lines.line, None):
                    yield path, line

    def _files(self, kind: str, partition: int) -> list[Path]:
        if self._version == 1:
            return [self.path / kind / f"{partition}.ndjson.gz"]
        days = [day for day in days_of(self.path, partition) if self._first <= day.parent.name <= self._last]
        return [folder / f"{kind}.ndjson.gz" for folder in (*days, self.path / UNFINISHED / str(partition))]


def days_of(path: Path, partition: int) -> list[Path]:
    """The folders of a partition's finished days, in order."""
    return sorted(folder for folder in path.glob(f"{DAYS}/*/{partition}") if DAY.fullmatch(folder.parent.name))


def last_finished(*paths: Path) -> dict[int, Finished]:
    """The last finished day of each partition; the days may be in more than one folder.

    Raises IntegrityError (4) if the last day of a partition cannot be read.
    """
    numbers = {folder.name for path in paths for folder in path.glob(f"{DAYS}/*/*")}
    finished = {}
    for partition in (int(name) for name in numbers if name.isdecimal()):
        days = [folder for path in paths for folder in days_of(path, partition)]
        if days:
            finished[partition] = _last(max(days, key=lambda day: day.parent.name))
    return finished


def _last(folder: Path) -> Finished:
    file = folder / "manifests.ndjson.gz"
    with reading(file), file.open("rb") as opened:
        lines = Lines(iter([(file.name, opened)]))
        fields = orjson.loads(deque(iter(lines.line, None), maxlen=1)[0])
        if not (is_place(fields["offset"]) and is_place(fields["index"])):
            raise ValueError("a place is a number")
        return Finished(folder.parent.name, fields["offset"], fields["value"].encode(), fields["index"])


@contextmanager
def reading(file: Path) -> Iterator[Path]:
    """Yields a regular file; raises IntegrityError (4) for any other file, and for read errors in the block."""
    try:
        if not S_ISREG(file.stat().st_mode):
            raise IntegrityError("error.export_file", file=file, detail="no regular file")
        yield file
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        detail = error if isinstance(error, OSError) else type(error).__name__
        raise IntegrityError("error.export_file", file=file, detail=detail) from None
    except Trouble as trouble:
        raise IntegrityError("error.export_file", file=file, detail=trouble.code) from None
