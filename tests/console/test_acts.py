"""Acts from pages: written once, shown as waiting until the worker answers, and refused where they must be."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.console.conftest import Site, field_of
from tests.support.world import until

pytestmark = pytest.mark.main


def acted(client: httpx.Client, id_: str, kind: str, **more: Any) -> httpx.Response:
    form = {"kind": kind, "run": "r1", "reason": "form seen", "evidence": "form-9", **more}
    return client.post(f"/items/{id_}/acts", data=form)


def test_a_release_then_the_worker_answers_and_the_next_item_opens(site: Site) -> None:
    campaign, client = site.withheld(2), site.client()
    first, second = site.items(campaign)
    answer = acted(client, first["id"], "release", run="a1", filter=f"campaign={campaign}")
    assert answer.status_code == 303
    assert answer.headers["location"].startswith(f"/items/{second['id']}?campaign={campaign}&after=a1.{first['id']}")
    until(lambda: site.state(first["id"]) == "released", "the answer")
    page = client.get(answer.headers["location"]).text
    assert "Cleared: the piece goes out." in page
    assert site.state(second["id"]) == "open"


def test_the_same_form_sent_twice_then_one_act_stands(site: Site) -> None:
    campaign, client = site.withheld(1), site.client()
    (item,) = site.items(campaign)
    for _ in range(2):
        assert acted(client, item["id"], "uphold", run="t1").status_code == 303
    until(lambda: site.state(item["id"]) == "upheld", "the answer")
    outcomes = {a.act.code for a in site.world.acted().values() if a.act and a.act.act_id == f"t1.{item['id']}"}
    assert outcomes <= {None, "seen_before"}
    assert "Upheld: the piece does not go out." in client.get(f"/items/{item['id']}").text


def test_a_stale_page_then_its_act_is_refused_and_what_the_other_did_is_told(site: Site) -> None:
    campaign, mine, other = site.withheld(1), site.client(), site.client("reviewer2")
    (item,) = site.items(campaign)
    assert acted(other, item["id"], "uphold", run="o1", reason="no form").status_code == 303
    until(lambda: site.state(item["id"]) == "upheld", "the other's act")
    answer = acted(mine, item["id"], "release", run="m1", reason="form <b>seen</b>")
    assert answer.status_code == 422
    assert "Something was done about it already" in answer.text
    assert "reviewer2" in answer.text
    assert "form &lt;b&gt;seen&lt;/b&gt;" in answer.text, "what was typed is not lost"


def test_a_page_of_another_user_then_403_and_nothing_is_written(site: Site) -> None:
    (item,) = site.items(site.withheld(1))
    before = site.world.ends("acts")
    shown = field_of(site.client("reviewer").get(f"/items/{item['id']}").text, "user")
    answer = acted(site.client("reviewer2"), item["id"], "uphold", user=shown)
    assert answer.status_code == 403
    assert "Somebody else has signed in" in answer.text
    assert site.world.ends("acts") == before


def test_a_reveal_then_details_are_shown_only_once_it_is_on_record(site: Site) -> None:
    campaign, client = site.withheld(1), site.client()
    (item,) = site.items(campaign)
    answer = acted(client, item["id"], "reveal", run="v1", reason="")
    place = answer.headers["location"]
    until(lambda: "例 花子" in client.get(place).text, "the contact details")
    assert [a.act.by for a in site.world.acted().values() if a.act and a.act.act_id == f"v1.{item['id']}"] == [
        "reviewer"
    ]
    assert "例 花子" not in client.get(f"/items/{item['id']}").text
    assert "例 花子" not in site.client("reviewer2").get(place).text, "another person's reveal shows nothing"


def test_a_bulk_act_then_it_is_previewed_confirmed_and_told_item_by_item(site: Site) -> None:
    campaign, client = site.withheld(7), site.client()
    preview = client.get("/bulk", params={"kind": "release", "campaign": campaign}).text
    assert "7 sends." in preview
    assert preview.count('<li><a href="/items/') == 5
    site.withheld(1, campaign_id=campaign)  # arrives after the preview, and is not meant
    names = ("user", "run", "kind", "filter", "until", "count")
    form = {name: field_of(preview, name).replace("&amp;", "&") for name in names}
    answer = client.post("/bulk", data={**form, "reason": "list checked", "evidence": "list-9"})
    assert answer.status_code == 303
    place = answer.headers["location"]
    until(lambda: "7 of 7 done" in client.get(place).text, "the answers")
    states = sorted(item["state"] for item in site.items(campaign))
    assert states == ["open", *["released"] * 7]
