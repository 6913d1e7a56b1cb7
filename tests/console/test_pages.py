"""The pages beside the queue: overview, campaigns and reasons, as the records and the catalogue say."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from gatekeeper.management.campaign import Campaign
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
