"""The records of `reference` as they are written. The console folds them as a worker does.

Records `resolution` and their signatures are left out, because the reason is text.
"""

from __future__ import annotations

from gatekeeper.index.part import Incoming, Part, Writing

SCHEMA = """
CREATE TABLE referred (
    part INTEGER, place INTEGER, key BLOB, value BLOB, written INTEGER, names_only INTEGER,
    PRIMARY KEY (part, place)
) WITHOUT ROWID;
"""
_RESOLVES = "resolution"
_CAMPAIGN = "campaign"
"""There may be thousands of campaigns, and no decision stands on the record of one."""


def _reference(writing: Writing, record: Incoming) -> None:
    value = record.json
    about = str(value.get("of" if value.get("kind") == "signature" else "kind")).partition("/")[0]
    if about == _RESOLVES:
        return
    row = (record.partition, record.offset, record.key, record.value, record.timestamp, about == _CAMPAIGN)
    writing.db.execute("INSERT OR REPLACE INTO referred VALUES (?, ?, ?, ?, ?, ?)", row)


PART = Part(SCHEMA, {"reference": _reference})
