"""The register of acts that come with a fact, such as the privacy manager's, in the read model.

An act is shown as done once `audit` records it. The person of an erasure and the written reasons are not stored.
The reason of an act about a person who was erased since is not shown.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, get_args

import orjson

from gatekeeper.ground.times import instant
from gatekeeper.index.access import SEE_ALL, Access
from gatekeeper.index.part import Incoming, Part, Writing
from gatekeeper.review.review_item import ActProof
from gatekeeper.staff.act_kinds import ERASURES
from schemas.events import PairedAct
from schemas.topics import TOPICS

SCHEMA = """
CREATE TABLE paired (
    act_id TEXT PRIMARY KEY, kind TEXT, subject TEXT, who TEXT, at TEXT, evidence TEXT, outcome TEXT, code TEXT,
    signed TEXT, part INTEGER, place INTEGER, recipient INTEGER, written INTEGER
) WITHOUT ROWID;
CREATE INDEX paired_by_time ON paired (at);
CREATE INDEX paired_of_recipient ON paired (recipient) WHERE recipient IS NOT NULL;
"""
KINDS = frozenset(get_args(PairedAct.model_fields["kind"].annotation))
"""Kinds of acts that come with a fact."""


@dataclass(frozen=True, slots=True)
class Recent:
    """Act of a member of staff. `item`: the send, else None. `subject`: the subject without a send (None: a person).

    `outcome` and `code` are None until the worker has answered. `cause` and `campaign`: of the send, if it is kept.
    """

    act_id: str
    kind: str
    item: str | None
    subject: str | None
    by: tuple[str, ...]
    at: str
    outcome: str | None
    code: str | None
    cause: str | None
    campaign: str | None


class Answered(NamedTuple):
    """State of an act with a fact: `written` once read, with the worker's answer and the signature, if any."""

    written: bool
    outcome: str | None = None
    code: str | None = None
    signed: ActProof | None = None


def _acts(writing: Writing, record: Incoming) -> None:
    act = record.act
    if isinstance(act, PairedAct):
        person = None
        words: tuple[int | None, int | None] = (record.partition, record.offset) if act.reason else (None, None)
        if act.recipient_id is not None and act.kind not in ERASURES:
            person = writing.recipient(act.recipient_id, record.timestamp)
            words = words if person is not None else (None, None)
        row = (act.act_id, act.kind, act.subject, act.by, act.at, act.evidence_ref, *words, person, record.timestamp)
        writing.db.execute(
            "INSERT INTO paired VALUES (?, ?, ?, ?, ?, ?, NULL, NULL, NULL, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
            " kind = excluded.kind, subject = excluded.subject, who = excluded.who, at = excluded.at,"
            " evidence = excluded.evidence, part = excluded.part, place = excluded.place,"
            " recipient = excluded.recipient, written = excluded.written",
            row,
        )


def _audit(writing: Writing, record: Incoming) -> None:
    try:
        act: dict[str, Any] | None = record.json.get("act")
        if act is not None and act["kind"] in KINDS and act["act_id"] is not None:
            writing.db.execute(
                "INSERT INTO paired (act_id, outcome, code, signed) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
                " outcome = excluded.outcome, code = excluded.code, signed = excluded.signed"
                " WHERE ifnull(outcome, 'recorded') = 'recorded'",  # one refusal is not hidden by other partitions
                (act["act_id"], act["outcome"], act.get("code"), _signed(act)),
            )
    except (ValueError, LookupError, TypeError):
        return


def _signed(act: Mapping[str, Any]) -> str | None:
    proof = ActProof.of(act.get("signed"))
    return orjson.dumps(proof).decode() if proof else None


def _forget(db: sqlite3.Connection, now: int) -> None:
    db.execute("DELETE FROM paired WHERE at < ?", (instant(now - (TOPICS["acts"].keep_ms or 0)),))


def _erase(db: sqlite3.Connection, person: int, at: int) -> None:
    theirs = "recipient = ? AND written <= ?"
    db.execute(f"UPDATE paired SET recipient = NULL, part = NULL, place = NULL WHERE {theirs}", (person, at))


PART = Part(SCHEMA, {"acts": _acts, "audit": _audit}, _forget, ("paired",), _erase)


def answered(db: sqlite3.Connection, act_id: str) -> Answered:
    """The state of an act with a fact; on several partitions a refusal of one counts."""
    row = db.execute("SELECT outcome, code, signed FROM paired WHERE act_id = ?", (act_id,)).fetchone()
    if row is None:
        return Answered(False)
    signed = ActProof(**orjson.loads(row["signed"])) if row["signed"] else None
    return Answered(True, row["outcome"], row["code"], signed)


def subject(db: sqlite3.Connection, act_id: str) -> str | None:
    """The subject of an act with a fact, as kind/id. None for an act about a person, and for one not read yet."""
    row = db.execute("SELECT subject FROM paired WHERE act_id = ?", (act_id,)).fetchone()
    return row["subject"] if row else None


def recent(db: sqlite3.Connection, *, most: int, facts_only: bool = False, access: Access = SEE_ALL) -> list[Recent]:
    """The last acts, the latest first: about items that this user may see, and about the user's controllers."""
    whole = access.covers("see")
    subjects = orjson.dumps([f"controller/{name}" for name in access.controllers("see") or ()]).decode()
    rows = db.execute(
        "SELECT act_id, kind, NULL AS item, subject, who, at, outcome, code, NULL AS cause, NULL AS campaign"
        " FROM paired WHERE at IS NOT NULL"
        " AND (? OR subject IN (SELECT value FROM json_each(?))) ORDER BY at DESC LIMIT ?",
        (whole, subjects, most),
    ).fetchall()
    if not facts_only:
        within, limits = access.where("see")
        rows += db.execute(
            "SELECT act_id, kind, item, NULL AS subject, asked.who, asked.at,"
            " (SELECT outcome FROM answer WHERE answer.act_id = asked.act_id ORDER BY part, place LIMIT 1) AS outcome,"
            " (SELECT code FROM answer WHERE answer.act_id = asked.act_id ORDER BY part, place LIMIT 1) AS code,"
            ' "primary" AS cause, campaign'
            " FROM asked LEFT JOIN item ON item.id = asked.item"
            f" WHERE ? OR item IN (SELECT id FROM item WHERE {within}) ORDER BY asked.at DESC LIMIT ?",
            (whole, *limits, most),
        ).fetchall()
    rows.sort(key=lambda row: (row["at"], row["act_id"]), reverse=True)
    return [_recent(row) for row in rows[:most]]


def _recent(row: sqlite3.Row) -> Recent:
    by = tuple(orjson.loads(row["who"])) if row["item"] else (row["who"],)
    answer = (row["at"], row["outcome"], row["code"])
    return Recent(row["act_id"], row["kind"], row["item"], row["subject"], by, *answer, row["cause"], row["campaign"])
