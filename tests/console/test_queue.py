"""The queue over HTTP: groups, filters, exports, and one item with its evidence."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest

from gatekeeper.console.pages import item
from tests.console.conftest import Site, day
from tests.support.world import send_to, until


def test_groups_then_each_cause_is_a_row_with_its_origin_count_and_link(site: Site) -> None:
    campaign = site.withheld(3, mail_date=day(30))
    page = site.client().get("/", params={"campaign": campaign})
    assert page.status_code == 200
    assert "AGE_UNCERTAIN" in page.text
    assert "form “N1”" in page.text
    assert f"/items?primary=AGE_UNCERTAIN&amp;campaign={campaign}&amp;origin=notice/N1&amp;verdict=review" in page.text
    assert "3 sends to look at" in page.text
    assert "<kbd>/</kbd>" not in page.text, "here is no filter to go to"


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


@pytest.mark.parametrize(
    ("query", "says"),
    [("statu=open", "statu"), ("state=closed", "state"), ("campaign=<script>alert(1)</script>", "campaign")],
)
def test_a_filter_without_meaning_then_400_says_so_and_repeats_nothing(site: Site, query: str, says: str) -> None:
    answer = site.client().get(f"/items?{query}")
    assert answer.status_code == 400
    assert says in answer.text
    assert "<script>alert" not in answer.text


def test_a_piece_sent_twice_then_it_is_informational_and_hidden(site: Site) -> None:
    world = site.world
    world.people(["twice"])
    campaign = site.withheld(1)
    piece = send_to("twice", "twice", campaign_id=campaign)
    world.put("sends", [("twice", {**piece, "event_id": f"e-twice-{n}"}) for n in range(2)])
    until(lambda: len(site.items(campaign)) == 2, "the duplicate")
    client = site.client()
    assert len(client.get("/items.jsonl", params={"campaign": campaign}).text.splitlines()) == 1
    shown = client.get("/items.jsonl", params={"campaign": campaign, "primary": "DUPLICATE_SEND"})
    assert len(shown.text.splitlines()) == 1


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
