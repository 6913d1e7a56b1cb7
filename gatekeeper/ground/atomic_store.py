"""Atomic, fsynced files below one folder, under a single-writer lock."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from stat import S_ISREG
from tempfile import NamedTemporaryFile

from gatekeeper.ground.errors import UnavailableError

FOREIGN_BYTES = 64 * 1024
NO_FILE = (errno.ELOOP, errno.ENXIO, errno.ENODEV)
"""Error numbers of opening a link, a socket or a device."""


class AtomicStore:
    """Files by name below a folder. Every method raises UnavailableError (3) if the disk fails."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._unsynced: set[Path] = set()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keeps other writers out while the block runs; raises UnavailableError (3) if there is one.

        The lock ends with the process, even after a crash.
        """
        with self._disk(self.folder):
            self._make(self.folder)
            handle = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            raise UnavailableError("error.folder_taken", folder=self.folder) from None
        try:
            yield
        finally:
            os.close(handle)

    def read(self, name: str) -> bytes | None:
        """The content of a file, None without one. A folder or a pipe of that name does not count."""
        path = self.folder / name
        with self._disk(path, "error.disk_unread"):
            try:
                return path.read_bytes() if path.is_file() else None
            except (FileNotFoundError, NotADirectoryError):
                return None

    def foreign(self, name: str) -> bytes | None:
        """The content of a file that others may have written, None without one.

        Raises UnavailableError (3) for a link, a special file, or more than FOREIGN_BYTES. Never waits for a pipe.
        """
        path = self.folder / name
        try:
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                if S_ISREG(os.fstat(handle).st_mode):
                    with open(handle, "rb", closefd=False) as file:
                        content = file.read(FOREIGN_BYTES + 1)
                    if len(content) <= FOREIGN_BYTES:
                        return content
            finally:
                os.close(handle)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            if error.errno not in NO_FILE:
                raise UnavailableError("error.disk_unread", path=path, detail=error) from None
        raise UnavailableError("error.file_foreign", path=path, most=FOREIGN_BYTES // 1024)

    def written_at(self, name: str) -> int | None:
        """The time at which a file was written, in milliseconds since the epoch; None without one."""
        with self._disk(self.folder / name, "error.disk_unread"):
            try:
                return (self.folder / name).stat().st_mtime_ns // 1_000_000
            except (FileNotFoundError, NotADirectoryError):
                return None

    def names(self, folder: str) -> list[str]:
        """The names in a folder, empty without such a folder."""
        with self._disk(self.folder / folder, "error.disk_unread"):
            try:
                return sorted(path.name for path in (self.folder / folder).iterdir())
            except (FileNotFoundError, NotADirectoryError):
                return []

    def write(self, name: str, content: bytes) -> None:
        """Writes a file atomically. The next `publish` puts its directory entry on the disk too."""
        path = self.folder / name
        part = None
        with self._disk(path):
            self._make(path.parent)
            try:
                with NamedTemporaryFile(dir=path.parent, prefix=".", suffix=".part", delete=False) as file:
                    part = Path(file.name)
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                part.chmod(0o644)
                part.replace(path)
            except BaseException:  # an interrupt leaves no half-written file either
                if part is not None:
                    part.unlink(missing_ok=True)
                raise
        self._unsynced.add(path.parent)

    def publish(self, name: str, content: bytes) -> None:
        """Puts all earlier writes on the disk, then writes a file atomically and puts it on the disk too."""
        self._sync()
        self.write(name, content)
        self._sync()

    def remove(self, name: str) -> None:
        """Removes a file, and its folder when empty."""
        path = self.folder / name
        with self._disk(path):
            path.unlink(missing_ok=True)
            if not any(path.parent.iterdir()):
                path.parent.rmdir()
                self._unsynced.discard(path.parent)

    def _make(self, folder: Path) -> None:
        if not folder.is_dir():
            self._make(folder.parent)
            folder.mkdir(exist_ok=True)
            self._unsynced.add(folder.parent)

    def _sync(self) -> None:
        while self._unsynced:
            folder = self._unsynced.pop()
            with self._disk(folder):
                sync(folder)

    @contextmanager
    def _disk(self, path: Path, key: str = "error.disk") -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise UnavailableError(key, path=path, detail=error) from None


def sync(path: Path) -> None:
    """Puts earlier writes to a file or a folder on the disk before it returns; raises OSError if that fails."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
