"""The pieces that this machine handed to print houses, in a file that outlives the cluster.

A restore brings Kafka back to the instant of a backup. What was handed over since is unknown there, and stands in this
file. The decision id of such a piece is the same when it is cleared again. docs/adr/0065-backup.md.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from gatekeeper.ground.errors import UnavailableError
from schemas.topics import CLEARED_DAYS, DAY_MS
from streams.client.reader import Reader
from streams.client.record_hash import record_hash

FILE = "handed.sqlite"
KEPT_MS = 3 * CLEARED_DAYS * DAY_MS
"""Milliseconds for which an id is kept: no clearance lives as long, even one that a restore made older."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS handed (
    log TEXT, did TEXT, run TEXT, at INTEGER, PRIMARY KEY (log, did)
) WITHOUT ROWID;
"""


def log_of(reader: Reader) -> str:
    """The name of a system that a restore keeps: the hash of its first record of `reference`, '' without one.

    A system that is made anew under the same prefix has another name, and the same ids for other pieces.
    """
    first = next(reader.read("reference"), None)
    return record_hash(first).hex() if first else ""


class HandedPieces:
    """The decision ids of one system in the file of a folder. Raises UnavailableError (3) if the disk refuses.

    `log`: names the system, by `log_of`.
    """

    def __init__(self, folder: Path, log: str) -> None:
        self._path, self._log = folder / FILE, log

    def before(self, dids: Iterable[str]) -> dict[str, str]:
        """Those of the pieces that were handed over, each with the run that did it last."""
        query = "SELECT did, run FROM handed WHERE log = ? AND did IN (SELECT value FROM json_each(?))"
        with self._opened() as db:
            return dict(db.execute(query, (self._log, json.dumps([*dids]))))

    def add(self, dids: Collection[str], *, run: str, at: int) -> None:
        """Notes these pieces as handed over by a run. `at`: now, in milliseconds; ids of long ago are forgotten."""
        with self._opened() as db, db:
            db.execute("DELETE FROM handed WHERE at < ?", (at - KEPT_MS,))
            rows = ((self._log, did, run, at) for did in dids)
            db.executemany("INSERT OR REPLACE INTO handed VALUES (?, ?, ?, ?)", rows)

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._path.touch(0o600)
            with closing(sqlite3.connect(self._path)) as db:
                db.execute("PRAGMA synchronous = FULL")
                db.executescript(_SCHEMA)
                yield db
        except (OSError, sqlite3.DatabaseError) as error:
            detail = error if isinstance(error, OSError) else str(error)
            raise UnavailableError("error.disk", path=self._path, detail=detail) from None
