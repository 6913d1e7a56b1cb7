"""The privacy manager's acts from pages: looked at first, written with the fact, and told as the worker answers."""

from __future__ import annotations

import re
import uuid
from html import unescape
from typing import Any

import httpx

from schemas.codec import decode
from tests.console.conftest import Site, field_of
from tests.support.authenticator import Passkey, challenge_in
from tests.support.world import send_to, until


def looked(client: httpx.Client, kind: str, subject: str, **more: str) -> httpx.Response:
    """Returns the page before an act, once what it would meet has been read."""
    client.follow_redirects = True
    answer = client.get(f"/manage/{kind}", params={"subject": subject, **more})
    until(lambda: "Reading…" not in client.get(str(answer.url)).text, "the look")
    return client.get(str(answer.url))


def form(page: str, subject: str, **more: str) -> dict[str, str]:
    hidden = {name: field_of(page, name) for name in ("user", "run", "look", "subject", "since")}
    return {**{key: unescape(value) for key, value in hidden.items()}, "typed": subject, "reason": "told so", **more}


def done(client: httpx.Client, kind: str, data: dict[str, str], passkey: Passkey | None = None) -> str:
    """Does it, signs with this passkey if the page asks for a signature, and returns the page with the answer."""
    client.follow_redirects = True
    answer = client.post(f"/manage/{kind}", data=data)
    assert answer.status_code != 422, answer.text
    place = str(answer.url)
    page = until(lambda: said(client, place, passkey), "the answer")
    return str(page)


def said(client: httpx.Client, place: str, passkey: Passkey | None) -> str | None:
    answer = client.get(place)
    while answer.url.path.startswith("/sign/") and passkey:
        answer = client.post(str(answer.url), data={"key": passkey.id, **passkey.touched(challenge_in(answer.text))})
    return None if "Writing…" in answer.text or "has not answered yet" in answer.text else answer.text


def records(site: Site, topic: str) -> list[Any]:
    return [decode(topic, message.key(), message.value()) for message in site.world.read(topic)]


def test_a_suspension_and_its_end_then_fact_and_act_stand_together_and_bind(site: Site) -> None:
    name = f"C-{uuid.uuid4().hex[:6]}"
    site.world.put("reference", [(f"controller/{name}", {"v": 1, "kind": "controller", "id": name, "name": "みどり"})])
    client = site.client("manager")
    until(lambda: name in client.get("/manage").text, "the controller")
    page = looked(client, "suspend", name).text
    result = done(client, "suspend", form(page, name, until="2099-12-31"))
    assert "Acknowledged" in result
    assert "The worker has put it on the audit record." in result
    fact = [one for one in records(site, "reference") if one.id == name][-1]
    assert (fact.name, fact.suspended_until) == ("みどり", "2099-12-31")
    (act,) = [one for one in records(site, "acts") if getattr(one, "subject", None) == f"controller/{name}"]
    assert (act.kind, act.by, act.reason) == ("suspend", "manager", "told so")
    assert act.act_id in result
    until(lambda: "suspended from" in client.get("/manage").text, "the state")
    done(client, "resume", form(looked(client, "resume", name).text, name))
    fact = [one for one in records(site, "reference") if one.id == name][-1]
    assert (fact.name, fact.suspended_since, fact.suspended_until) == ("みどり", None, None)
    again = done(client, "resume", form(looked(client, "resume", name).text, name))
    assert "is not suspended" in again


def test_a_list_frozen_then_the_look_told_what_it_meets_and_later_sends_are_withheld(site: Site) -> None:
    batch, name = f"B-{uuid.uuid4().hex[:6]}", f"p-{uuid.uuid4().hex[:6]}"
    site.world.people([name], batch_id=batch)
    site.world.put("sends", [(name, send_to(name, uuid.uuid4().hex, campaign_id="K-frozen"))])
    client = site.client("manager")
    counts = "/campaigns/K-frozen/counts.json"
    until(lambda: (found := client.get(counts)).status_code == 200 and found.json()["cleared"], "the decision")
    page = looked(client, "quarantine", batch).text
    assert f"List {batch}: 1 people." in page
    assert re.search(r"<th scope=\"row\">\D*K-frozen</span></th><td>[^<]*</td><td class=\"number\"[^>]*>1</td>", page)
    assert not [one for one in records(site, "acts") if getattr(one, "subject", None) == f"batch/{batch}"]
    done(client, "quarantine", form(page, batch))
    site.world.put("sends", [(name, send_to(name, uuid.uuid4().hex, campaign_id="K-frozen2"))])
    until(lambda: site.items("K-frozen2"), "the withheld send")
    (item,) = site.items("K-frozen2")
    assert "SOURCE_BATCH_QUARANTINED" in client.get(f"/items/{item['id']}").text
    assert f"/manage/quarantine?subject={batch}" in client.get(f"/items/{item['id']}").text


def test_a_person_erased_and_readmitted_then_stops_stand_and_fall_without_names(site: Site) -> None:
    name = f"p-{uuid.uuid4().hex[:6]}"
    site.world.people([name])
    client = site.client("approver")
    page = looked(client, "erase", name).text
    assert re.search(r"stops the person and \d+ known addresses", page)
    done(client, "erase", form(page, name))
    (stop,) = [one for one in records(site, "suppressions") if one.recipient_id == name]
    assert stop.kind == "erasure"
    acts = [one for one in records(site, "acts") if getattr(one, "recipient_id", None) == name]
    assert len(acts) == site.world.partitions
    site.publish([name], campaign_id=f"K-{name}")
    (item,) = site.items(f"K-{name}")
    assert "SUBJECT_ERASED" in client.get(f"/items/{item['id']}").text
    assert name not in client.get("/manage").text
    assert "a person" in client.get("/manage").text
    client = site.client("manager")
    page = looked(client, "readmit", name).text
    data = form(page, name, evidence="form-91")
    assert "Acknowledged" in done(client, "readmit", data, site.passkey("manager"))
    assert [one.state for one in records(site, "suppressions") if one.recipient_id == name][-1] == "corrected"


def test_a_policy_then_its_differences_are_shown_and_a_looser_one_takes_two_managers(site: Site) -> None:
    client, passkey = site.client("manager"), site.passkey("manager")
    assert "must be the strictest" in looked(client, "activate", "jp-appi@2", since="now").text
    page = looked(client, "activate", "strictest@4", since="now").text
    assert re.search(r'<th scope="row">provisional</th><td[^>]*>False</td><td[^>]*>True</td>', page)
    assert "Acknowledged" in done(client, "activate", form(page, "strictest@4"), passkey)
    (fact,) = [one for one in records(site, "reference") if one.kind == "policy"]
    assert (fact.id, fact.version, fact.by) == ("strictest", 4, "manager")
    until(lambda: "in force from" in client.get("/manage").text, "the record")
    page = looked(client, "activate", "jp-appi@4", since="now").text
    assert "Acknowledged" in done(client, "activate", form(page, "jp-appi@4"), passkey)
    page = looked(client, "activate", "jp-appi@1", since="now").text
    assert "lets more through" in page
    assert "Enter the id of the second manager" in done(client, "activate", form(page, "jp-appi@1"))
    page = looked(client, "activate", "jp-appi@1", since="now").text
    assert "Acknowledged" in done(client, "activate", form(page, "jp-appi@1", and_by="pm-8"), passkey)
    facts = [one for one in records(site, "reference") if one.kind == "policy"]
    assert [(fact.id, fact.version) for fact in facts] == [("strictest", 4), ("jp-appi", 4), ("jp-appi", 1)]
