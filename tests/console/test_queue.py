"""The queue over HTTP: groups, filters, exports, and one item with its evidence."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest

from gatekeeper.console.pages import item
from tests.console.conftest import Site
from tests.support.world import day, until


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
    for found in (
        "AGE_UNCERTAIN",
        "PPC Q&amp;A 1-62",
        "A reviewer may release it",
        "point card form",
        "form “N1”",
        "audit/",
    ):
        assert found in page, found
    assert "例 花子" not in page
    assert "見本町" not in page


def test_the_audit_record_of_an_item_then_it_is_the_very_bytes_on_the_topic(site: Site) -> None:
    campaign = site.withheld(1)
    (item,) = site.items(campaign)
    record = site.client("auditor").get(f"/items/{item['id']}/audit.json").content
    assert record in [message.value() for message in site.world.read("audit")]


def test_two_languages_then_the_address_decides_before_the_cookie_and_the_browser(site: Site) -> None:
    client = site.client()
    assert "sends to look at</h1>" in client.get("/").text
    assert "<h1>審査待ち " in client.get("/?lang=ja").text
    assert "<h1>審査待ち " in client.get("/").text
    assert "sends to look at</h1>" in client.get("/?lang=en").text


def test_all_that_waits_then_one_send_leads_to_the_next_and_live_claims_are_shown(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.withheld(2, mail_date=day(1))  # none is more urgent
    client = site.client()
    id_, query = re.findall(r'data-open href="/items/([A-Z0-9]+)\?([^"]*)"', client.get("/items").text)[0]
    form = {"filter": query, "reason": "", "evidence": ""}
    client.post(f"/items/{id_}/acts", data={**form, "kind": "claim", "run": "c1"})
    place = f"/items?id={id_}"
    until(lambda: "reviewer</span>" in client.get(place).text.partition("<main")[2], "the claim")
    monkeypatch.setattr(item, "CLAIM_MS", 0)
    assert "reviewer</span>" not in client.get(place).text.partition("<main")[2]
    assert "reviewer" not in client.get(f"/items/{id_}").text.partition('id="standing"')[2].partition("</div>")[0]
    answer = client.post(f"/items/{id_}/acts", data={**form, "kind": "uphold", "run": "u1", "reason": "no form"})
    assert answer.headers["location"].startswith("/items/")
    assert id_ not in answer.headers["location"].partition("?")[0]
