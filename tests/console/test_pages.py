"""The pages beside the queue: overview, campaigns and reasons, as the records and the catalogue say."""

from __future__ import annotations

import re
import time
import uuid
from html import unescape
from pathlib import Path

import pytest

from gatekeeper.ground.words import Words, asked, law
from gatekeeper.management.campaign import Campaign
from gatekeeper.policy.packs import load
from gatekeeper.policy.reasons import CATALOGUE
from tests.console.conftest import Site, served
from tests.support.witnessed_log import WitnessedLog
from tests.support.world import send_to, until

ROOMS = ("/overview", "/campaigns", "/reasons", "/manage")


@pytest.mark.parametrize("room", ROOMS)
@pytest.mark.parametrize(("lang", "word"), [("ja", "審査待ち"), ("en", "Queue")])
def test_a_page_then_it_speaks_both_languages_and_has_no_style_or_script_inside(
    site: Site, room: str, lang: str, word: str
) -> None:
    answer = site.client("manager").get(room, params={"lang": lang})
    assert answer.status_code == 200
    assert f'<html lang="{lang}">' in answer.text
    assert word in answer.text
    assert " style=" not in answer.text
    assert "<style" not in answer.text
    assert answer.text.count("<script") == answer.text.count('<script type="module" src="/static/console.js">') == 1


@pytest.mark.parametrize(
    ("lang", "help_", "title"), [("ja", "ヘルプ", "審査担当の手引き"), ("en", "Help", "Guide for reviewers")]
)
def test_help_in_the_header_then_it_leads_to_the_page_of_the_manual_about_this_one(
    site: Site, lang: str, help_: str, title: str
) -> None:
    client = site.client("reviewer")
    assert f'<a href="/manual">{help_}</a>' in site.anonymous().get("/signin", params={"lang": lang}).text
    queue = client.get("/", params={"lang": lang}).text
    assert f'<a href="/manual/reviewer">{help_}</a>' in queue
    page = client.get("/manual/reviewer", params={"lang": lang})
    assert page.status_code == 200
    assert f'<article class="manual" lang="{lang}">' in page.text
    assert f">{title}</h1>" in page.text
    for picture in re.findall(r'src="(/manual/images/[^"]+)"', page.text):
        image = client.get(picture)
        assert (image.status_code, image.headers["content-type"]) == (200, "image/png")
    for part in ("/people", "/report", "/passkeys", "/manage"):
        wanted = re.search(rf'<a href="([^"]+)">{help_}</a>', client.get(part, params={"lang": lang}).text)
        assert wanted is not None, part
        assert client.get(wanted[1]).text.count("<h1") == 1


def test_the_manual_then_nobody_need_sign_in_and_an_unknown_page_is_told(site: Site) -> None:
    anonymous = site.anonymous()
    assert anonymous.get("/manual").status_code == 200
    for path in ("/manual/nothing", "/manual/../../pyproject.toml", "/manual/images/..%2fqueue-en.md"):
        answer = anonymous.get(path)
        assert (answer.status_code, "Contents of the manual" in answer.text) == (404, False), path


def test_a_campaign_then_its_page_says_what_the_records_say(site: Site) -> None:
    campaign = site.withheld(2)
    site.world.people(["card"])
    site.world.put("sends", [("card", send_to("card", uuid.uuid4().hex, campaign_id=campaign))])
    client = site.client("viewer")
    path = f"/campaigns/{campaign}/counts.json"
    until(lambda: (client.get(path).json())["decided"] == 3, "the counts")
    whole = Campaign(campaign)
    takes = {"sends": whole.send, "audit": whole.audit, "results": whole.result, "recalls": whole.recall}
    for topic, take in takes.items():
        for message in site.world.read(topic):
            take(message.value())
    assert client.get(path).json() == whole.counts().told()
    page = client.get(f"/campaigns/{campaign}").text
    assert "It is not over yet." in page
    assert f'href="/items?campaign={campaign}&amp;primary=AGE_UNCERTAIN">2</a>' in page
    assert campaign in client.get("/campaigns").text


def test_a_campaign_that_nobody_sent_then_404_says_so_and_repeats_nothing(site: Site) -> None:
    answer = site.client().get("/campaigns/<script>alert(1)</script>")
    assert answer.status_code == 404
    assert "<script>alert" not in answer.text
    assert site.client().get("/campaigns/K-nowhere").status_code == 404


def test_the_reasons_then_each_is_told_with_clause_and_cure_in_both_languages(site: Site) -> None:
    policy = load("jp-pmark").at(int(time.time() * 1000))
    for lang in ("ja", "en"):
        page = unescape(site.client("auditor").get("/reasons", params={"lang": lang}).text)
        for code in CATALOGUE:
            assert f'id="{code}"' in page
            assert Words(lang, "Asia/Tokyo", minor_age=policy.minor_age).headline(code) in page
            assert law(policy.cites(code), lang) in page
            told = asked(policy.cites(code), lang).items()
            assert all(f"<strong>{name}</strong> {asks}" in page for name, asks in told)
            assert f'href="/manual/reasons#{code}"' in page
        assert "{" not in page.partition("<main")[2].partition("</main")[0]


def test_an_act_then_the_overview_tells_who_why_and_how_often_the_rule_is_overturned(site: Site) -> None:
    campaign, client = site.withheld(2), site.client("reviewer2")
    reason = f"birth date seen {uuid.uuid4().hex[:6]}"
    for item, kind in zip(site.items(campaign), ("release", "uphold"), strict=True):
        form = {"kind": kind, "run": uuid.uuid4().hex[:12], "reason": reason, "evidence": "form-9"}
        assert client.post(f"/items/{item['id']}/acts", data=form).status_code == 303
    until(lambda: {item["state"] for item in site.items(campaign)} == {"released", "upheld"}, "the answers")
    page = client.get("/overview").text
    assert page.count(reason) == 2
    assert ">reviewer2</td>" in page
    assert "Time until a person decided: median" in page
    row = page.partition("Overturned, by rule")[2].partition("AGE_UNCERTAIN")[2].partition("</tr>")[0]
    assert " %</td>" in row


@pytest.mark.parametrize("span", ["day", "week", "quarter", "<b>"])
def test_a_flow_then_it_is_drawn_and_told_in_numbers(site: Site, span: str) -> None:
    site.withheld(1)
    page = site.client().get("/overview", params={"span": span}).text
    assert '<rect class="bar-review"' in page
    assert 'role="img" aria-label="Decisions over time' in page
    assert "AGE_UNCERTAIN" in page


def test_nothing_left_to_decide_then_the_lag_is_none(site: Site) -> None:
    site.withheld(1)
    lag = until(lambda: '<dd id="lag">0</dd>' in site.client().get("/overview").text, "all decided")
    assert lag


def test_a_sealed_log_then_the_overview_says_how_old_seal_and_witness_are(site: Site, tmp_path: Path) -> None:
    place = WitnessedLog(tmp_path)
    settings = site.settings.model_copy(
        update={"data": str(tmp_path / "data"), "log": str(tmp_path / "log"), "keys": str(tmp_path / "keys")}
    )
    with served(settings, site.users) as console:
        client = console.client("viewer")
        assert "no sealed log" in client.get("/overview").text
        place.seal(b"a", b"b")
        page = client.get("/overview").text
        assert "2 manifests sealed" in page
        assert "No witness has cosigned" in page
        place.look()
        assert "saw 2 manifests" in client.get("/overview").text
        file = tmp_path / "log" / "checkpoint"
        file.write_text(file.read_text().replace("\n2\n", "\n3\n"))
        assert "checkpoint" in client.get("/overview").text.partition('id="seal"')[2].partition("</dd>")[0]
