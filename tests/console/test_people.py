"""An inquiry shows one letter and one person, and its stop binds before the next decision."""

from __future__ import annotations

import json
import re
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from gatekeeper.audit.records import inquiry
from gatekeeper.console.session import COOKIE
from gatekeeper.index.access import Access, Grant
from streams.client import fact_with_act
from streams.operations import erasures
from tests.console.conftest import Site, cleared, field_of, known
from tests.support.world import send_to, until

UNKNOWN = inquiry.make("A" * 26)
PRIVATE = ("例 花子", "見本町", "100-0000", "t1_")


def stopped(client: httpx.Client, name: str, **more: str) -> httpx.Response:
    return client.post(f"/people/{name}/stop", data=more)


def test_a_code_then_the_page_tells_source_form_decision_stop_and_nothing_private(site: Site) -> None:
    name, code = cleared(site)
    client = site.client("viewer")
    typed = client.post("/people", data={"code": code.lower().replace("-", " ")})
    assert typed.status_code == 303
    page = client.get(typed.headers["location"])
    assert page.status_code == 200
    for said in (code, "point card form", "2024-05-01", "form shown: N1", f"evidence form-{name}", "Policy jp-pmark"):
        assert said in page.text, said
    person = client.get(f"/people/{name}")
    for said in (name, code, "Data acquired", "Consent", "Letter</strong>", "Decided then", "No hand-off is on record"):
        assert said in person.text, said
    assert [one for one in PRIVATE if one in page.text + person.text] == []
    (paper,) = re.findall(r'href="(/letters/[A-Z2-7]{26}/paper)"', page.text)
    letter = client.get(f"{paper}?lang=ja")
    assert letter.status_code == 200
    for said in ("拝啓", "　様", code, "みどり小売株式会社", "ポイントカード申込書により取得いたしました"):
        assert said in letter.text, said
    hidden = (name, f"form-{name}", "jp-pmark", "obligation", paper.split("/")[2], *PRIVATE)
    assert [one for one in hidden if one in letter.text] == []
    proof = client.get(f"/letters/{code}/proof")
    assert proof.status_code == 200
    for said in ("On record: partition", "of <code>manifests</code>", "Seal: not yet sealed.", paper.split("/")[2]):
        assert said in proof.text, said
    assert [one for one in (name, *PRIVATE) if one in proof.text] == []
    assert client.get("/letter.css").headers["content-type"].startswith("text/css")
    assert "お客様の個人情報の取得元" in client.get(f"/letters/{code}?lang=ja").text


def test_a_stop_then_a_send_published_after_its_acknowledgement_is_withheld(site: Site) -> None:
    name, code = cleared(site)
    client = site.client()
    assert f'action="/people/{name}/stop"' in client.get(f"/letters/{code}").text
    done = stopped(client, name, reason="by telephone", evidence="call-7")
    number = uuid.uuid4().hex[:8]  # acknowledged, so it binds from here on
    site.world.put("sends", [(name, send_to(name, number))])
    assert done.status_code == 303
    assert "The stop is entered" in client.get(done.headers["location"]).text
    verdicts = until(lambda: (found := site.world.verdicts()).get(f"e-{number}") and found, "a decision")
    assert verdicts[f"e-{number}"] == ("block", "CONSENT_WITHDRAWN")
    said = [m.value() for m in site.world.read("consents") if m.key() == name.encode() and b"Withdrawn" in m.value()]
    events = {event["controller_id"]: event for event in map(json.loads, said)}
    assert "C1" in events, "one for every controller that is known"
    for event in events.values():
        assert (event["method"], event["purpose"], event["channels"]) == ("console", "*", "*")
    (message,) = [m for m in site.world.read("acts") if m.key() == name.encode()]
    act, word = json.loads(message.value()), json.loads(dict(message.headers())["gate-signature"])
    assert [word[name] for name in ("method", "by", "console", "signin")] == [
        *("vouched", "reviewer", "console", "password")
    ]
    said = [act[name] for name in ("kind", "by", "reason", "evidence_ref")]
    assert said == ["withdraw", "reviewer", "by telephone", "call-7"]
    until(lambda: "CONSENT_WITHDRAWN" in client.get(f"/people/{name}").text, "the withheld letter")
    until(lambda: "Called back at" in client.get(f"/people/{name}").text, "the piece that went before, called back")
    assert "reviewer: entering a withdrawal. Recorded." in client.get(f"/people/{name}").text


def test_a_role_without_the_right_then_no_form_and_403(site: Site) -> None:
    name, code = cleared(site)
    before = site.world.ends("consents")
    for user in ("viewer", "auditor"):
        client = site.client(user)
        assert "/stop" not in client.get(f"/letters/{code}").text + client.get(f"/people/{name}").text
        assert stopped(client, name).status_code == 403
    shown = field_of(site.client("reviewer2").get(f"/people/{name}").text, "user")
    assert stopped(site.client(), name, user=shown).status_code == 403
    assert site.world.ends("consents") == before


def test_a_letter_of_another_company_then_it_does_not_exist_for_a_limited_role(site: Site) -> None:
    _, code = cleared(site)
    client = site.client("viewer")
    session = site.console.sessions.find(client.cookies[COOKIE])
    for limits, status in (({"controllers": ("C1",)}, 200), ({"controllers": ("C2",)}, 404),
                           ({"campaigns": ("other-*",)}, 404)):  # fmt: skip
        session.access = Access((Grant(roles=("viewer",), **limits),))
        page = client.get(f"/letters/{code}")
        assert client.get(f"/letters/{code}/proof").status_code == page.status_code
        assert page.status_code == status, limits
        assert ("/people/" in page.text, "There is no record of a letter" in page.text) == (False, status == 404)


def test_an_erased_person_then_nothing_ties_the_letter_to_them_in_a_new_model_either(
    site: Site, tmp_path: Path
) -> None:
    name, code = cleared(site)
    campaign = site.publish([name], template_id="T9")
    (item,) = site.items(campaign)
    looking, cursor = site.client("viewer"), site.console.model.cursor()
    assert name in looking.get(f"/items/{item['id']}").text
    act = fact_with_act.act("erase", by="hanako", recipient_id=name, reason="")
    stops = erasures.stops(name, [], act_id=act.act_id, at=act.at)
    numbers = list(range(site.world.partitions))
    with ThreadPoolExecutor() as pool:  # in this thread the browsers' loop runs
        pool.submit(fact_with_act.write, site.settings, erasures.outgoing(stops), act, partitions=numbers).result()
    client = site.client()
    until(lambda: "Erased on" in client.get(f"/people/{name}").text, "the erasure")
    with looking.stream("GET", "/events", params={"since": cursor}) as told:
        assert "event: reload" in told.iter_lines(), "an open page is shown anew"
    assert looking.get(f"/items/{item['id']}").status_code == 404
    assert looking.post(f"/items/{item['id']}/acts", data={"kind": "reveal", "run": "v1"}).status_code in (403, 404)
    folder, alone = (
        site.console.model.path.parent,
        re.compile(rb"(?<![-\w])" + name.encode()),
    )
    until(lambda: not any(alone.search(file.read_bytes()) for file in folder.iterdir()), "files without the person")
    shown = [client.get(f"/people/{name}").text, client.get(f"/letters/{code}").text]
    assert "hanako: erasure. Recorded." in shown[0]
    assert [one for one in ("point card form", code, "form-") if one in shown[0]] == []
    assert "The person of this letter was erased" in shown[1]
    paper = client.get(f"/letters/{code}/paper")
    assert (paper.status_code, "so no letter lists their data" in paper.text) == (404, True)
    assert "/paper" not in shown[1]
    assert f"/people/{name}" not in shown[1], "what ties the letter to the person; the ids of facts stay in its record"
    generation = site.console.model.generation
    site.console.model.path.unlink()
    until(lambda: site.console.model.generation != generation and known(site, code), "a new model")
    until(lambda: "Erased on" in client.get(f"/people/{name}").text, "the erasure again")
    assert f"/people/{name}" not in client.get(f"/letters/{code}").text


def test_somebody_who_looks_at_very_many_then_429(site: Site) -> None:
    client = site.client("approver2")
    answers = [client.get(f"/letters/{UNKNOWN}").status_code for _ in range(125)]
    assert set(answers[:100]) == {404}
    assert answers[-1] == 429
