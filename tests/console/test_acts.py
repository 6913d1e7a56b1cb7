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


@pytest.mark.parametrize(("user", "kind"), [("viewer", "release"), ("auditor", "note"), ("reviewer", "approve")])
def test_a_role_without_the_right_then_403_and_no_button(site: Site, user: str, kind: str) -> None:
    campaign, client = site.withheld(1), site.client(user)
    (item,) = site.items(campaign)
    before = site.world.ends("acts")
    assert acted(client, item["id"], kind).status_code == 403
    assert f'value="{kind}"' not in client.get(f"/items/{item['id']}").text
    assert site.world.ends("acts") == before


def test_a_hard_reason_then_no_release_is_offered_and_the_page_says_why(site: Site) -> None:
    campaign, client = site.publish(["nobody-knows"]), site.client()
    (item,) = site.items(campaign)
    page = client.get(f"/items/{item['id']}").text
    assert 'value="release"' not in page
    assert "A reason stands that nobody can release" in page
    assert 'href="/manual/reasons#SOURCE_UNKNOWN"' in page
    answer = acted(client, item["id"], "release", evidence="x")
    assert answer.status_code == 422
    assert "A reason stands that nobody can release" in answer.text


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


def test_a_reason_that_is_missing_or_too_long_then_the_form_says_so(site: Site) -> None:
    campaign, client = site.withheld(1), site.client()
    (item,) = site.items(campaign)
    for reason, evidence, says in (
        ("  ", "", "Say why"),
        ("x" * 201, "", "at most 200"),
        ("x", "a b", "up to 64"),
        ("x", "", "needs evidence"),
    ):
        answer = acted(client, item["id"], "release", reason=reason, evidence=evidence)
        assert (answer.status_code, says in answer.text) == (422, True), says
    assert site.state(item["id"]) == "open"


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


def test_what_is_left_of_a_bulk_confirmed_again_then_its_acts_say_of_how_many_it_was(site: Site) -> None:
    campaign, client = site.withheld(3), site.client()
    preview = client.get("/bulk", params={"kind": "release", "campaign": campaign}).text
    names = ("user", "run", "kind", "filter", "until", "count")
    form = {name: field_of(preview, name).replace("&amp;", "&") for name in names}
    first = site.items(campaign)[0]["id"]
    assert acted(client, first, "uphold", run=form["run"]).status_code == 303
    until(lambda: site.state(first) == "upheld", "one of them done")
    assert client.post("/bulk", data={**form, "reason": "list checked", "evidence": "list-9"}).status_code == 303
    until(lambda: sum(item["state"] == "released" for item in site.items(campaign)) == 2, "the rest")
    told = [a.act for a in site.world.acted().values() if a.act and a.act.act_id and a.act.act_id[:12] == form["run"]]
    assert sorted((act.kind, act.bulk) for act in told) == [("release", 3), ("release", 3), ("uphold", None)]


def test_a_bulk_act_above_a_hundred_then_the_number_must_be_typed(site: Site) -> None:
    campaign, client = site.withheld(101), site.client()
    preview = client.get("/bulk", params={"kind": "uphold", "campaign": campaign}).text
    names = ("user", "run", "kind", "filter", "until", "count")
    form = {name: field_of(preview, name) for name in names} | {"reason": "no form"}
    for typed in ("", "100", "yes"):
        answer = client.post("/bulk", data={**form, "typed": typed})
        assert answer.status_code == 422
        assert "Type the number 101" in answer.text
    assert client.post("/bulk", data={**form, "typed": "101"}).status_code == 303
    until(lambda: {item["state"] for item in site.items(campaign)} == {"upheld"}, "101 answers")
