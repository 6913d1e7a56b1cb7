"""The pages beside the queue: overview, campaigns and reasons, as the records and the catalogue say."""

from __future__ import annotations

import uuid

from gatekeeper.management.campaign import Campaign
from tests.console.conftest import Site
from tests.support.world import send_to, until


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
