"""The read model of this machine's console, for commands that answer about one letter, one campaign or one list.

A command only reads the file. The console writes it, and may be restarted, or its file deleted, at any time.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from time import monotonic

from gatekeeper.ground import interruption
from gatekeeper.ground.errors import GatekeeperError
from gatekeeper.ground.settings import Settings
from gatekeeper.index import model
from gatekeeper.index.parts import PARTS
from streams.client import admin
from streams.client.proven_position import differing
from streams.client.reader import Reader

WAIT_SECONDS = 1.0
"""Seconds that a console is given to take in the records that it has not read yet."""
NEAR = 10_000
"""Distance of offsets up to which it is worth waiting."""
_STEP_SECONDS = 0.05


@contextmanager
def current(settings: Settings, reader: Reader, *topics: str) -> Iterator[sqlite3.Connection | None]:
    """Yields the model as one snapshot if it holds all records of these topics at the call, else None.

    None also stands for a missing file, or one of another release or of other topics. So it does where the topics hold
    other records by now. So it does for a file that this user may not read. Raises as `Reader` does.
    """
    path = Path(settings.console_data) / model.FILE
    try:
        opened = _opened(path) if path.exists() else None
    except (OSError, sqlite3.Error):
        opened = None
    if opened is None:
        yield None
        return
    with closing(opened) as db:
        yield db if _ours(db, settings) and _same(db, reader, topics) and _reaches(db, reader, topics) else None


def _opened(path: Path) -> sqlite3.Connection | None:
    db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None)
    try:
        db.row_factory = sqlite3.Row
        db.execute("PRAGMA query_only = ON")
        if model.about(db, "version") == model.version(PARTS):
            key = bytes.fromhex(model.about(db, "key"))
            db.create_function("hidden", 1, partial(model.hidden, key), deterministic=True)
            return db
    except sqlite3.Error:
        db.close()
        raise
    db.close()
    return None


def _ours(db: sqlite3.Connection, settings: Settings) -> bool:
    try:
        return model.about(db, "system") == admin.identity(settings)
    except GatekeeperError:  # a user who may read `audit` alone cannot ask for it
        return False


def _same(db: sqlite3.Connection, reader: Reader, topics: tuple[str, ...]) -> bool:
    """Tells whether these topics still hold the records that the model has read."""
    known = {place: one for place, one in model.positions(db).items() if place[0] in topics}
    return not differing(reader, known)


def _reaches(db: sqlite3.Connection, reader: Reader, topics: tuple[str, ...]) -> bool:
    """Begins a snapshot, and tells whether it holds the records; waits for a console that is nearly there."""
    ends = {(topic, number): end for topic in topics for number, end in reader.ends(topic).items()}
    give_up = monotonic() + WAIT_SECONDS
    while True:
        db.execute("BEGIN")
        known = {place: one.next for place, one in model.positions(db).items()}
        ahead = sum(max(0, end - known.get(place, 0)) for place, end in ends.items())
        if not ahead or not _left(reader, topics, known):
            return True
        db.execute("ROLLBACK")
        if ahead > NEAR or monotonic() > give_up:
            return False
        interruption.wait(_STEP_SECONDS)


def _left(reader: Reader, topics: tuple[str, ...], known: dict[tuple[str, int], int]) -> bool:
    """Tells whether a committed record stands behind these positions; the ends of transactions are no records."""
    for topic in topics:
        behind = {number: next_ for (name, number), next_ in known.items() if name == topic}
        if next(reader.read(topic, behind=behind), None) is not None:
            return True
    return False
