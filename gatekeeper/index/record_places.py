"""The places of the records about people and decisions, in the read model. A page reads the few that it needs.

The recipient of a letter is known as long as `cleared` or `review` keep the letter. One letter of a person leads to the
others by the pseudonym in their audit records, while these are kept. Erasure removes the recipient from every
letter. Then nothing here links a pseudonym to a person, and a letter only shows that its recipient was erased.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Collection
from dataclasses import dataclass

from gatekeeper.engine.item import KEPT_MS
from gatekeeper.index.part import Incoming, Part, Writing
from gatekeeper.staff.act_kinds import ACT_KINDS
from schemas.events import PairedAct

SCHEMA = """
CREATE TABLE decided (did TEXT PRIMARY KEY, part INTEGER, place INTEGER, subj TEXT, sent BLOB) WITHOUT ROWID;
CREATE INDEX decided_of_subject ON decided (subj) WHERE subj IS NOT NULL;
CREATE INDEX decided_of_send ON decided (sent) WHERE sent IS NOT NULL;
CREATE TABLE linked (one TEXT, other TEXT, PRIMARY KEY (one, other)) WITHOUT ROWID;
CREATE TABLE letter (did TEXT PRIMARY KEY, recipient INTEGER, at INTEGER) WITHOUT ROWID;
CREATE INDEX letter_of_recipient ON letter (recipient) WHERE recipient IS NOT NULL;
CREATE INDEX letter_by_age ON letter (at);
CREATE TABLE fact (
    hash BLOB, topic TEXT, part INTEGER, place INTEGER, PRIMARY KEY (hash, topic, part, place)
) WITHOUT ROWID;
"""
MAX_RECORDS = 200
"""The largest number of records read about one person; the newest are read."""
Places = set[tuple[int, int]]
"""Partitions and offsets on one topic."""
_PSEUDONYM = re.compile("s1_([A-Za-z0-9_-]{12})")
"""The pseudonym's first 12 characters, enough for an index; readers of the records compare the whole."""


@dataclass(frozen=True, slots=True)
class RecordPlace:
    """Place of a decision's audit record: partition and offset on `audit`."""

    did: str
    part: int
    place: int


def _audit(writing: Writing, record: Incoming) -> None:
    value, did = record.json, (record.key or b"").decode("utf-8", "replace")
    match = _PSEUDONYM.match(str(value.get("subj")))
    send = value.get("send")
    sent = send.get("event_id") if isinstance(send, dict) else None
    sent = sent if isinstance(sent, str) else None
    row = (did, record.partition, record.offset, match[1] if match else None, sent)
    writing.db.execute("INSERT OR REPLACE INTO decided VALUES (?, ?, ?, ?, hidden(?))", row)
    act = value.get("act")
    others = {value.get("clearance"), act.get("item") if isinstance(act, dict) else None} - {None, did}
    pairs = [pair for other in others for pair in ((did, other), (other, did))]
    writing.db.executemany("INSERT OR IGNORE INTO linked VALUES (?, ?)", pairs)


def _letter(writing: Writing, record: Incoming) -> None:
    if not (did := record.header("gate-decision-id")):
        return
    row = (did, writing.recipient(_name(record), record.timestamp), record.timestamp)
    writing.db.execute("INSERT OR REPLACE INTO letter VALUES (?, ?, ?)", row)


def _fact(writing: Writing, record: Incoming) -> None:
    _put(writing, record, {_name(record)})


def _suppression(writing: Writing, record: Incoming) -> None:
    readings = record.stop.readings if record.stop else ()
    _put(writing, record, {_name(record), *(reading.token for reading in readings)})


def _act(writing: Writing, record: Incoming) -> None:
    if isinstance(record.act, PairedAct) and ACT_KINDS[record.act.kind].about == "person":
        _put(writing, record, {_name(record)})


def _put(writing: Writing, record: Incoming, names: Collection[str]) -> None:
    rows = [(name, record.topic, record.partition, record.offset) for name in names if name]
    writing.db.executemany("INSERT OR IGNORE INTO fact VALUES (hidden(?), ?, ?, ?)", rows)


def _name(record: Incoming) -> str:
    """The recipient id or token of a record: its key, else the field in its value."""
    if record.key is not None:
        return record.key.decode("utf-8", "replace")
    return str(record.json.get("recipient_id") or record.json.get("token") or "")


def _forget(db: sqlite3.Connection, now: int) -> None:
    db.execute("DELETE FROM letter WHERE at < ?", (now - KEPT_MS,))


def _erase(db: sqlite3.Connection, person: int, at: int) -> None:
    db.execute("UPDATE letter SET recipient = NULL WHERE recipient = ? AND at <= ?", (person, at))


PART = Part(
    SCHEMA,
    {
        "audit": _audit,
        "cleared": _letter,
        "review": _letter,
        "sources": _fact,
        "consents": _fact,
        "suppressions": _suppression,
        "acts": _act,
    },
    _forget,
    ("letter",),
    _erase,
)


def beginning(db: sqlite3.Connection, start: str) -> list[str]:
    """The decision ids that begin with `start`, at most MAX_RECORDS."""
    rows = db.execute("SELECT did FROM decided WHERE did >= ? AND did < ? LIMIT ?", (start, f"{start}~", MAX_RECORDS))
    return [row[0] for row in rows]


def of_send(db: sqlite3.Connection, event_id: str) -> list[str]:
    """The decision ids about sends of this id, at most MAX_RECORDS."""
    rows = db.execute("SELECT did FROM decided WHERE sent = hidden(?) LIMIT ?", (event_id, MAX_RECORDS))
    return [row[0] for row in rows]


def piece(db: sqlite3.Connection, dids: Collection[str]) -> list[RecordPlace]:
    """The audit records of all pieces of these decisions, by partition and offset; beyond MAX_RECORDS the newest."""
    places: dict[str, RecordPlace] = {}
    for did in dids:
        if did not in places:
            rows = db.execute(
                "WITH RECURSIVE piece(id) AS (VALUES (?) UNION SELECT other FROM linked JOIN piece ON one = id)"
                " SELECT did, part, place FROM piece JOIN decided ON did = id ORDER BY part, place DESC LIMIT ?",
                (did, MAX_RECORDS),
            )
            places.update({row["did"]: RecordPlace(*row) for row in rows})
        if len(places) >= MAX_RECORDS:
            break
    return sorted(places.values(), key=lambda place: (place.part, place.place))


def of_person(db: sqlite3.Connection, recipient: str) -> list[str]:
    """The decision ids known to be about a person, the newest first, at most MAX_RECORDS."""
    rows = db.execute(
        "WITH theirs AS (SELECT did FROM letter JOIN person ON number = recipient WHERE hash = hidden(:who))"
        " SELECT did FROM decided WHERE did IN theirs OR subj IN (SELECT subj FROM theirs JOIN decided USING (did))"
        " ORDER BY place DESC LIMIT :most",
        {"who": recipient, "most": MAX_RECORDS},
    )
    return [row[0] for row in rows]


def whose(db: sqlite3.Connection, dids: Collection[str]) -> tuple[str | None, bool]:
    """The recipient of these decisions, None for an unknown one; and True for an erased recipient."""
    marks = ", ".join("?" * len(dids))
    rows = db.execute(
        f"SELECT (SELECT name FROM person WHERE number = recipient) FROM letter WHERE did IN ({marks})"
        f" UNION ALL SELECT (SELECT name FROM person WHERE number = recipient) FROM letter"
        f" JOIN decided USING (did) WHERE subj IN (SELECT subj FROM decided WHERE did IN ({marks}))",
        (*dids, *dids),
    )
    names = [row[0] for row in rows]
    recipient = next((name for name in names if name is not None), None)
    return recipient, recipient is None and bool(names)


def facts(db: sqlite3.Connection, names: Collection[str]) -> dict[str, Places]:
    """The places of records about these recipient ids or tokens, by topic."""
    places: dict[str, Places] = {}
    for name in names:
        for row in db.execute("SELECT topic, part, place FROM fact WHERE hash = hidden(?)", (name,)):
            places.setdefault(row["topic"], set()).add((row["part"], row["place"]))
    return places
