"""The index of this machine, for commands that answer about one letter, one campaign or one list.

A console keeps it up to date. Where none runs, the command reads on from where the last one ended.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from time import monotonic

from gatekeeper.ground import interruption
from gatekeeper.ground.atomic_store import AtomicStore
from gatekeeper.ground.errors import GatekeeperError
from gatekeeper.ground.settings import Settings
from gatekeeper.index import follower, model
from gatekeeper.index.parts import PARTS
from gatekeeper.policy.packs import load
from streams.client import admin
from streams.client.proven_position import differing
from streams.client.reader import Reader

WAIT_SECONDS = 1.0
"""Seconds that a console is given to take in the records that it has not read yet."""
NEAR = 10_000
"""Distance of offsets up to which it is worth waiting for a console."""
FAR = 200_000
"""Distance of offsets from which a command reads the topics that it needs instead of continuing the index."""
_STEP_SECONDS = 0.05


@contextmanager
def current(settings: Settings, reader: Reader, *topics: str) -> Iterator[sqlite3.Connection | None]:
    """Yields the index as one snapshot that holds all records of these topics at the call, or None.

    Without a console it is continued, if this user may read all of its topics and is not FAR behind. None also stands
    for a missing file, or one of another release or of other topics. So it does where the topics hold other records by
    now. So it does for a file that this user may not read. Raises as `Reader` does.
    """
    path = settings.index / model.FILE
    try:
        opened = _opened(path) if path.exists() else None
    except (OSError, sqlite3.Error):
        opened = None
    if opened is None:
        yield None
        return
    with closing(opened) as db:
        yield (
            db if _ours(db, settings) and _same(db, reader, topics) and _reaches(db, settings, reader, topics) else None
        )


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
    positions = {place: position for place, position in model.positions(db).items() if place[0] in topics}
    return not differing(reader, positions)


def _reaches(db: sqlite3.Connection, settings: Settings, reader: Reader, topics: tuple[str, ...]) -> bool:
    """Begins a snapshot, and tells whether it holds the records; reads on, or waits for a console that does."""
    ends = {(topic, number): end for topic in topics for number, end in reader.ends(topic).items()}
    give_up, continued = monotonic() + WAIT_SECONDS, False
    while True:
        db.execute("BEGIN")
        offsets = {place: position.next for place, position in model.positions(db).items()}
        ahead = sum(max(0, end - offsets.get(place, 0)) for place, end in ends.items())
        if not ahead or not _left(reader, topics, offsets):
            return True
        db.execute("ROLLBACK")
        if continued or ahead > FAR:
            return False
        if continued := _continued(settings):
            continue
        if ahead > NEAR or monotonic() > give_up:
            return False
        interruption.wait(_STEP_SECONDS)


def _continued(settings: Settings) -> bool:
    """Reads on; False if another process does, or this user may not read all topics of the index."""
    folder = settings.index
    try:
        with AtomicStore(folder).alone():
            follower.catch_up(settings, model.Model(folder, PARTS, zone=load(settings.policy).home[0].timezone))
    except GatekeeperError:
        return False
    return True


def _left(reader: Reader, topics: tuple[str, ...], offsets: dict[tuple[str, int], int]) -> bool:
    """Tells whether a committed record stands behind these positions; the ends of transactions are no records."""
    for topic in topics:
        behind = {number: next_ for (name, number), next_ in offsets.items() if name == topic}
        if next(reader.read(topic, behind=behind), None) is not None:
            return True
    return False
