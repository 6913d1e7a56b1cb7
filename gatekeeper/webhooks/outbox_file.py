"""The SQLite file of the outbox: its tables, and transactions on it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gatekeeper.ground.errors import UnavailableError, UsageError

FILE = "outbox.sqlite"
BUSY_SECONDS = 10.0
_VERSION = "4"
_SCHEMA = """
BEGIN IMMEDIATE;
CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE position (
    topic TEXT, part INTEGER, next INTEGER, last INTEGER, hash BLOB, PRIMARY KEY (topic, part)
) WITHOUT ROWID;
CREATE TABLE queued (id TEXT PRIMARY KEY, at INTEGER) WITHOUT ROWID;
CREATE TABLE event (number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE, type TEXT, at INTEGER, body BLOB);
CREATE TABLE owed (
    endpoint TEXT, event INTEGER, since INTEGER, next INTEGER, tries INTEGER, answer TEXT, failed INTEGER,
    PRIMARY KEY (event, endpoint)
) WITHOUT ROWID;
CREATE INDEX owed_next ON owed (endpoint, next, event);
CREATE TABLE dead (
    endpoint TEXT, event INTEGER, at INTEGER, tries INTEGER, answer TEXT, PRIMARY KEY (event, endpoint)
) WITHOUT ROWID;
CREATE TABLE gone (endpoint TEXT PRIMARY KEY, at INTEGER) WITHOUT ROWID;
CREATE TABLE told (name TEXT PRIMARY KEY, what TEXT, at INTEGER) WITHOUT ROWID;
CREATE TABLE campaign (id TEXT PRIMARY KEY, last INTEGER, part INTEGER, offset INTEGER, told INTEGER) WITHOUT ROWID;
CREATE TABLE company (campaign TEXT, controller TEXT, PRIMARY KEY (campaign, controller)) WITHOUT ROWID;
CREATE TABLE item (id TEXT PRIMARY KEY, campaign TEXT, mail_date TEXT, due INTEGER) WITHOUT ROWID;
CREATE INDEX item_due ON item (due);
INSERT INTO about VALUES ('version', '4');
COMMIT;
"""


class OutboxFile:
    """The file in a folder; one object for each thread. `demand`: it must be there already.

    `busy`: seconds to wait for a transaction of another process.
    Raises UnavailableError (3) if the disk refuses, and UsageError (2) for a file of another version, or for none.
    """

    def __init__(self, folder: Path, *, demand: bool = False, busy: float = BUSY_SECONDS) -> None:
        self.path = folder / FILE
        if demand and not self.path.exists():
            raise UsageError("error.webhooks_no_outbox", folder=folder)
        with self.disk():
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.path.touch(0o600)
            self.db = sqlite3.connect(self.path, timeout=busy, isolation_level=None, check_same_thread=False)
            self.db.execute("PRAGMA journal_mode = WAL")
            self.db.execute("PRAGMA synchronous = NORMAL")
            if not self.db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                self.db.executescript(_SCHEMA)
        if self.about("version") != _VERSION:
            raise UsageError("error.webhooks_outbox_other", folder=folder)

    def close(self) -> None:
        """Closes the file."""
        self.db.close()

    @contextmanager
    def change(self) -> Iterator[sqlite3.Connection]:
        """A transaction: all that the block writes, or nothing."""
        with self.disk():
            self.db.execute("BEGIN IMMEDIATE")
            try:
                yield self.db
            except BaseException:
                self.db.execute("ROLLBACK")
                raise
            self.db.execute("COMMIT")

    @contextmanager
    def disk(self) -> Iterator[None]:
        """Turns errors of the file in a block into UnavailableError (3)."""
        try:
            yield
        except (OSError, sqlite3.DatabaseError) as error:
            detail = error if isinstance(error, OSError) else str(error)
            raise UnavailableError("error.disk", path=self.path, detail=detail) from None

    def about(self, name: str) -> str | None:
        """A property of the file, None without one."""
        with self.disk():
            row = self.db.execute("SELECT value FROM about WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])
