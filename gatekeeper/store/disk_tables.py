"""Tables in an LMDB file, which a restart finds again exactly as they were committed (docs/adr/0052-facts-on-disk.md).

Facts have one such file, and the ledger of each partition another.

Changes wait in memory until they are committed together, so a commit is whole or it is not there. A look-up finds what
waits first.
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

import lmdb
import structlog

from gatekeeper.ground.errors import RestartError, UnavailableError
from gatekeeper.store.disk_table import MAC_BYTES, Changes, DiskTable, SpoiltError
from gatekeeper.store.faults import Faults, clear, met
from gatekeeper.store.file_system import demand_local

log = structlog.get_logger(__name__)

MAP_BYTES = 1 << 38
"""Size of the map: addresses, not memory or disk. No file of a machine's people comes near."""
MAX_TABLES = 32
READ_BYTES = 1 << 20
FOLDERS = 64
"""Processes that may share a folder, at most; each has a numbered one in it."""
_FILE, _LOCKS, _SPOILT, _ASIDE = "data.mdb", "lock.mdb", "spoilt", "unopened.mdb"
_IDENTITY, _GENERATION = b"identity", b"generation"
_OF_THE_FILE = (errno.EIO, errno.EINVAL)
"""System errors by which opening fails for a bad sector, or for a size that a damaged page gives."""


class DiskTables:
    """The tables in the first folder below `home` that no other process has; made anew unless they fit.

    `identity`: says of which system and form the tables are. Tables of another one are deleted, and so are those that
    were found spoilt. So are those whose last process met a fault. `key`: secret bytes, at most 64, for the hashes.
    `spoilt`: as of `DiskTable`. `what`: "facts" or "ledger", the beginning of the events in the log. `faults`: those of
    this process. `guarded`: as of `DiskTable`, by the table's name. A file that cannot be opened is kept as
    `unopened.mdb`. It takes the place of an earlier one.
    Raises UnavailableError (3) if the disk fails or all folders are taken, UsageError (2) for a network file system.
    Not for use in a process that is forked afterwards.
    """

    def __init__(
        self,
        home: Path,
        *,
        identity: bytes,
        key: bytes,
        spoilt: bytes,
        what: str = "facts",
        faults: Faults | None = None,
        guarded: Mapping[str, Callable[[bytes], bool]] | None = None,
    ) -> None:
        self.spoilt: set[str] = set()
        """The tables in which spoilt values were found, or why else the next start makes all anew."""
        self._identity, self._key, self._value, self._what = identity, key, spoilt, what
        self._faults, self._guarded = faults, guarded or {}
        self._tables: dict[str, DiskTable] = {}
        try:
            home.mkdir(parents=True, exist_ok=True, mode=0o700)
            demand_local(home)
            self.folder, lock = _taken(home)
        except OSError as error:
            raise UnavailableError("error.disk", path=home, detail=error) from None
        self._lock: int | None = lock
        try:
            self._open()
        except BaseException:
            os.close(lock)
            raise

    def table(self, name: str) -> DiskTable:
        """The table of a name, the same at each call; raises SpoiltError if a damaged page hides it."""
        if name not in self._tables:
            begun = blake2b(name.encode(), digest_size=MAC_BYTES, key=self._key, person=b"gate/facts/1")
            try:
                self._tables[name] = DiskTable(
                    name, self._env, begun, self._value, self.give_up, self._guarded.get(name)
                )
            except lmdb.Error as error:
                if not _damaged(error):
                    raise UnavailableError("error.disk", path=self.folder, detail=error) from None
                raise SpoiltError(name) from None
        return self._tables[name]

    journal = table

    @property
    def changed_bytes(self) -> int:
        """The bytes that wait for a commit, about."""
        return sum(table.changed_bytes for table in self._tables.values())

    def cut(self) -> list[tuple[DiskTable, Changes]]:
        """Ends the changes of the next commit. At most one commit may be under way."""
        return [(table, table.cut()) for table in self._tables.values()]

    def commit(self, cut: list[tuple[DiskTable, Changes]]) -> None:
        """Writes the changes of a cut to the disk, all or none; may run in a thread of its own.

        Raises UnavailableError (3) if the disk fails or is full. Raises RestartError (70) if a page is damaged, and the
        next start makes the file anew.
        """
        self._committing = secrets.token_bytes(16)
        try:
            with self._env.begin(write=True) as txn:
                txn.put(_GENERATION, self._committing)
                for table, changes in cut:
                    table.write(txn, changes)
        except (lmdb.Error, OSError) as error:  # LMDB calls it EIO, too, if a disk has no room for all of a page
            if _code(error) > 0:
                raise UnavailableError("error.disk", path=self.folder, detail=error) from None
            self.give_up("damaged")
            raise RestartError("error.copy_damaged", folder=self.folder) from None
        for table, _ in cut:
            table.committed()
        self._generation = self._committing

    @property
    def there(self) -> bool:
        """False if the file was deleted or replaced since it was opened."""
        return _inode(self.folder / _FILE) == self._inode

    @property
    def readable(self) -> bool:
        """Tells whether the disk gives the whole file. A bad sector is an error here, and a signal in the map."""
        try:
            with (self.folder / _FILE).open("rb", buffering=0) as file:
                while file.read(READ_BYTES):
                    pass
        except OSError:
            return False
        return True

    def fault_in(self, names: Iterable[str]) -> str | None:
        """The reason not to believe the tables of these names: "unreadable" or "names"; None if all are whole.

        It reads the whole file, so call it in a thread. Raises SpoiltError as `table` does.
        """
        if not self.readable:
            return "unreadable"
        return None if all(self.table(name).whole() for name in names) else "names"

    def demand_there(self) -> None:
        """Raises RestartError (70) if the file was deleted or replaced since it was opened."""
        if not self.there:
            raise RestartError("error.facts_replaced", folder=self.folder)

    def demand_newest(self) -> None:
        """Raises RestartError (70) if the file is not as we committed it last, such as an older copy.

        Each commit writes a generation that memory knows. Call it before and after what is read counts.
        """
        generations = {self._generation, self._committing}
        try:
            with self._env.begin() as read:
                generation = read.get(_GENERATION)
        except lmdb.Error:
            generation = None
        if generation not in generations | {self._generation, self._committing}:  # a commit may have ended meanwhile
            self.give_up("generation")
            raise RestartError("error.facts_replaced", folder=self.folder)

    def unheld(self) -> dict[Path, int]:
        """The bytes of each folder that no process has now. Only the process with the first folder knows of any."""
        sizes: dict[Path, int] = {}
        if self.folder.name != "0":
            return sizes
        for folder in (self.folder.parent / str(number) for number in range(1, FOLDERS)):
            with suppress(OSError):  # deleted meanwhile
                if (handle := _locked(folder)) is not None:
                    os.close(handle)
                    sizes[folder] = sum(file.stat().st_size for file in folder.iterdir())
        return sizes

    def give_up(self, reason: str) -> None:
        """Sees to it that the next start makes all tables anew. `reason`: a table's name, or why else, for the log."""
        if reason not in self.spoilt:
            log.error(f"{self._what}_spoilt", reason=reason)
            self.spoilt.add(reason)
            with suppress(OSError):
                (self.folder / _SPOILT).touch(0o600)

    def wipe(self) -> None:
        """Deletes all tables and begins with empty ones; tables that were handed out are void."""
        self._env.close()
        self._delete()
        self.spoilt.clear()
        self._open()

    def close(self) -> None:
        """Lets the folder go. What was not committed is lost."""
        self._env.close()
        lock, self._lock = self._lock, None
        if lock is None:
            return
        try:
            clear(self.folder)
        finally:
            os.close(lock)

    def _open(self) -> None:
        trace = met(self.folder)
        if trace or (self.folder / _SPOILT).exists():
            log.warning(f"{self._what}_made_anew", reason="fault" if trace else _SPOILT, frames=trace)
            self._delete()
            clear(self.folder)
        if self._faults is not None:
            self._faults.put(self.folder)
        if (fault := self._opened()) is not None:
            log.warning(f"{self._what}_made_anew", reason=fault, folder=str(self.folder))
            self._delete(keep=fault == "unopened")
            if self._opened() is not None:
                raise UnavailableError("error.disk", path=self.folder, detail=_FILE)

    def _opened(self) -> str | None:
        """Opens the file, or makes it. The reason if that cannot be: "unopened", or "identity" for that of another."""
        try:
            self._env = lmdb.open(str(self.folder), map_size=MAP_BYTES, max_dbs=MAX_TABLES, metasync=False, mode=0o600)
        except (lmdb.Error, OSError) as error:
            if _damaged(error):
                return "unopened"
            raise UnavailableError("error.disk", path=self.folder, detail=error) from None
        try:
            self._env.reader_check()
            with self._env.begin(write=True) as txn:
                if txn.stat()["entries"] == 0:
                    txn.put(_IDENTITY, self._identity)
                    txn.put(_GENERATION, secrets.token_bytes(16))
                fault = None if txn.get(_IDENTITY) == self._identity else "identity"
                self._generation = self._committing = txn.get(_GENERATION, b"")
        except (lmdb.Error, OSError) as error:
            if not _damaged(error):
                self._env.close()
                raise UnavailableError("error.disk", path=self.folder, detail=error) from None
            fault = "unopened"
        if fault is not None:
            self._env.close()
            return fault
        self._tables, self._inode = {}, _inode(self.folder / _FILE)
        return None

    def _delete(self, *, keep: bool = False) -> None:
        try:
            if keep:
                (self.folder / _FILE).replace(self.folder / _ASIDE)
            _unlink(self.folder)
        except OSError as error:
            raise UnavailableError("error.disk", path=self.folder, detail=error) from None


def forget(home: Path, *, seconds: float) -> None:
    """Deletes the tables below `home` that nobody has open and nobody has written to for so many seconds."""
    for folder in home.glob("*"):
        with suppress(OSError):
            if time.time() - (folder / _FILE).stat().st_mtime > seconds and (handle := _locked(folder)) is not None:
                try:
                    _unlink(folder)
                    clear(folder)
                finally:
                    os.close(handle)


def _damaged(error: Exception) -> bool:
    """Tells whether an error is of the file, and not of the whole disk or of the machine."""
    code = _code(error)
    return code <= 0 or code in _OF_THE_FILE


def _code(error: Exception) -> int:
    """The number of the system's error; 0 or less for a fault that LMDB finds, such as an unknown form."""
    return getattr(error, "code", None) or getattr(error, "errno", None) or 0


def _unlink(folder: Path) -> None:
    for name in (_FILE, _LOCKS, _SPOILT):
        (folder / name).unlink(missing_ok=True)


def _taken(home: Path) -> tuple[Path, int]:
    """The first numbered folder that nobody writes, and the handle that keeps others out while it is open."""
    for number in range(FOLDERS):
        folder = home / str(number)
        folder.mkdir(exist_ok=True, mode=0o700)
        if (handle := _locked(folder)) is not None:
            return folder, handle
    raise UnavailableError("error.facts_folders_taken", folder=home, most=FOLDERS)


def _locked(folder: Path) -> int | None:
    """The handle that keeps others out of a folder while it is open, None if another process has it."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle


def _inode(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
