"""A copied topic: its records with the first arrivals that they state, and the people who vouch for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from gatekeeper.knowledge.copies import Copies, header
from schemas.record import Record
from schemas.topics import DAY_MS
from tests.support import invented, staff

COPIED_AT = invented.T
AHEAD = invented.consent(event_time="2026-12-24", recorded_at="2026-12-24")[1]
"""A consent that says of itself that it was given later than it was copied."""


def copied_records(*values: dict[str, Any], days: Sequence[int], topic: str = "consents") -> list[Record]:
    """Copies, each stating that it first arrived so many days before COPIED_AT; the last one is marked."""
    stated = [header(COPIED_AT - ago * DAY_MS, last=n == len(days) - 1) for n, ago in enumerate(days)]
    return [Record(topic, 0, n, COPIED_AT, None, orjson.dumps(value), (stated[n],)) for n, value in enumerate(values)]


def copy_word(records: Sequence[Record], by: Sequence[str] = ("hanako",), **other: Any) -> list[tuple[str, bytes]]:
    """The record that names the copied records, with its signatures."""
    copies = Copies()
    for record in records:
        copies.take(record)
    run = copies.runs[records[0].topic, 0]
    said = {"v": 1, "kind": "copy", "id": "x", "topic": records[0].topic, "partition": 0, "count": run.count}
    return staff.signed({**said, "sha256": run.sha256, **other}, *by, at=staff.instant(COPIED_AT))


def reference_records(lines: Sequence[tuple[str, bytes]], first: int = 0) -> list[Record]:
    """Records of `reference`."""
    return [Record("reference", 0, first + n, COPIED_AT, key.encode(), value) for n, (key, value) in enumerate(lines)]


def founded(records: Sequence[Record], **more: Any) -> list[Record]:
    """Everybody of the standing set, and then the word about the copied records."""
    return reference_records([*staff.founding(at=staff.instant(COPIED_AT)), *copy_word(records, **more)])
