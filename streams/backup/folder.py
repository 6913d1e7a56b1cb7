"""The files of a backup, written once and read whole. The folder grows as `DIR.part`, and gets its name at the end."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import IO

from gatekeeper.ground.atomic_store import sync
from gatekeeper.ground.errors import IntegrityError, UnavailableError, UsageError
from streams.backup.list import StoredFile
from streams.backup.log_image import Readable

_PIECE = 2**20

Told = Callable[[int, int], object]
"""Takes how many offsets or records are done, and how many there are."""


@contextmanager
def growing(out: Path) -> Iterator[Path]:
    """Yields `OUT.part`, for its owner alone; it takes its name once the block is done.

    Raises UsageError (2) if one of both is there already, UnavailableError (3) if the disk refuses.
    """
    part = out.with_name(f"{out.name}.part")
    with disk(out):
        for folder in (out, part):
            if folder.exists() or folder.is_symlink():
                raise UsageError("error.backup_there", folder=folder)
        part.mkdir(mode=0o700, parents=True)
        yield part
        for root, _, names in os.walk(part):
            for name in names:
                sync(Path(root, name))
            sync(Path(root))
        part.rename(out)
        sync(out.absolute().parent)


class HashingFile:
    """A new file below a backup, hashed while it is written."""

    def __init__(self, part: Path, path: str) -> None:
        self._path, self._hash, self._bytes = path, sha256(), 0
        (part / path).parent.mkdir(parents=True, exist_ok=True)
        self._file = (part / path).open("wb")

    def write(self, data: bytes) -> int:
        """Adds bytes."""
        self._hash.update(data)
        self._bytes += len(data)
        return self._file.write(data)

    def close(self) -> StoredFile:
        """The finished file."""
        self._file.close()
        return StoredFile(path=self._path, sha256=self._hash.hexdigest(), bytes=self._bytes)


def copied(source: Path, part: Path, path: str) -> StoredFile:
    """A copy of a file, as a file of the backup."""
    with source.open("rb") as read:
        file = HashingFile(part, path)
        for piece in _pieces(read):
            file.write(piece)
    return file.close()


def demand_whole(folder: Path, file: StoredFile) -> None:
    """Raises IntegrityError (4) unless the file is there, byte for byte."""
    with whole(folder, file) as read:
        for _ in _pieces(read):
            pass


class HashedReader:
    """A file that is hashed while it is read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._hash = file, sha256()

    def read(self, size: int = -1) -> bytes:
        """The next bytes, empty at the end."""
        content = self._file.read(size)
        self._hash.update(content)
        return content

    def sha256(self) -> str:
        """The SHA-256 of what was read."""
        return self._hash.hexdigest()


@contextmanager
def whole(folder: Path, file: StoredFile) -> Iterator[HashedReader]:
    """Yields a file of the backup, to be read to its end.

    Raises IntegrityError (4) if it is missing, or if what was read is not what the list says.
    """
    try:
        opened_ = (folder / file.path).open("rb")
    except OSError:
        raise IntegrityError("error.backup_file_missing", folder=folder, file=file.path) from None
    with opened_:
        read = HashedReader(opened_)
        yield read
        if read.sha256() != file.sha256:
            raise IntegrityError("error.backup_differs", folder=folder, file=file.path)


@contextmanager
def disk(file: Path) -> Iterator[None]:
    """Turns a disk's error in the block into UnavailableError (3), which names the file."""
    try:
        yield
    except OSError as error:
        raise UnavailableError("error.disk", path=error.filename or file, detail=error) from None


def _pieces(file: Readable) -> Iterator[bytes]:
    while piece := file.read(_PIECE):
        yield piece
