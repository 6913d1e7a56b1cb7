"""The text that a signature covers: one form for acts and for records of `reference`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

PREFIX = "gate-sign/1"
TABLE_PREFIX = "gate-sign-table/1"
TREE_PREFIX = "gate-sign-tree/1"
_ROW = re.compile(r"[a-z_]+ [!-~]+ [1-9][0-9]* [0-9a-f]{64}")
WINDOW_MS = 10 * 60 * 1000
"""Milliseconds between the typed time of a signature and its arrival in Kafka, at most."""
CORRECT = "correct"
"""The kind in the subject of a signature of an event that takes a no away."""
PERSON = "person"
"""The subject of an act about a person; the act's own bytes name the person, and no audit record does."""


def message(said: Mapping[str, Any], *, origin: str, subject: str) -> bytes:
    """The bytes to sign, and to check.

    `said`: fields of `schemas.events.staff.SignatureFields`. `origin`: the name of the log, which is the consumer
    group. `subject`: KIND/ID of a reference record, else the result of `act_subject`. A passkey signs the SHA-256 of
    these bytes as its challenge.
    """
    lines = [PREFIX, origin, subject, said["id"], said["by"], said["key"], said["at"], said["sha256"]]
    if said["method"] == "vouched":
        lines += [said["console"], said["signin"]]
    return "".join(f"{line}\n" for line in lines).encode()


def table_message(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """The bytes that one signature of many acts covers: a table, with a row for each kind and campaign.

    `rows`: fields of `schemas.events.staff.TableRow`. Raises ValueError for a row of another form. It does for two rows
    of one kind and campaign, too, as each would seem smaller than it is.
    """
    lines = ["{} {} {} {}".format(*row_of(row), row["count"], row["root"]) for row in rows]
    if len({row_of(row) for row in rows}) < len(rows) or not all(map(_ROW.fullmatch, lines)):
        raise ValueError("no table of acts")
    return "".join(f"{line}\n" for line in (TABLE_PREFIX, *lines)).encode()


def row_of(said: Mapping[str, Any]) -> tuple[str, str]:
    """The kind and the campaign by which an act, or a row, belongs to a row; `-` without a campaign."""
    return said["kind"], said.get("campaign_id") or said.get("campaign") or "-"


def own_row(table: Mapping[str, Any]) -> Mapping[str, Any]:
    """The row of a place in a table; raises ValueError where the table has none."""
    if not 0 <= table["row"] < len(table["rows"]):
        raise ValueError("no such row")
    row: Mapping[str, Any] = table["rows"][table["row"]]
    return row


def tree_message(size: int, root: bytes) -> bytes:
    """The bytes that one signature of many messages covered up to release 0.3.0. Acts with it are refused now.

    `size`: their number. `root`: of their Merkle tree.
    """
    return f"{TREE_PREFIX}\n{size}\n{root.hex()}\n".encode()


def act_subject(act: Mapping[str, Any]) -> str:
    """The subject of an act: its kind, and its item, its subject, or PERSON. `act`: the fields of the act."""
    return f"{act['kind']}/{act.get('decision_id') or act.get('subject') or PERSON}"


def fingerprint(sha256_: str) -> str:
    """The fingerprint of a record that people read aloud: the first half of its SHA-256 in eight groups of four."""
    return "-".join(sha256_[start : start + 4] for start in range(0, 32, 4))


def digest(value: bytes, blind: str = "") -> str:
    """SHA-256 (hex) of the signed bytes; `blind`: hex of random bytes that come before the bytes of an act."""
    return sha256(bytes.fromhex(blind) + value).hexdigest()


def milliseconds(text: str) -> int:
    """A time with a zone in milliseconds since the epoch; a date alone is its first moment in UTC.

    Raises ValueError for other text.
    """
    moment = datetime.fromisoformat(text)
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def timely(text: str, arrived: int) -> bool:
    """Tells whether a typed time is within WINDOW_MS of the arrival, which is in milliseconds since the epoch."""
    try:
        return abs(milliseconds(text) - arrived) <= WINDOW_MS
    except (ValueError, OverflowError):
        return False
