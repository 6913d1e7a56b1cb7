"""The recipients in the read model: each id stands in one row alone, and an erasure overwrites it there.

All other tables hold the number of that row, or a keyed hash of the id. So no page of an index and no free page of the
file keeps a copy. The hash is made with a key of the file (SQL function `hidden`). It finds a person by a typed id.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from dataclasses import dataclass

from gatekeeper.staff import roles
from schemas.events import Suppression

SCHEMA = """
CREATE TABLE person (number INTEGER PRIMARY KEY, hash BLOB, name TEXT);
CREATE INDEX person_by_hash ON person (hash);
CREATE TABLE erased (hash BLOB PRIMARY KEY, at INTEGER, standing INTEGER, readmitted_by TEXT) WITHOUT ROWID;
"""
_BY_ACT = "erase-"
"""Prefix of the suppression ids from `gatekeeper erase`, which also destroyed the pseudonym's key."""
_BLANK = "substr('----------------------------------------------------------------', 1, length(name))"
"""As long as the id: SQLite overwrites a row of the same size in its place, and moves nothing."""


@dataclass(frozen=True, slots=True)
class Erasing:
    """Erasure of a recipient by `gatekeeper erase`, or a readmission by the people in `by`."""

    recipient: str
    by: frozenset[str] | None = None


def erasing(stop: Suppression | None) -> Erasing | None:
    """The erasure or readmission of a recipient that a record of `suppressions` holds, None for any other record."""
    if stop is None or stop.kind != "erasure" or stop.recipient_id is None:
        return None
    if not stop.suppression_id.startswith(_BY_ACT):
        return None
    return Erasing(stop.recipient_id, roles.wanted({"by": stop.by}) if stop.state == "corrected" else None)


def number(db: sqlite3.Connection, recipient: str, at: int) -> int | None:
    """The number of a recipient whom a record of that instant (milliseconds) names; None if erased since."""
    since = db.execute("SELECT at FROM erased WHERE hash = hidden(?)", (recipient,)).fetchone()
    if since and at <= since[0]:
        return None
    row = db.execute("SELECT number FROM person WHERE hash = hidden(?)", (recipient,)).fetchone()
    if row is None:
        return db.execute("INSERT INTO person (hash, name) VALUES (hidden(?1), ?1)", (recipient,)).lastrowid
    return int(row["number"])


def mark(db: sqlite3.Connection, erasure: Erasing, at: int) -> int | None:
    """Writes down an erasure or readmission of that instant; the number of the person to erase, None for none.

    A readmission takes two managers (rule 8.1.40).
    """
    if erasure.by is not None:
        before = db.execute("SELECT readmitted_by FROM erased WHERE hash = hidden(?)", (erasure.recipient,)).fetchone()
        people = {*erasure.by, *(before or ())} - {None}
        db.execute(
            "UPDATE erased SET standing = standing AND ?2, readmitted_by = coalesce(readmitted_by, ?3)"
            " WHERE hash = hidden(?1)",
            (erasure.recipient, len(people) < 2, min(people, default=None)),
        )
        return None
    db.execute("INSERT OR REPLACE INTO erased VALUES (hidden(?), ?, 1, NULL)", (erasure.recipient, at))
    row = db.execute("SELECT number FROM person WHERE hash = hidden(?)", (erasure.recipient,)).fetchone()
    return row["number"] if row else None


def blank(db: sqlite3.Connection, tables: Collection[str], person: int | None = None) -> None:
    """Overwrites the ids and hashes that no row of these tables refers to; `person`: only this one."""
    unused = " AND ".join(f"NOT EXISTS (SELECT 1 FROM {table} WHERE recipient = number)" for table in tables) or "1"
    db.execute(
        f"UPDATE person SET name = {_BLANK}, hash = randomblob(16)"
        f" WHERE (?1 IS NULL OR number = ?1) AND name NOT LIKE '-%' AND {unused}",
        (person,),
    )


def erased(db: sqlite3.Connection, recipient: str) -> int | None:
    """The instant of a person's erasure in milliseconds, None for a person not erased or readmitted."""
    row = db.execute("SELECT at FROM erased WHERE hash = hidden(?) AND standing", (recipient,)).fetchone()
    return row["at"] if row else None
