"""The folder of an export: its files, those that the check opened, and unexpected ones."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from gatekeeper.audit.tlog.notes import Vkey, parse_vkey
from gatekeeper.audit.verify.findings import Trouble
from gatekeeper.audit.verify.input_files import Lines, open_file, read_file

Progress = Callable[[int, int], None]
"""Called with the bytes read so far and the bytes in all."""
HASHED = re.compile(r"(policies|reference)/([0-9a-f]{64})\.(toml|json)")
"""Files that records and manifests name by their hash."""
_FOLDER = re.compile(
    r"(records|manifests|keys|policies|reference|schemas)/|log/(tile/((entries|[0-9]{1,2})/(x[0-9]{3}/){0,6}([0-9]{3}\.p/)?)?)?"
    r"|days/([0-9]{4}-[0-9]{2}-[0-9]{2}/([0-9]{1,9}/)?)?|unfinished/([0-9]{1,9}/)?"
)
"""The folders of an export, and those in them."""
_OF_DAY = re.compile(r"(days/[0-9]{4}-[0-9]{2}-[0-9]{2}|unfinished)/([0-9]{1,9})/(records|manifests)\.ndjson\.gz")
_OF_PARTITION = re.compile(rf"(records|manifests)/[0-9]{{1,9}}\.ndjson\.gz|{_OF_DAY.pattern}")
_UNREAD = re.compile(r"verify\.py|schemas/(audit|manifest)\.json|keys/(log|witness)-[1-9][0-9]{0,5}\.pub")
"""Files of an export that the check never reads, or not always."""


class ExportFolder:
    """Reader of an export's files that remembers the opened ones."""

    def __init__(self, path: Path, progress: Progress) -> None:
        self.names: set[str] = set()
        """All files, by path below the folder."""
        self._path, self._progress, self._done, self._total = path, progress, 0, 1
        self._opened: set[str] = set()
        self._days: dict[str, set[str]] | None = None

    def scan(self, *, by_day: bool) -> None:
        """Lists all files; raises Trouble if a folder cannot be read.

        `by_day`: a partition has one file for each day, not one for all days.
        """
        folders = [""]
        while folders:
            folder = folders.pop()
            try:
                with os.scandir(self._path / folder) as entries:
                    for entry in entries:
                        name = f"{folder}{entry.name}"
                        if _FOLDER.fullmatch(f"{name}/") and entry.is_dir():
                            folders.append(f"{name}/")
                            continue
                        self.names.add(name)
                        if _OF_PARTITION.fullmatch(name) and entry.is_file():
                            self._total += entry.stat().st_size
            except OSError as error:  # else its files would be reported as missing
                raise Trouble("file", file=folder or ".", detail=error.strerror) from None
        if by_day:
            self._days = {}
            for match in filter(None, map(_OF_DAY.fullmatch, self.names)):
                self._days.setdefault(match[2], set()).add(match[1])

    def misnamed(self) -> Iterator[str]:
        """Yields the files whose content does not have the hash in their name."""
        for name in sorted(self.names):
            if (match := HASHED.fullmatch(name)) and sha256(self.read(name)).hexdigest() != match[2]:
                yield name

    def read(self, name: str) -> bytes:
        """The bytes of a file; raises Trouble as `read_file` does."""
        self._opened.add(name)
        return read_file(self._path, name)

    @contextmanager
    def lines(self, kind: str, number: int) -> Iterator[Lines]:
        """Yields the lines of a partition's `records` or `manifests`, day after day, the unfinished one last."""
        names = [f"{kind}/{number}.ndjson.gz"]
        if self._days is not None:
            folders = sorted({"unfinished", *self._days.get(str(number), ())})
            names = [f"{folder}/{number}/{kind}.ndjson.gz" for folder in folders]
        self._opened.update(names)
        with closing(self._files(names)) as files:
            yield Lines(files, self._tell)

    def _files(self, names: list[str]) -> Generator[tuple[str, BinaryIO], None, None]:
        for name in names:
            with open_file(self._path, name) as file:
                yield name, file

    def keys(self, role: str) -> dict[str, Vkey]:
        """The public keys of a role by NAME+HASH; raises Trouble for a file without a key."""
        keys = {}
        for name in sorted(name for name in self.names if re.fullmatch(rf"keys/{role}-[1-9][0-9]{{0,5}}\.pub", name)):
            try:
                key = parse_vkey(self.read(name).decode("ascii"))
            except ValueError:
                raise Trouble("key", file=name) from None
            keys[key.kid] = key
        return keys

    def lacking(self, needed: set[str]) -> list[str]:
        """The missing files and folders of `needed`. A folder is present if a hashed file is in it."""
        filled = {f"{match[1]}/" for match in map(HASHED.fullmatch, self.names) if match}
        return sorted(needed - self.names - filled)

    def strangers(self) -> list[str]:
        """Files that the check neither opened nor expects in an export."""
        return sorted(name for name in self.names - self._opened if not _UNREAD.fullmatch(name))

    def _tell(self, count: int) -> None:
        self._done += count
        self._progress(self._done, self._total)


def of_partition(name: str) -> bool:
    """Tells whether a file has the name of a partition's records or manifests."""
    return _OF_PARTITION.fullmatch(name) is not None


def top_of(name: str) -> str:
    """The folder of an export in which a file lies, `.` for a file that lies elsewhere."""
    top = f"{name.partition('/')[0]}/"
    return top if _FOLDER.fullmatch(top) else "."
