"""Counts of decisions by hour, verdict and reason, and by campaign, with the progress of each partition.

The counts are updated as records arrive, so no page reads a topic. Rows grow with hours, reasons, faults and campaigns.
Only pieces withheld, handed off or recalled have a row of their own.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from gatekeeper.ground.times import span
from gatekeeper.index.access import SEE_ALL, Access
from gatekeeper.index.part import Incoming, Part, Writing
from gatekeeper.management.campaign import Counts, campaign_of, read_refused, refusing
from schemas.codec import Unreadable, decode
from schemas.topics import DAY_MS, logical_name

HOUR_MS = 3_600_000
KEPT_MS = 90 * DAY_MS
"""Retention of rows; every piece is decided, handed off or recalled within this time."""
SCHEMA = """
CREATE TABLE flow (
    hour INTEGER, verdict TEXT, reason TEXT, controller TEXT, campaign TEXT, n INTEGER,
    PRIMARY KEY (hour, verdict, reason, controller, campaign)
) WITHOUT ROWID;
CREATE TABLE campaign (
    id TEXT PRIMARY KEY, first INTEGER, last INTEGER, published INTEGER DEFAULT 0, decided INTEGER DEFAULT 0,
    cleared INTEGER DEFAULT 0, handed INTEGER DEFAULT 0, recalled INTEGER DEFAULT 0, late INTEGER DEFAULT 0,
    refused INTEGER DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE sender (campaign TEXT, controller TEXT, at INTEGER, PRIMARY KEY (campaign, controller)) WITHOUT ROWID;
CREATE TABLE held_back (did TEXT PRIMARY KEY, campaign TEXT, reason TEXT, at INTEGER) WITHOUT ROWID;
CREATE INDEX held_back_by_campaign ON held_back (campaign, reason);
CREATE TABLE refused (campaign TEXT, fault TEXT, n INTEGER, at INTEGER, PRIMARY KEY (campaign, fault)) WITHOUT ROWID;
CREATE TABLE moved (did TEXT PRIMARY KEY, handed INTEGER, recalled INTEGER, at INTEGER) WITHOUT ROWID;
CREATE TABLE head (part INTEGER PRIMARY KEY, sends INTEGER, at INTEGER);
"""


def _sends(writing: Writing, record: Incoming) -> None:
    try:
        send = decode("sends", record.key, record.value)
    except Unreadable:  # whom it is from is not known, and nobody is shown it for what it claims
        _count(writing.db, campaign_of(record.value), record.timestamp, "published")
        return
    _count(writing.db, send.campaign_id, record.timestamp, "published")
    _send_by(writing.db, send.campaign_id, send.controller_id, record.timestamp)


def _audit(writing: Writing, record: Incoming) -> None:
    db, at = writing.db, record.timestamp
    try:
        value = record.json
        stage, act, did, campaign = value["stage"], value.get("act"), value["did"], value["campaign"]
        verdict, codes = value["verdict"], [reason["code"] for reason in value["reasons"]]
        controller = value.get("controller")
    except (ValueError, LookupError, TypeError):
        return
    if value.get("mode", "live") != "live":
        return
    if stage == "intake":
        reason = codes[0] if codes else ""
        db.execute(
            "INSERT INTO flow VALUES (?, ?, ?, ?, ?, 1) ON CONFLICT DO UPDATE SET n = n + 1",
            (at // HOUR_MS * HOUR_MS, verdict, reason, controller or "", campaign or ""),
        )
        _send_by(db, campaign, controller, at)
        if refusing(codes):
            return
        _count(db, campaign, at, "decided")
    elif act is None:
        return
    elif act["outcome"] == "handed":
        _move(db, campaign, act["item"], at, "handed")
        return
    elif act["outcome"] in ("cleared", "withheld"):
        db.execute("DELETE FROM held_back WHERE did = ?", (act["item"],))
    else:
        return
    if verdict == "clear":
        _count(db, campaign, at, "cleared")
    elif campaign is not None:
        row = (did, campaign, codes[0] if codes else "", at)
        db.execute("INSERT OR REPLACE INTO held_back VALUES (?, ?, ?, ?)", row)


def _results(writing: Writing, record: Incoming) -> None:
    """Counts a dead letter by its fault; one that states no campaign has the campaign ''."""
    try:
        refused = read_refused(record.value or b"")
    except msgspec.DecodeError:
        return
    if refused.fault is None or refused.mode != "live":
        return
    writing.db.execute(
        "INSERT INTO refused VALUES (?, ?, 1, ?) ON CONFLICT DO UPDATE SET n = n + 1, at = max(at, excluded.at)",
        (refused.campaign_id or "", refused.fault, record.timestamp),
    )
    _count(writing.db, refused.campaign_id, record.timestamp, "refused")


def _recalls(writing: Writing, record: Incoming) -> None:
    try:
        recall = decode("recalls", record.key, record.value)
    except Unreadable:
        return
    _move(writing.db, recall.campaign_id, recall.decision_id, record.timestamp, "recalled")


def _manifests(writing: Writing, record: Incoming) -> None:
    try:
        manifest = decode("manifests", None, record.value)
    except Unreadable:
        return  # the checks of the log report an unreadable manifest
    sends = next((taken.to for taken in manifest.in_ if logical_name(taken.topic) == "sends"), None)
    writing.db.execute(
        "INSERT INTO head VALUES (?, ?, ?) ON CONFLICT DO UPDATE"
        " SET sends = ifnull(excluded.sends, sends), at = excluded.at",
        (record.partition, sends, span(manifest.t1, "UTC").first // 1000),
    )


def _count(db: sqlite3.Connection, campaign: str | None, at: int, what: str) -> None:
    if campaign is not None:
        db.execute(
            f"INSERT INTO campaign (id, first, last, {what}) VALUES (?, ?, ?, 1) ON CONFLICT DO UPDATE"
            f" SET {what} = {what} + 1, first = min(first, excluded.first), last = max(last, excluded.last)",
            (campaign, at, at),
        )


def _send_by(db: sqlite3.Connection, campaign: str | None, controller: str | None, at: int) -> None:
    if campaign is not None and controller is not None:
        db.execute(
            "INSERT INTO sender VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET at = max(at, excluded.at)",
            (campaign, controller, at),
        )


def _move(db: sqlite3.Connection, campaign: str | None, did: str, at: int, what: str) -> None:
    """Counts a clearance once as handed off and once as recalled, in any order of the records."""
    row = db.execute("SELECT handed, recalled FROM moved WHERE did = ?", (did,)).fetchone()
    before = {"handed": bool(row and row["handed"]), "recalled": bool(row and row["recalled"])}
    after = {**before, what: True}
    if after == before:
        return
    db.execute("INSERT OR REPLACE INTO moved VALUES (?, ?, ?, ?)", (did, after["handed"], after["recalled"], at))
    _count(db, campaign, at, what)
    if all(after.values()):
        _count(db, campaign, at, "late")


def _forget(db: sqlite3.Connection, now: int) -> None:
    before = (now - KEPT_MS,)
    for table, column in (
        ("flow", "hour"),
        ("campaign", "last"),
        ("sender", "at"),
        ("held_back", "at"),
        ("refused", "at"),
        ("moved", "at"),
    ):
        db.execute(f"DELETE FROM {table} WHERE {column} < ?", before)


PART = Part(
    SCHEMA,
    {"sends": _sends, "audit": _audit, "results": _results, "recalls": _recalls, "manifests": _manifests},
    _forget,
)


@dataclass(frozen=True, slots=True)
class PartitionProgress:
    """Progress of one partition of `sends`: the next offset to decide (None: none yet), and when, in milliseconds."""

    partition: int
    next: int | None
    at: int


def decided(db: sqlite3.Connection, since: int, access: Access = SEE_ALL) -> list[tuple[int, str, str, int]]:
    """The decisions since that instant: hour (milliseconds), verdict, primary reason ('' for none), and number.

    It counts those that this user may see.
    """
    within, limits = access.where("see")
    rows = db.execute(
        f"SELECT hour, verdict, reason, sum(n) AS n FROM flow WHERE hour >= ? AND {within}"
        " GROUP BY hour, verdict, reason ORDER BY hour",
        (since, *limits),
    )
    return [(row["hour"], row["verdict"], row["reason"], row["n"]) for row in rows]


def heads(db: sqlite3.Connection) -> list[PartitionProgress]:
    """The progress of each partition that has decided anything."""
    return [PartitionProgress(*row) for row in db.execute("SELECT part, sends, at FROM head ORDER BY part")]


def campaigns(db: sqlite3.Connection, *, most: int, access: Access = SEE_ALL) -> list[tuple[Counts, int]]:
    """Up to `most` campaigns, the most recently active first, each with its last activity in milliseconds.

    Who may see some controllers only sees the campaigns whose sends are all of these.
    """
    within, limits = _whole_campaigns(access)
    rows = db.execute(
        f"SELECT * FROM campaign WHERE {within} ORDER BY last DESC, id LIMIT ?", (*limits, most)
    ).fetchall()
    return [(_counts(db, row), row["last"]) for row in rows]


def campaign(db: sqlite3.Connection, id_: str, access: Access = SEE_ALL) -> Counts | None:
    """The counts of a campaign, None for an unknown campaign and for one that `campaigns` does not show this user."""
    within, limits = _whole_campaigns(access)
    row = db.execute(f"SELECT * FROM campaign WHERE id = ? AND {within}", (id_, *limits)).fetchone()
    return _counts(db, row) if row else None


def _whole_campaigns(access: Access) -> tuple[str, list[str]]:
    if access.covers("see"):
        return "1", []
    within, limits = access.where("see")
    mine = "SELECT 1 FROM sender WHERE sender.campaign = campaign.id"
    return f"EXISTS ({mine}) AND NOT EXISTS ({mine} AND NOT {within})", limits


def _counts(db: sqlite3.Connection, row: sqlite3.Row) -> Counts:
    withheld = db.execute("SELECT reason, count(*) FROM held_back WHERE campaign = ? GROUP BY reason", (row["id"],))
    faults = db.execute("SELECT fault, n FROM refused WHERE campaign = ?", (row["id"],)).fetchall()
    stray = db.execute("SELECT ifnull(sum(n), 0) FROM refused WHERE campaign = ''").fetchone()[0]
    numbers = {name: row[name] for name in ("published", "decided", "cleared", "recalled", "handed", "late")}
    waiting = max(0, row["cleared"] - row["recalled"] - row["handed"] + row["late"])
    return Counts(
        row["id"],
        **numbers,
        withheld=Counter(dict(map(tuple, withheld))),
        waiting=waiting,
        refused=dict(map(tuple, faults)),
        stray=stray,
    )


def reasons_over(rows: Sequence[tuple[int, str, str, int]]) -> list[tuple[str, int]]:
    """The reasons in the rows of `decided`, each with its number of sends, the most frequent first."""
    counts: Counter[str] = Counter()
    for _, _, reason, n in rows:
        if reason:
            counts[reason] += n
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
