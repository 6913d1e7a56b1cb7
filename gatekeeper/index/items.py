"""The queue's items in the read model, built from `review`, `acts` and `audit` in any order of arrival."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Any

import orjson

from gatekeeper.deciding.answer import rendered
from gatekeeper.engine.item import FROM, KEPT_MS, WAITING
from gatekeeper.ground import times
from gatekeeper.index.access import Access
from gatekeeper.index.part import Incoming, Part, Writing
from gatekeeper.review.data_origin import origin
from gatekeeper.review.review_item import ActOnItem, ActProof, Item, answered, asked, held, standing
from schemas.decision import Decision
from schemas.events import ReviewPlace

WAITS = f"state IN ({', '.join(repr(state) for state in WAITING)})"
"""SQL condition on table `item`: the item waits. With these words SQLite uses the indexes of waiting items."""
SCHEMA = f"""
CREATE TABLE item (
    id TEXT PRIMARY KEY, part INTEGER, place INTEGER, recipient INTEGER, campaign TEXT, channel TEXT, purpose TEXT,
    controller TEXT, source TEXT, origin TEXT, verdict TEXT, "primary" TEXT, codes TEXT, informational INTEGER,
    mail_date TEXT, mailed INTEGER, due INTEGER, seen INTEGER, state TEXT, who TEXT, at TEXT, run TEXT, coded TEXT,
    digests TEXT, arrived INTEGER, changed INTEGER, withheld INTEGER
);
CREATE INDEX item_by_cause ON item (
    "primary", origin, campaign, verdict, informational, state, seen, due, changed, id, controller
) WHERE {WAITS};
CREATE INDEX item_by_urgency ON item (due IS NULL, due, seen, id, informational, controller) WHERE {WAITS};
CREATE INDEX item_by_end ON item (state, informational) WHERE NOT {WAITS};
CREATE INDEX item_by_change ON item (changed);
CREATE INDEX item_by_run ON item (run) WHERE run IS NOT NULL;
CREATE INDEX item_by_recipient ON item (recipient);
CREATE TABLE item_reason (code TEXT, item TEXT, PRIMARY KEY (code, item)) WITHOUT ROWID;
CREATE TABLE asked (
    act_id TEXT PRIMARY KEY, item TEXT, kind TEXT, who TEXT, at TEXT, evidence TEXT, part INTEGER, place INTEGER
) WITHOUT ROWID;
CREATE INDEX asked_of_item ON asked (item);
CREATE INDEX asked_by_time ON asked (at);
CREATE TABLE answer (
    part INTEGER, place INTEGER, act_id TEXT, item TEXT, kind TEXT, who TEXT, at TEXT, evidence TEXT, outcome TEXT,
    code TEXT, did TEXT, signed TEXT, PRIMARY KEY (part, place)
) WITHOUT ROWID;
CREATE INDEX answer_of_item ON answer (item);
CREATE INDEX answer_to_act ON answer (act_id);
CREATE TABLE record (did TEXT PRIMARY KEY, part INTEGER, place INTEGER, at INTEGER, origin TEXT, value BLOB);
CREATE TABLE unread (part INTEGER, place INTEGER, at INTEGER, PRIMARY KEY (part, place)) WITHOUT ROWID;
"""
ITEMS = "SELECT item.*, name FROM item JOIN person ON number = item.recipient"
"""The rows that `item_of` takes; to be followed by a condition."""
PENDING = """EXISTS (
    SELECT 1 FROM asked WHERE asked.item = item.id
    AND NOT EXISTS (SELECT 1 FROM answer WHERE answer.act_id = asked.act_id)
)"""
"""SQL condition on table `item`: an act about the item has no answer yet."""


def _review(writing: Writing, record: Incoming) -> None:
    try:
        item = held(record.partition, record.offset, record.value, record.headers)
    except ValueError:
        row = (record.partition, record.offset, record.timestamp)
        writing.db.execute("INSERT OR REPLACE INTO unread VALUES (?, ?, ?)", row)
        return
    if item is None:
        return
    if (recipient := writing.recipient(item.recipient, record.timestamp)) is None:
        return
    db = writing.db
    kept = db.execute("SELECT origin FROM record WHERE did = ?", (item.id,)).fetchone()
    mailed = times.span(item.mail_date, writing.zone).first if item.mail_date else None
    number = writing.tick()
    db.execute(
        f"INSERT OR REPLACE INTO item VALUES ({', '.join('?' * 27)})",
        (
            *(item.id, item.place.partition, item.place.offset, recipient, item.campaign, item.channel),
            *(item.purpose, item.controller, item.source, kept[0] if kept else None, item.verdict, item.primary),
            *(orjson.dumps(item.codes).decode(), item.informational, item.mail_date, mailed, item.due(writing.zone)),
            *(item.seen, item.state, item.by, item.at, item.run, record.header("gate-decision")),
            *(orjson.dumps(item.digests).decode() if item.digests is not None else None, number, number),
            record.timestamp,
        ),
    )
    rows = [(code, item.id) for code in dict.fromkeys(item.codes)]
    db.executemany("INSERT OR IGNORE INTO item_reason VALUES (?, ?)", rows)
    _stand(db, item)


def _act(writing: Writing, record: Incoming) -> None:
    if doing := asked(record.act):
        who = orjson.dumps(doing.by).decode()
        words = (record.partition, record.offset) if doing.reason else (None, None)
        row = (doing.act_id, doing.item, doing.kind, who, doing.at, doing.evidence, *words)
        writing.db.execute("INSERT OR IGNORE INTO asked VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
        _touch(writing, doing.item)


def _audit(writing: Writing, record: Incoming) -> None:
    db, place = writing.db, (record.partition, record.offset)
    _decided(writing, record)
    doing = answered(record.json)
    if doing is None:
        return
    fields = (doing.act_id, doing.item, doing.kind, orjson.dumps(doing.by).decode(), doing.at, doing.evidence)
    signed = orjson.dumps(doing.signed).decode() if doing.signed else None
    row = (*place, *fields, doing.outcome, doing.code, doing.did, signed)
    db.execute(f"INSERT OR REPLACE INTO answer VALUES ({', '.join('?' * 12)})", row)
    if item := one(db, doing.item):
        _stand(db, item)
        _touch(writing, item.id)


def _decided(writing: Writing, record: Incoming) -> None:
    """Keeps the audit record of a decision to withhold, with the origin of the data."""
    value = record.json
    if value.get("verdict") in ("clear", None):
        return
    try:
        did, at, came = str(value["did"]), times.span(value["at"], "UTC").first // 1000, origin(value)
    except (ValueError, LookupError, TypeError, AttributeError):
        return
    if value.get("mode", "live") != "live":
        return
    row = (did, record.partition, record.offset, at, came, record.value)
    writing.db.execute("INSERT OR REPLACE INTO record VALUES (?, ?, ?, ?, ?, ?)", row)
    writing.db.execute("UPDATE item SET origin = ? WHERE id = ?", (came, did))


def _stand(db: sqlite3.Connection, item: Item) -> None:
    item = standing(item, _answers(db, item.id))
    row = (item.state, item.by, item.at, item.run, item.id)
    db.execute("UPDATE item SET state = ?, who = ?, at = ?, run = ? WHERE id = ?", row)


def _touch(writing: Writing, id_: str) -> None:
    writing.db.execute("UPDATE item SET changed = ? WHERE id = ?", (writing.tick(), id_))


def _forget(db: sqlite3.Connection, now: int) -> None:
    db.execute("DELETE FROM item WHERE seen < ?", (now - KEPT_MS,))
    db.execute("DELETE FROM record WHERE at < ?", (now - KEPT_MS,))
    db.execute("DELETE FROM unread WHERE at < ?", (now - KEPT_MS,))
    db.execute("DELETE FROM item_reason WHERE item NOT IN (SELECT id FROM item)")


def _erase(db: sqlite3.Connection, person: int, at: int) -> None:
    theirs = "SELECT id FROM item WHERE recipient = ? AND withheld <= ?"
    for table, column in (("record", "did"), ("item_reason", "item"), ("item", "id")):
        db.execute(f"DELETE FROM {table} WHERE {column} IN ({theirs})", (person, at))


PART = Part(SCHEMA, {"review": _review, "acts": _act, "audit": _audit}, _forget, ("item",), _erase)


def item_of(row: sqlite3.Row) -> Item:
    """The item in a row of table `item`."""
    return Item(
        id=row["id"],
        place=ReviewPlace(partition=row["part"], offset=row["place"]),
        recipient=row["name"],
        **{name: row[name] for name in ("campaign", "channel", "purpose", "controller", "source")},
        verdict=row["verdict"],
        codes=tuple(orjson.loads(row["codes"])),
        mail_date=row["mail_date"],
        seen=row["seen"],
        state=row["state"],
        by=row["who"],
        at=row["at"],
        run=row["run"],
        origin=row["origin"],
        digests={code: tuple(of) for code, of in orjson.loads(row["digests"]).items()} if row["digests"] else None,
    )


def one(db: sqlite3.Connection, id_: str) -> Item | None:
    """One item in its current state, None for an unknown or forgotten item."""
    row = db.execute(f"{ITEMS} WHERE id = ?", (id_,)).fetchone()
    return item_of(row) if row else None


def some(db: sqlite3.Connection, ids: Iterable[str]) -> dict[str, Item]:
    """Those of these items that are known, by id, each in its current state."""
    wanted = orjson.dumps([*ids]).decode()
    rows = db.execute(f"{ITEMS} WHERE id IN (SELECT value FROM json_each(?))", (wanted,))
    return {row["id"]: item_of(row) for row in rows}


def unread(db: sqlite3.Connection) -> int:
    """The number of records of `review` that hold no readable item."""
    return int(db.execute("SELECT count(*) FROM unread").fetchone()[0])


def decision(db: sqlite3.Connection, id_: str) -> Decision:
    """The decision about an item that exists, with its sentences as a page words them."""
    return rendered(db.execute("SELECT coded FROM item WHERE id = ?", (id_,)).fetchone()[0], "page")


def record(db: sqlite3.Connection, id_: str) -> sqlite3.Row | None:
    """The audit record of an item's decision (`part`, `place`, `value`), None before the record arrives."""
    row: sqlite3.Row | None = db.execute("SELECT * FROM record WHERE did = ?", (id_,)).fetchone()
    return row


def doings(db: sqlite3.Connection, id_: str) -> list[ActOnItem]:
    """The acts about an item in the order of their answers; acts without an answer come last.

    The written reasons of acts are in `gatekeeper.console.given_reasons`.
    """
    answers = list(_answers(db, id_))
    act_ids = {doing.act_id for doing in answers}
    waiting = db.execute("SELECT * FROM asked WHERE item = ? ORDER BY at, act_id", (id_,))
    return answers + [_asked(row) for row in waiting if row["act_id"] not in act_ids]


def answer(db: sqlite3.Connection, item: str, act_id: str) -> ActOnItem | None:
    """An act about an item with its outcome, None for an act that has not been read.

    The first answer counts, because an act written twice is answered twice.
    """
    same = [doing for doing in doings(db, item) if doing.act_id == act_id]
    return next((doing for doing in same if doing.code != "repeated"), same[0] if same else None)


def under_way(doings: Iterable[ActOnItem]) -> bool:
    """True when an act that changes an item still has no answer."""
    return any(doing.outcome is None and doing.kind in FROM for doing in doings)


def seen(db: sqlite3.Connection, access: Access, ids: Iterable[str]) -> set[str]:
    """Those of these items that this user may see; for who may see everything, all of them."""
    if access.covers("see"):
        return set(ids)
    within, limits = access.where("see")
    wanted = orjson.dumps([*ids]).decode()
    rows = db.execute(
        f"SELECT id FROM item WHERE id IN (SELECT value FROM json_each(?)) AND {within}", (wanted, *limits)
    )
    return {row[0] for row in rows}


def run(db: sqlite3.Connection, name: str) -> dict[str, ActOnItem]:
    """The acts of one run by item id, each with its outcome."""
    rows = db.execute("SELECT item, act_id FROM asked WHERE act_id >= ? AND act_id < ?", (f"{name}.", f"{name}/"))
    acts = {row["item"]: answer(db, row["item"], row["act_id"]) for row in rows.fetchall()}
    return {item: doing for item, doing in acts.items() if doing}


def released(db: sqlite3.Connection, by: str, since: str) -> dict[str, int]:
    """The number of items of each campaign that a person released from this instant on, answered or not."""
    rows = db.execute(
        "SELECT campaign, count(DISTINCT item) AS n FROM asked JOIN item ON item.id = item"
        " WHERE asked.at >= ? AND kind = 'release' AND asked.who = ? GROUP BY campaign",
        (since, orjson.dumps([by]).decode()),
    )
    return {row["campaign"]: row["n"] for row in rows}


def _answers(db: sqlite3.Connection, id_: str) -> Iterable[ActOnItem]:
    rows = db.execute("SELECT * FROM answer WHERE item = ? ORDER BY part, place", (id_,))
    return [_answered(row) for row in rows.fetchall()]


def _answered(row: sqlite3.Row) -> ActOnItem:
    signed = ActProof(**orjson.loads(row["signed"])) if row["signed"] else None
    return _asked(row, outcome=row["outcome"], code=row["code"], did=row["did"], signed=signed)


def _asked(row: sqlite3.Row, **outcome: Any) -> ActOnItem:
    by = tuple(orjson.loads(row["who"]))
    return ActOnItem(row["act_id"], row["item"], row["kind"], by, row["at"], None, row["evidence"], **outcome)
