"""The read model: a SQLite file built from the topics alone; a deleted file is built again.

One transaction writes the rows of a record together with the position in its topic. The file is rebuilt when the schema
changes, or when it was built from other topics. The file holds no contact details.

An erased person is gone from the file and its log with the next checkpoint (gatekeeper.index.recipients).
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from hashlib import sha256
from hmac import digest
from pathlib import Path
from secrets import token_hex
from uuid import uuid4

import structlog

from gatekeeper.ground.errors import UnavailableError
from gatekeeper.index import recipients
from gatekeeper.index.part import Incoming, Part, Taker, Writing
from schemas.record import Record
from streams.client.proven_position import Place, ProvenPosition

log = structlog.get_logger("console")
BUSY_SECONDS = 10.0
FILE = "index.sqlite"
"""Name of the file in the console's data folder."""
_OWN = (
    """
CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE position (
    topic TEXT, part INTEGER, next INTEGER, last INTEGER, hash BLOB, PRIMARY KEY (topic, part)
) WITHOUT ROWID;
"""
    + recipients.SCHEMA
)
_ODD = (
    *(ValueError, TypeError, LookupError, AttributeError, ArithmeticError),
    *(sqlite3.ProgrammingError, sqlite3.InterfaceError, sqlite3.IntegrityError, sqlite3.DataError),
)
"""Errors that a foreign record may raise in a taker; errors of the disk are not among them."""


class Model:
    """Read model of a console: any thread reads the file, one thread writes; `zone`: the time zone of days."""

    def __init__(self, folder: Path, parts: Sequence[Part], *, zone: str) -> None:
        self.path = folder / FILE
        self.generation = ""
        """The id of this build of the model; numbers of changes are valid within one build only."""
        self.skipped = 0
        """The number of failures of a part to take in a record, since the start."""
        self._parts = tuple(parts)
        self._zone = zone
        self._schema = _schema(self._parts)
        self._version = version(self._parts)
        self._local = threading.local()
        self._opening = threading.Lock()
        self._inode = -1
        self._key = b""
        self._naming = tuple(table for part in self._parts for table in part.naming)
        self._unscrubbed = False
        self.topics = tuple(dict.fromkeys(topic for part in self._parts for topic in part.takers))
        with _disk(folder):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._open()

    def begin(self, system: str) -> None:
        """Makes sure that the model belongs to these topics (`system` identifies them); otherwise rebuilds it."""
        with self.read() as db:
            if about(db, "system") == system:
                return
        if self.positions():
            self.reset()
        with self.read() as db, db:
            db.execute("INSERT OR REPLACE INTO about VALUES ('system', ?)", (system,))

    def reset(self) -> None:
        """Deletes the file and creates an empty model; raises UnavailableError (3) when the disk refuses."""
        with _disk(self.path):
            self._delete()
        self._open()

    @property
    def lost(self) -> bool:
        """True when the file was deleted or replaced."""
        try:
            return self.path.stat().st_ino != self._inode
        except OSError:
            return True

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Yields this thread's connection as one snapshot, which nested calls of `read` share.

        Raises UnavailableError (3) when the file cannot be read or written.
        """
        begun: sqlite3.Connection | None = getattr(self._local, "db", None)
        try:
            if begun and begun.in_transaction:
                yield begun
                return
            if getattr(self._local, "generation", None) != self.generation:
                self._local.db, self._local.generation = self._connect(), self.generation
            db: sqlite3.Connection = self._local.db
            db.execute("BEGIN")
            try:
                yield db
            finally:
                db.rollback()
        except sqlite3.OperationalError as error:
            self._local.generation = None
            raise UnavailableError("error.disk", path=self.path, detail=str(error)) from None

    def positions(self) -> dict[Place, ProvenPosition]:
        """The position in each topic and partition already read."""
        with self.read() as db:
            return positions(db)

    def take(self, records: Iterable[Record]) -> None:
        """Takes in all the records or none, in offset order within each partition; skips records already read.

        A record that a part cannot take leaves no row in that part; it is counted and logged.
        """
        with self.read() as db, db:
            reached = self.positions()
            writing = Writing(db, self._zone, self.changes())
            for record in records:
                place = (record.topic, record.partition)
                before = reached.get(place, ProvenPosition(0))
                if record.offset < before.next:
                    continue
                incoming = Incoming.of(record)
                for part in self._parts:
                    if taker := part.takers.get(record.topic):
                        self._put(taker, writing, incoming)
                if record.topic == "suppressions" and (erasure := recipients.erasing(incoming.stop)):
                    self._erase(writing, erasure, record.timestamp)
                reached[place] = before.behind(record)
            rows = [(*place, *position) for place, position in reached.items()]
            db.executemany("INSERT OR REPLACE INTO position VALUES (?, ?, ?, ?, ?)", rows)
            db.execute("INSERT OR REPLACE INTO about VALUES ('changes', ?)", (str(writing.changes),))
        self.scrub()

    def _erase(self, writing: Writing, erasure: recipients.Erasing, at: int) -> None:
        person = recipients.mark(writing.db, erasure, at)
        if person is not None:
            for part in self._parts:
                if part.erase:
                    part.erase(writing.db, person, at)
            recipients.blank(writing.db, self._naming, person)
            self._unscrubbed = True
        writing.db.execute("INSERT OR REPLACE INTO about VALUES ('erasure', ?)", (str(writing.tick()),))

    def scrub(self) -> None:
        """Empties the file's log after an erasure, because older pages stand in it; a page that reads delays it."""
        if not self._unscrubbed:
            return
        with _disk(self.path), closing(self._connect()) as db:
            self._unscrubbed = bool(db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0])

    def _put(self, taker: Taker, writing: Writing, record: Incoming) -> None:
        writing.db.execute("SAVEPOINT taken")
        try:
            taker(writing, record)
        except _ODD as error:
            writing.db.execute("ROLLBACK TO taken")
            self.skipped += 1
            place = {"topic": record.topic, "partition": record.partition, "offset": record.offset}
            log.warning("console_skipped", error=type(error).__name__, **place)
        writing.db.execute("RELEASE taken")

    def changes(self) -> int:
        """The number of the last change."""
        with self.read() as db:
            return int(about(db, "changes") or 0)

    def erasure(self) -> int:
        """The number of the change that erased a person last, 0 for none. Pages made before it are out of date."""
        with self.read() as db:
            return int(about(db, "erasure") or 0)

    def cursor(self) -> str:
        """The model's state as `generation-change`; the event stream reports changes after it."""
        with self.read() as db:
            return f"{about(db, 'generation')}-{about(db, 'changes') or 0}"

    def forget(self, now: int) -> None:
        """Deletes rows that nobody can act on any more at that instant, in milliseconds."""
        with self.read() as db, db:
            for part in self._parts:
                if part.forget:
                    part.forget(db, now)
            recipients.blank(db, self._naming)

    def _open(self) -> None:
        with self._opening, _disk(self.path):
            if self._is_another():
                self._delete()
            with closing(self._connect()) as db:
                if not db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                    rows = (("version", self._version), ("generation", uuid4().hex[:8]), ("key", token_hex(32)))
                    db.executescript(f"BEGIN; {self._schema}")
                    db.executemany("INSERT INTO about VALUES (?, ?)", rows)
                    db.commit()
                self.path.chmod(0o600)
                self._inode = self.path.stat().st_ino
                self._key = bytes.fromhex(about(db, "key"))
                self.generation = about(db, "generation")
                db.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # an erasure may have been the last thing before a crash

    def _is_another(self) -> bool:
        """True for a file that is no database or has another schema; errors of the disk are raised instead."""
        with closing(self._connect()) as db:
            try:
                count = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
                return bool(count) and about(db, "version") != self._version
            except sqlite3.DatabaseError as error:
                if isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode != sqlite3.SQLITE_ERROR:
                    raise
                return True

    def _delete(self) -> None:
        for ending in ("", "-wal", "-shm"):
            self.path.with_name(self.path.name + ending).unlink(missing_ok=True)

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, timeout=BUSY_SECONDS)
        db.row_factory = sqlite3.Row
        try:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")
            db.execute("PRAGMA secure_delete = ON")
            db.create_function("hidden", 1, self._hidden, deterministic=True)
        except sqlite3.DatabaseError:
            pass  # the file is no database: `_open` replaces it
        return db

    def _hidden(self, name: str | None) -> bytes | None:
        """The file's own key says who was erased to nobody without it."""
        return None if name is None else hidden(self._key, name)


def version(parts: Iterable[Part]) -> str:
    """The version of a model with these parts: the hash of their tables."""
    return sha256(_schema(parts).encode()).hexdigest()


def hidden(key: bytes, name: str) -> bytes:
    """A keyed hash of an id or token, 16 bytes."""
    return digest(key, name.encode(), "sha256")[:16]


def positions(db: sqlite3.Connection) -> dict[Place, ProvenPosition]:
    """The position in each topic and partition that a file has read."""
    return {(topic, part): ProvenPosition(*columns) for topic, part, *columns in db.execute("SELECT * FROM position")}


def about(db: sqlite3.Connection, name: str) -> str:
    """One property of the file (`system`, `version`, `key`, ...), "" for an unknown one."""
    row = db.execute("SELECT value FROM about WHERE name = ?", (name,)).fetchone()
    return str(row[0]) if row else ""


def _schema(parts: Iterable[Part]) -> str:
    return _OWN + "".join(part.schema for part in parts)


@contextmanager
def _disk(path: Path) -> Iterator[None]:
    """Turns errors of the disk into UnavailableError (3)."""
    try:
        yield
    except (OSError, sqlite3.OperationalError) as error:
        detail = error if isinstance(error, OSError) else str(error)
        raise UnavailableError("error.disk", path=path, detail=detail) from None
