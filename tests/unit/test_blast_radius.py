"""A quarantine's reach: the people of a list, and their clearances that a recall can still stop."""

from __future__ import annotations

import orjson

from gatekeeper.ledger.entries import Entry
from gatekeeper.management.blast_radius import AffectedCampaign, BlastRadius
from schemas.topics import DAY_MS
from tests.support import invented
from tests.support.desk import Desk

TOKYO = "Asia/Tokyo"


def reach(*facts: invented.Event) -> BlastRadius:
    found = BlastRadius("B-1")
    for _, value in facts:
        found.source(None, orjson.dumps(value))
    return found


def test_a_list_then_its_people_and_the_live_clearances_that_stand_on_it_are_counted() -> None:
    desk = Desk(invented.source(batch_id="B-1"), invented.consent())
    entries: list[Entry] = []
    for fields in ({}, {"mail_date": "2026-11-24"}, {"mail_date": "2026-11-23"}, {"mail_date": "2026-12-01"}):
        number = len(desk.records)
        desk.at = invented.T - DAY_MS if fields.get("mail_date") == "2026-11-23" else invented.T  # cleared in time
        judged = desk.send(event_id=f"E-{number}", campaign_id=f"K-{number % 2}{number // 2}", **fields)
        assert judged.verdict == "clear"
        entries += judged.entries
    found = reach(
        invented.source(batch_id="B-1"),
        invented.source(batch_id="B-1", recipient_id="P-2"),
        invented.source(batch_id="B-2", recipient_id="P-3"),
    )
    found.source(b"x", b"{")
    found.entry(0, b"head", b"{}")
    for entry in entries:
        found.entry(3, entry.key, entry.value)
    assert (found.people, found.recipients) == (2, ["P-1", "P-2"])
    assert found.campaigns(desk.at, TOKYO) == [
        AffectedCampaign("K-00", "postal", 1, 1, 1, None),
        AffectedCampaign("K-01", "postal", 1, 1, 0, None),
        AffectedCampaign("K-10", "postal", 1, 1, 1, "2026-11-24"),
        AffectedCampaign("K-11", "postal", 1, 1, 1, "2026-12-01"),
    ]
    assert found.campaigns(desk.at + 60 * DAY_MS, TOKYO) == []
    found.entry(3, entries[0].key, None)
    assert [row.campaign for row in found.campaigns(desk.at, TOKYO)] == ["K-01", "K-10", "K-11"]
