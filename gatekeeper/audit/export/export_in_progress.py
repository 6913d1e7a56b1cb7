"""The folder in which an export grows: `OUT.part`, beside `OUT`, until everything was read.

A finished day of a partition is one folder, `days/DAY/PARTITION`. It appears atomically and is never written again. The
manifests after the last finished day are in `unfinished/PARTITION`, which every call writes anew.
"""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from stat import S_IMODE
from typing import Any

import orjson

from gatekeeper.audit.export.export_reader import DAYS, PEOPLE, UNFINISHED, reading
from gatekeeper.ground.atomic_store import sync
from gatekeeper.ground.errors import UnavailableError, UsageError
from gatekeeper.ground.times import span

LEVEL = 6
"""Compression level. Compared with 1 it saves a fifth of space and reading time, and costs some time in writing."""
ABOUT = "export.json"
ADDED = (DAYS, "policies", "reference")
"""Folders that grow from call to call."""
REPLACED = (UNFINISHED, "log", "keys", "schemas", "verify.py", PEOPLE)
"""Folders and files that each call makes anew, like `export.json`."""


def part_of(out: Path, *, user: int) -> Path:
    """The folder in which an export grows until it is complete.

    `user`: the caller's user id. Raises UsageError (2) if the export could not be moved into `out` later. This is so if
    `out` is no folder, or holds something else than an export by day. Raises UsageError (2) also if the folder belongs
    to another user or is writable by others. Raises UnavailableError (3) if the disk refuses.
    """
    with disk(out):
        part = out.with_name(f"{out.name}.part") if out.name not in ("", "..") else out
        for folder in (out, part):
            if folder.name in ("", "..") or folder.is_symlink() or folder.is_mount():
                raise UsageError("error.export_place", folder=folder)
            if folder.exists() and not (folder.is_dir() and _names(folder) <= {ABOUT, *ADDED, *REPLACED}):
                raise UsageError("error.export_there", folder=folder)
        if part.is_dir():
            status = part.stat()
            if status.st_uid != user or status.st_mode & 0o022:
                raise UsageError("error.export_open", folder=part, mode=f"{S_IMODE(status.st_mode):03o}")
    return part


def begun(*folders: Path) -> dict[str, Any] | None:
    """The content of `export.json` in the first of these folders that has one; None without one.

    Raises IntegrityError (4) if the file cannot be read.
    """
    for file in (folder / ABOUT for folder in folders):
        if file.exists():
            with reading(file):
                about: dict[str, Any] = orjson.loads(file.read_bytes())
                if about["v"] != 2 or not all(end is None or span(end, "UTC") for end in (about["from"], about["to"])):
                    raise ValueError("another form")
                return about
    return None


def cleared(part: Path) -> None:
    """Makes the folder for its owner alone, and removes the unfinished part of an earlier call.

    Raises UnavailableError (3) if the disk refuses.
    """
    with disk(part):
        part.mkdir(parents=True, exist_ok=True)
        part.chmod(0o700)  # the next call trusts it
        for file in part.iterdir():
            if file.name not in ADDED or file.is_symlink():
                _removed(file)


def placed(part: Path, out: Path) -> None:
    """Moves everything that grew into the export. Raises UnavailableError (3) if the disk refuses.

    `export.json` is missing until the move is complete, so that nobody takes half an export for a whole one.
    """
    with disk(out):
        out.mkdir(parents=True, exist_ok=True)
        (out / ABOUT).unlink(missing_ok=True)
        for name in ADDED:
            for file in sorted(file for file in (part / name).glob("*/*" if name == DAYS else "*")):
                target = out / file.relative_to(part)
                target.parent.mkdir(parents=True, exist_ok=True)
                file.replace(target)
            (out / name).mkdir(exist_ok=True)
        for name in (*REPLACED, ABOUT):
            _removed(out / name)
            if (part / name).exists():
                (part / name).replace(out / name)
        shutil.rmtree(part)


@contextmanager
def disk(file: Path, key: str = "error.disk") -> Iterator[None]:
    """Turns a disk's error in the block into UnavailableError (3), which names the file. `key`: its sentence."""
    try:
        yield
    except OSError as error:
        raise UnavailableError(key, path=error.filename or file, detail=error) from None


class DayFiles:
    """Manifests and records of a partition since its last finished day. UnavailableError (3): the disk refuses."""

    def __init__(self, part: Path, partition: int) -> None:
        self._part, self._partition = part, str(partition)
        self._folder = part / UNFINISHED / self._partition
        with disk(self._folder):
            self._folder.mkdir(parents=True)
            self._manifests, self._records = self._opened("manifests"), self._opened("records")

    def add(self, manifest: bytes, records: Iterable[bytes]) -> None:
        """Adds the line of a manifest, and its records."""
        with disk(self._folder):
            self._manifests.write(manifest + b"\n")
            for record in records:
                self._records.write(record + b"\n")

    def close(self) -> None:
        """Ends both files."""
        with disk(self._folder):
            for file in (self._manifests, self._records):
                file.close()

    def finish(self, day: str) -> None:
        """Turns the files into a finished day that survives a power cut."""
        self.close()
        target = self._part / DAYS / day / self._partition
        with disk(target):
            for file in (*self._folder.iterdir(), self._folder):
                sync(file)
            target.parent.mkdir(parents=True, exist_ok=True)
            self._folder.replace(target)
            for folder in (target.parent, self._part / DAYS, self._part):
                sync(folder)

    def _opened(self, kind: str) -> gzip.GzipFile:
        # without name and time, so that the same lines give the same bytes
        return gzip.GzipFile(self._folder / f"{kind}.ndjson.gz", "wb", compresslevel=LEVEL, mtime=0)


def _names(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()}


def _removed(file: Path) -> None:
    if file.is_symlink() or not file.is_dir():
        file.unlink(missing_ok=True)
    else:
        shutil.rmtree(file)
