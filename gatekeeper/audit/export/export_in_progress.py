"""The folder in which an export grows until it is whole: `OUT.part`, beside the place that it takes then.

It holds compressed files that are written line by line, in members. What was cut off goes on behind the last member
of each that was written down, where all up to there still is what it was.
"""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from stat import S_IMODE
from typing import Any, Self, cast

from gatekeeper.errors import UnavailableError, UsageError
from schemas.audit import Count, Digest
from schemas.values import Model

LEVEL = 6
"""Of compression: against 1 it saves a fifth of the room and of the time to read it, and costs some when writing."""
PROGRESS = "progress"
"""The folder in `OUT.part` where whoever calls may keep what going on needs; it is no part of an export."""
_CHUNK = 1 << 20
_GROWING = frozenset(("records", "manifests", PROGRESS))
_OURS = _GROWING | {"export.json", "log", "keys", "policies", "reference", "schemas", "verify.py"}


class Written(Model):
    """What a file holds up to the end of a member: so many bytes, and their SHA-256 in hex."""

    length: Count
    sha256: Digest


class Files(Model):
    """What the two files of a partition hold."""

    manifests: Written
    records: Written


class Standing(Model):
    """Where in a partition an export stands: its last link that is written, and what the files hold up to there."""

    partition: Count
    offset: Count
    hash: Digest
    files: Files


class Begun(Model):
    """How far an export came: the partitions that are written, the one that is being written, and what was met there.

    `left`, `manifests` and `records` count as an `Exported` does; `policies` and `reference` are hashes to be exported.
    """

    done: dict[Count, Files]
    standing: Standing | None
    manifests: Count
    records: Count
    left: Count
    policies: list[Digest]
    reference: list[Digest]


def part_of(out: Path, *, user: int) -> Path:
    """Returns the folder in which an export grows until it is whole.

    `user`: the number of the one who calls. Raises UsageError (2) where it could not take its place then, that holds
    something, or the folder is somebody else's or open to others; UnavailableError (3) where the disk refuses.
    """
    with disk(out):
        if out.name in ("", "..") or out.is_symlink() or out.is_mount():
            raise UsageError("error.export_place", folder=out)
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise UsageError("error.export_there", folder=out)
        part = out.with_name(f"{out.name}.part")
        if part.is_symlink() or part.is_mount():
            raise UsageError("error.export_place", folder=part)
        if part.is_dir():
            found = part.stat()
            if found.st_uid != user or found.st_mode & 0o022:
                raise UsageError("error.export_open", folder=part, mode=f"{S_IMODE(found.st_mode):03o}")
        if part.exists() and not (part.is_dir() and {file.name for file in part.iterdir()} <= _OURS):
            raise UsageError("error.export_there", folder=part)
    return part


def cleared(part: Path, *, keep: bool) -> None:
    """Makes the folder, its owner's alone, and takes from it what is left of a run that was cut off.

    `keep`: but for what grows, which the next goes on with. Raises UnavailableError (3) where the disk refuses.
    """
    with disk(part):
        part.mkdir(parents=True, exist_ok=True)
        part.chmod(0o700)  # what goes on trusts it
        for file in part.iterdir():
            if not keep or file.name not in _GROWING or file.is_symlink():
                file.unlink() if file.is_symlink() or not file.is_dir() else shutil.rmtree(file)
        (part / PROGRESS).mkdir(exist_ok=True)


def placed(part: Path, out: Path) -> None:
    """Puts the folder, which is whole, in its place. Raises UnavailableError (3) where the disk refuses."""
    with disk(out):
        if out.exists():
            out.rmdir()
        part.replace(out)
        out.chmod(S_IMODE((out / "schemas").stat().st_mode))  # as any folder that is made here
    shutil.rmtree(out / PROGRESS, ignore_errors=True)  # last, that it goes on wherever it is killed


@contextmanager
def disk(file: Path, key: str = "error.disk") -> Iterator[None]:
    """Turns what a disk refuses in the block into UnavailableError (3), which names the file; `key`: its sentence."""
    try:
        yield
    except OSError as error:
        raise UnavailableError(key, path=error.filename or file, detail=error) from None


class Lines:
    """A gzip file that is written line by line, in members; what was added since `mark` can be cut off again.

    It goes on behind what is demanded to be there; what follows that is cut off.
    """

    def __init__(self, folder: Path, kind: str, number: int, sync: Callable[[Path], None]) -> None:
        self._folder, self._path, self._sync = folder, folder / kind / f"{number}.ndjson.gz", sync
        self._length, self._hash = 0, sha256()
        self._marked: tuple[int, Any, int] | None = None
        self._count = 0

    def demand(self, written: Written, *, ended: bool = False) -> None:
        """Takes in what was written; raises UsageError (2) where the file no longer holds it, or holds more if ended.

        Raises UnavailableError (3) where it cannot be read.
        """
        with disk(self._path, "error.disk_unread"):
            there = self._path.is_file() and not self._path.is_symlink()
            size = self._path.stat().st_size if there else -1
            if size >= written.length:
                with self._path.open("rb") as file:
                    while chunk := file.read(min(_CHUNK, written.length - self._length)):
                        self._took(chunk)
        if (self._length, self._hash.hexdigest()) != (written.length, written.sha256) or (
            ended and size > self._length
        ):
            raise UsageError("error.export_cut", file=self._path, folder=self._folder)

    def __enter__(self) -> Self:
        with disk(self._path):
            self._path.parent.mkdir(exist_ok=True)
            self._file = self._path.open("r+b" if self._length else "wb")
            self._file.truncate(self._length)
            self._file.seek(self._length)
            self._sync(self._path.parent)
            self._sync(self._folder)
            self._member()
        return self

    def __exit__(self, *_: object) -> None:
        with disk(self._path):
            self._lines.close()
            self._file.close()

    def write(self, data: bytes) -> int:
        """Takes compressed bytes, as a file does."""
        self._took(data)
        return self._file.write(data)

    def add(self, line: bytes) -> None:
        """Adds a line; raises UnavailableError (3) where the disk refuses, as all that follow."""
        with disk(self._path):
            self._lines.write(line + b"\n")
        self._count += 1

    def mark(self) -> Written:
        """Ends a member and begins another; returns what the file holds with it, and has on the disk."""
        written = self.end()
        self._marked = self._length, self._hash.copy(), self._count
        with disk(self._path):
            self._member()
        return written

    def cut(self) -> int:
        """Cuts off what was added since the mark; returns how many lines."""
        assert self._marked is not None
        with disk(self._path):
            self._lines.close()
            self._file.truncate(self._marked[0])
        self._length, self._hash, count = self._marked
        return self._count - count

    def end(self) -> Written:
        """Ends the last member; returns what the file holds, and has on the disk."""
        with disk(self._path):
            self._lines.close()
            self._file.flush()
            self._sync(self._path)
        return Written(length=self._length, sha256=self._hash.hexdigest())

    def _took(self, data: bytes) -> None:
        self._length += len(data)
        self._hash.update(data)

    def _member(self) -> None:
        self._lines = gzip.GzipFile(filename="", mode="wb", fileobj=cast(Any, self), compresslevel=LEVEL, mtime=0)
