"""The queue over HTTP: groups, filters, exports, and one item with its evidence."""

from __future__ import annotations

import csv
import io
import json

from tests.console.conftest import Site


def test_a_filter_as_csv_and_jsonl_then_both_hold_the_same_items(site: Site) -> None:
    campaign = site.withheld(4)
    client = site.client("viewer")
    lines = [json.loads(line) for line in client.get("/items.jsonl", params={"campaign": campaign}).text.splitlines()]
    table = list(
        csv.DictReader(io.StringIO(client.get("/items.csv", params={"campaign": campaign}).text.lstrip("\ufeff")))
    )
    assert [row["decision_id"] for row in table] == [line["decision_id"] for line in lines]
    assert {line["origin"] for line in lines} == {"notice/N1"}
    assert len(lines) == 4
    assert client.get("/items.jsonl", params={"campaign": campaign, "state": "upheld"}).text == ""


def test_an_item_then_its_evidence_is_told_and_contact_details_are_not(site: Site) -> None:
    campaign = site.withheld(1)
    (item,) = site.items(campaign)
    page = site.client().get(f"/items/{item['id']}").text
    for found in ("AGE_UNCERTAIN", "PPC Q&amp;A 1-62", "A reviewer may release it", "point card form", "audit/"):
        assert found in page, found
    assert "例 花子" not in page
    assert "見本町" not in page


def test_the_audit_record_of_an_item_then_it_is_the_very_bytes_on_the_topic(site: Site) -> None:
    campaign = site.withheld(1)
    (item,) = site.items(campaign)
    record = site.client("auditor").get(f"/items/{item['id']}/audit.json").content
    assert record in [message.value() for message in site.world.read("audit")]
