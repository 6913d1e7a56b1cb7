"""`gatekeeper serve` beside a worker on real Kafka: what a program publishes, states and asks over HTTP."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource
from jsonschema import Draft202012Validator

from gatekeeper.keys import Keys
from gatekeeper.ledger.head import HEAD, Head
from gatekeeper.service.caller_keys import digest, new_key
from gatekeeper.service.callers import MAX_UNDER_WAY, Callers
from gatekeeper.service.service import create_app
from schemas.topics import FACT_TOPICS
from streams.client import admin
from streams.kafka.broker import Broker
from streams.serving.result_pages import Cursor
from tests.support import canaries, invented, staff
from tests.support.forked import Command, run
from tests.support.generated_client import generated
from tests.support.invented import bare
from tests.support.own_metrics import ANYWHERE
from tests.support.service import (
    CONTRACT,
    NDJSON,
    killed_amid_posts,
    ndjson,
    question,
    raced,
    service,
    withdrawal,
)
from tests.support.world import World, consent_of, send_to, source_of, until

PEOPLE, RACERS = 200, 80
JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def world(kafka: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A system with a worker and people who agreed."""
    folder = tmp_path_factory.mktemp("world")
    world = World(kafka.bootstrap, f"t{uuid.uuid4().hex}.", partitions=2, data=str(folder / "data")).create()
    world.people([f"r{number}" for number in range(PEOPLE)])
    with world.process(folder / "log"):
        yield world


@pytest.fixture(scope="module")
def served(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Command, httpx.Client]]:
    with service(world, tmp_path_factory.mktemp("service"), **ANYWHERE) as found:
        yield found


@pytest.fixture(scope="module")
def client(served: tuple[Command, httpx.Client]) -> httpx.Client:
    return served[1]


@pytest.mark.main
def test_a_new_person_is_stated_mailed_and_withdraws_then_each_answer_is_the_gate_s(
    world: World, client: httpx.Client
) -> None:
    """The whole of a caller's life, with one order of events."""
    asked = client.post("/access/v1/evaluation", json=question("new")).json()
    assert asked["decision"] is False
    assert asked["context"]["verdict"] in ("confirm", "block", "review")
    assert {"code", "clause", "remedy", "ja", "en"} <= asked["context"]["reasons"][0].keys()
    assert "clears" in asked["context"]["clearance"]["en"]

    stated = client.post("/v1/facts/sources", json=source_of("new"))
    assert "place" in stated.json(), stated.text
    assert (stated.status_code, stated.json()["place"].split("/")[0]) == (200, "sources")
    place = client.post("/v1/facts/consents", json=consent_of("new")).json()["place"]
    (fact,) = (one for one in world.read("consents") if one.key() == b"new")
    assert fact.headers() == [("gate-caller", b"everybody")]
    asked = client.post("/access/v1/evaluation", json={**question("new"), "context": {"at_least": [place]}}).json()
    assert asked["decision"] is True, asked
    assert asked["context"]["policy"]["id"] == "jp-pmark"
    partition, offset = map(int, place.split("/")[1:])
    assert asked["context"]["positions"]["consents"][partition] > offset

    send = {key: value for key, value in send_to("new", "new").items() if key != "event_id"}
    once = {"headers": {"Idempotency-Key": "order-1"}, "params": {"wait": 60, "not_before": place}}
    first = client.post("/v1/sends", json=send, **once)
    assert (first.status_code, first.json()["decision"]["verdict"]) == (200, "clear")
    again = client.post("/v1/sends", json=send, **once)
    assert again.json()["event_id"] == first.json()["event_id"]
    assert again.json()["decision"]["primary"] == "DUPLICATE_SEND"
    assert again.json()["decision"]["duplicate_of"] == first.json()["decision"]["decision_id"]
    assert again.json()["decision"]["duplicate_of_event"] == first.json()["event_id"]
    other = client.post("/v1/sends", json={**send, "recipient_id": "r3"}, headers={"Idempotency-Key": "order-1"})
    assert other.json()["event_id"] != first.json()["event_id"], "an id would stand for two sends"
    assert client.post("/v1/sends", json=send, headers={"Idempotency-Key": "order-2"}).status_code == 202

    assert client.post("/v1/facts/consents", json=withdrawal("new")).status_code == 200
    assert client.post("/access/v1/evaluation", json=question("new")).json()["decision"] is False
    trace = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
    last = client.post("/v1/sends", json=send_to("new", "last"), params={"wait": 60}, headers=trace).json()
    assert last["decision"]["verdict"] != "clear"
    found = {name: list(map(event_and_trace, world.read(name))) for name in ("sends", "review", "results")}
    wanted = (last["event_id"], trace["traceparent"].encode())
    assert {name: wanted in pairs for name, pairs in found.items()} == {"sends": True, "review": True, "results": True}
    assert {named for pairs in found.values() for event, named in pairs if event != last["event_id"]} <= {None}


def callers_file(folder: Path, scopes: dict[str, str]) -> dict[str, str]:
    """Writes callers.toml, with what each caller may do; returns the key of each."""
    keys = {name: new_key() for name in scopes}
    entries = (
        f'[[callers]]\nid = "{name}"\nscopes = {scopes[name]}\nkey_sha256 = ["{digest(key)}"]\n'
        for name, key in keys.items()
    )
    (folder / "callers.toml").touch(0o600)
    (folder / "callers.toml").write_text("\n".join(entries))
    return keys


@asynccontextmanager
async def instance(
    world: World, callers: Path | None = None, failures: list[BaseException] | None = None, **settings: Any
) -> AsyncIterator[httpx.AsyncClient]:
    """One more service in this process, once it is ready. `settings`: those that differ from the world's."""
    heard = [].append if failures is None else failures.append
    ours = world.settings.model_copy(update=settings)
    app = create_app(ours, Callers(callers), release="0", url="https://g.example/", on_failure=heard)
    through = httpx.ASGITransport(app, client=("127.0.0.1", 1))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=through, base_url="http://127.0.0.1", timeout=60) as client,
    ):
        async with asyncio.timeout(60):
            while (await client.get("/readyz")).status_code != 200:
                pass
        yield client


OTHERS = {"collected_by": "C9", "source_id": "s-c9"}
STOPPED = {"v": 1, "kind": "objection", "suppression_id": "s-1", "received_at": "2026-01-01", "recipient_id": "mine"}
FOREIGN = [
    ("sources", bare(source_of("mine")), "collected_by"),
    ("sources", bare(source_of("mine", collected_by="C9", state="deleted")), "source_id"),
    ("consents", consent_of("mine", record_id="more"), "controller_id"),
    ("consents", consent_of("mine", controller_id="C9"), "record_id"),
    ("consents", consent_of("mine", state="Invalidated", controller_id="C9", voids="Given-mine"), "voids"),
    ("consents", {"v": 1, "kind": "identity_resolved", "recipient_id": "mine", "at": "2026-01-01"}, "kind"),
    ("suppressions", {**STOPPED, "state": "corrected"}, "state"),
]


def test_a_caller_of_one_company_then_it_speaks_for_no_other_and_its_stops_count(world: World, tmp_path: Path) -> None:
    """An attacker with the key of a small company beside a large one."""
    world.people(["mine"])
    small = {"small": '["sends", "facts", "access"]\ncontrollers = ["C9"]\nstops_per_day = 3'}
    (key,), callers = callers_file(tmp_path, small).values(), tmp_path / "callers.toml"
    ours = source_of("mine", **OTHERS)

    def counts() -> dict[str, int]:
        return {topic: len(world.read(topic)) for topic in ("sends", "sources", "consents", "suppressions")}

    async def work() -> None:
        async with instance(world, callers, data="") as client:
            client.headers["authorization"] = f"Bearer {key}"

            async def refused(path: str, lines: list[Any], line: int, problem: str, field: str) -> None:
                answer = await client.post(path, content=ndjson(lines), headers=NDJSON)
                told = answer.json()
                assert (answer.status_code, told["type"].rpartition(":")[2]) == (403, problem), told
                assert (told["line"], told["field"]) == (line, field)

            written = await asyncio.to_thread(counts)
            sends = [send_to("mine", "fine", controller_id="C9"), send_to("mine", "foreign")]
            await refused("/v1/sends", [sends[1]], 1, "controller_not_yours", "controller_id")
            for topic, fact, field in FOREIGN:
                problem = "all_companies_needed" if field in ("kind", "state") else "controller_not_yours"
                good = bare(ours) if topic == "sources" else {**STOPPED, "scope": {"controller": "C9"}}
                lines = [good, fact] if topic != "consents" else [fact]
                await refused(f"/v1/facts/{topic}", lines, len(lines), problem, field)
            for questions in ([question("mine")], [{**question("mine"), "subject": OF_C9}, question("mine")]):
                one = len(questions) == 1
                path = "/access/v1/evaluation" if one else "/access/v1/evaluations"
                answer = await client.post(path, json=questions[0] if one else {"evaluations": questions})
                assert (answer.status_code, answer.json()["line"]) == (403, len(questions)), answer.json()
            assert await asyncio.to_thread(counts) == written, "not a line of a refused request is written"

            asked = await client.post("/access/v1/evaluation", json={**question("mine"), "subject": OF_C9})
            assert asked.status_code == 200, asked.json()
            own = [("sources", bare(ours)), ("suppressions", {**STOPPED, "scope": {"controller": "C9"}})]
            own += [("consents", consent_of("mine", controller_id="C9", record_id="own"))]
            for topic, fact in own:
                assert (await client.post(f"/v1/facts/{topic}", json=fact)).status_code == 200, topic

            stops = [{**STOPPED, "suppression_id": f"s-{n}"} for n in range(4)]
            many = await client.post("/v1/facts/suppressions", content=ndjson(stops), headers=NDJSON)
            assert (many.status_code, many.json()["type"].rpartition(":")[2]) == (413, "too_many_stops")
            assert (await client.post("/v1/facts/consents", json=withdrawal("mine"))).status_code == 200
            two = await client.post("/v1/facts/suppressions", content=ndjson(stops[:2]), headers=NDJSON)
            assert two.json()["acknowledged"] == 2, "anybody may state a stop"
            late = await client.post("/v1/facts/suppressions", json=stops[2])
            assert (late.status_code, late.json()["type"].rpartition(":")[2]) == (429, "too_many_stops")
            assert int(late.headers["retry-after"]) > 3600
            assert (await client.post("/v1/facts/suppressions", json=own[1][1])).status_code == 200, "own ones go on"

    asyncio.run(work())


OF_C9 = {"type": "controller", "id": "C9"}


def event_and_trace(message: Any) -> tuple[str | None, bytes | None]:
    return json.loads(message.value()).get("event_id"), dict(message.headers() or ()).get("traceparent")


def test_another_token_key_under_the_workers_number_then_the_service_ends_with_4(world: World, tmp_path: Path) -> None:
    keys = Keys(shutil.copytree(world.keys, tmp_path / "keys"))
    (keys.folder / "token-1.key").unlink()
    keys.make("token", "gk/token", secret=b"x" * 32)
    done = run("serve", "--port", "0", env=os.environ | world.environment | {"GATEKEEPER_KEYS": str(keys.folder)})
    assert done.returncode == 4, done.stderr
    assert "token-1.key" in done.stderr


def test_thousands_of_questions_of_one_caller_then_another_is_answered_amid_them(world: World, tmp_path: Path) -> None:
    keys = callers_file(tmp_path, dict.fromkeys(("greedy", "other"), '["access"]'))
    greedy, other = ({"authorization": f"Bearer {key}"} for key in keys.values())
    many = {"evaluations": [question(f"r{number % PEOPLE}") for number in range(40)]}
    amid, limits = 0, httpx.Limits(max_connections=100)
    with service(world, tmp_path / "data", GATEKEEPER_SERVE_CALLERS=str(tmp_path / "callers.toml")) as (_, client):
        with (
            httpx.Client(base_url=client.base_url, timeout=120, limits=limits) as all_at_once,
            ThreadPoolExecutor(100) as at_once,
        ):
            asked = [
                at_once.submit(all_at_once.post, "/access/v1/evaluations", json=many, headers=greedy)
                for _ in range(100)
            ]
            while not all(one.done() for one in asked):
                answer = client.post("/access/v1/evaluation", json=question("r1"), headers=other)
                assert answer.status_code == 200, answer.text
                amid += not all(one.done() for one in asked)
        answers = [one.result() for one in asked]
    statuses = Counter(one.status_code for one in answers)
    assert amid, "it waited for all of them"
    assert statuses.keys() == {200, 429}
    assert all(one.headers["retry-after"] == "1" for one in answers if one.status_code == 429)
    found = [one for each in answers if each.status_code == 200 for one in each.json()["evaluations"]]
    assert {one["context"]["primary"] for one in found} <= {None, "FACTS_STALE"}, "late facts withhold, and no more"


def test_a_foreign_host_then_no_answer_leads_there(world: World, tmp_path: Path) -> None:
    callers_file(tmp_path, {"a": '["access"]'})
    file, own = tmp_path / "callers.toml", {"GATEKEEPER_SERVE_URL": "https://gate.example"}
    named = {"host": "elsewhere.example", "x-forwarded-host": "elsewhere.example", "x-forwarded-proto": "https"}
    for more in ({}, own):
        with service(world, tmp_path / "data", GATEKEEPER_SERVE_CALLERS=str(file), **more) as (_, client):
            mine = more.get("GATEKEEPER_SERVE_URL", str(client.base_url).rstrip("/"))
            told = client.get("/.well-known/authzen-configuration", headers=named).json()
            assert all(url.startswith(mine) for url in told.values()), "Host is a mere claim"
            for path in ("/healthz/", "/v1/sends/", "//v1/sends"):
                answer = client.get(path, headers=named)
                assert answer.status_code in (401, 404), "a redirect would lead to that host"
                assert "elsewhere.example" not in answer.text


def test_withdrawals_raced_by_others_then_nothing_is_clear_after_an_acknowledged_one(
    world: World, client: httpx.Client
) -> None:
    """`scripts/race` does it with 10,000 people."""
    people = [f"race-{number}" for number in range(RACERS)]
    world.people(people)
    assert list(raced(client, people)) == []


def test_a_client_generated_of_the_openapi_document_then_it_publishes_and_asks(
    world: World, client: httpx.Client, tmp_path: Path
) -> None:
    world.people(["generated"])
    with generated(tmp_path) as made, made.Client(str(client.base_url), timeout=120) as ours:
        publish, state, ask = (made.api(name) for name in ("publish", "state_consents", "evaluation"))
        send, consent = made.models.Send.from_dict, made.models.Consent
        first = publish.sync(client=ours, body=send(send_to("generated", "generated-1")), wait=60)
        assert (first.decision.verdict, first.event_id) == ("clear", send_to("generated", "generated-1")["event_id"])
        no = state.sync(client=ours, body=consent(**withdrawal("generated")))
        asked = made.models.AccessRequest.from_dict({**question("generated"), "context": {"at_least": [no.place]}})
        assert ask.sync(client=ours, body=asked).decision is False
        second = send(send_to("generated", "generated-2"))
        again = publish.sync(client=ours, body=second, wait=60, not_before=[no.place])
        assert again.decision.primary == "CONSENT_WITHDRAWN"
        refused = publish.sync_detailed(client=ours, body=send({**second.to_dict(), "template_id": "T9"}))
        assert (refused.status_code, refused.parsed.field) == (422, "template_id")


def test_lines_that_cannot_be_read_then_each_says_so_and_the_others_are_written(client: httpx.Client) -> None:
    good, unknown = send_to("r1", "good"), send_to("r1", "unknown", template_id="T9")
    answer = client.post("/v1/sends", content=ndjson([good, unknown]) + b'\n\n{"v":1', headers=NDJSON)
    assert answer.status_code == 202
    told = answer.json()
    assert (told["acknowledged"], told["refused"]) == (1, 2)
    assert [one["line"] for one in told["sends"]] == [1, 2, 4]
    assert told["sends"][0]["place"].startswith("sends/")
    assert told["sends"][1]["problem"]["field"] == "template_id"
    assert "T1" in told["sends"][1]["problem"]["ja"]
    alone = client.post("/v1/sends", json=unknown)
    assert (alone.status_code, alone.headers["content-type"]) == (422, "application/problem+json")
    assert alone.json()["field"] == "template_id"


def test_people_in_bodies_paths_and_headers_then_no_answer_repeats_them(client: httpx.Client) -> None:
    """The end of the service looks through all that it printed."""
    for number, person in enumerate(canaries.PEOPLE):
        sent, asked = send_to(f"c{number}", f"canary-{number}", delivery=person), question(f"c{number}")
        asked["resource"]["properties"]["delivery"] = person
        name = person["name"]
        broken = {**sent, name: 1}, {**sent, "delivery": {**person, "name": [name]}}, {**sent, "recipient_id": name}
        facts = (
            {**source_of("c"), "contact_points": [{"id": "cp", "written": person}]},
            {**consent_of("c"), "state": name},
        )
        answers = [
            client.post("/v1/sends", content=ndjson([sent, *broken]) + b"\n" + name.encode(), headers=NDJSON),
            *(client.post("/v1/sends", json=one) for one in broken),
            *(client.post(f"/v1/facts/{topic}", json=one) for topic in ("sources", "consents") for one in facts),
            client.post(f"/v1/facts/{name}", json=facts[0], params={"wait": name}),
            client.post("/access/v1/evaluation", json=asked),
            client.post("/access/v1/evaluation", json={**asked, name: name}),
            client.post("/access/v1/evaluation", json=question(name, **{name: name})),
            client.post("/access/v1/evaluation", content=name.encode(), headers=JSON),
            client.post("/v1/sends", json=sent, headers={"Authorization": f"Bearer {name}".encode()}),
        ]
        assert [answer.text for answer in answers if canaries.found(answer.content)] == []
        assert {answer.status_code for answer in answers} <= {200, 202, 400, 404, 422}


@pytest.mark.parametrize(
    ("method", "path", "given", "status", "name"),
    [
        ("POST", "/v1/sends", {"content": b"", "headers": NDJSON}, 400, "body_empty"),
        ("POST", "/v1/sends", {"content": b"a,b"}, 415, "media_type"),
        ("POST", "/v1/sends", {"json": {"event_id": "e"}, "headers": {"Idempotency-Key": "k"}}, 422, "event_id_twice"),
        ("POST", "/v1/sends", {"content": b"\n" * 10_001, "headers": NDJSON}, 413, "too_many_lines"),
        ("POST", "/v1/sends", {"json": {}, "params": {"not_before": "cleared/0/0"}}, 400, "place_wrong"),
        ("POST", "/v1/sends", {"json": {}, "params": {"not_before": "consents/0/99999"}}, 409, "place_ahead"),
        ("POST", "/v1/facts/reference", {"json": {}}, 404, "no_such_facts"),
        ("POST", "/access/v1/evaluation", {"json": {"花子": 1}}, 400, "request_wrong"),
        ("POST", "/access/v1/evaluation", {"json": question("r1", 花子=1)}, 400, "property_unknown"),
        ("POST", "/access/v1/evaluation", {"json": question("r1", channel="owl")}, 400, "field_invalid"),
        ("POST", "/access/v1/evaluation", {"content": b'{"a":1,"a":1}', "headers": JSON}, 400, "not_json"),
        ("POST", "/access/v1/evaluation", {"content": b" " * 16_777_217, "headers": JSON}, 413, "body_too_long"),
        ("POST", "/access/v1/evaluations", {"json": {"evaluations": [{}]}}, 400, "question_lacks"),
        ("GET", "/v1/sends", {}, 405, "no_such_method"),
        ("GET", "/花子", {}, 404, "no_such_path"),
        ("POST", "/v1/sends", {"json": {}, "headers": {"Origin": "https://shop.example"}}, 403, "not_for_browsers"),
        ("POST", "/v1/sends", {"json": {}, "headers": {"Host": "gate.example"}}, 403, "not_for_browsers"),
    ],
)
def test_a_request_that_cannot_be_served_then_a_problem_that_repeats_nothing_of_it(
    client: httpx.Client, method: str, path: str, given: dict[str, Any], status: int, name: str
) -> None:
    answer = client.request(method, path, **given)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    told = answer.json()
    assert (told["type"], told["status"]) == (f"urn:gatekeeper:problem:{name}", status)
    assert told["ja"] != told["en"] == told["title"]
    assert "花子" not in answer.text


def pages(client: httpx.Client, campaign: str, cursor: str | None = None, **more: Any) -> tuple[list[Any], str]:
    """Reads a campaign's results to the end, page by page; gives them and the last cursor."""
    found = list[Any]()
    while True:
        asked = {"cursor": cursor} if cursor else {}
        answer = client.get(f"/v1/campaigns/{campaign}/results", params={**asked, "limit": 7}, **more)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/x-ndjson"), answer.text
        lines = answer.text.splitlines()
        assert len(lines) <= 7
        found += map(json.loads, lines)
        cursor = answer.headers["gate-cursor"]
        if answer.headers["gate-more"] == "false":
            return found, cursor


def test_a_campaign_then_its_counts_and_results_are_those_of_the_topic(
    world: World, client: httpx.Client, tmp_path: Path
) -> None:
    """The results of one campaign, read on by another process, and told to nobody else."""
    people = [f"r{number}" for number in range(100, 120)] + ["unknown-1", "unknown-2"]
    sends = [send_to(person, f"told-{person}", campaign_id="told") for person in people]
    other = send_to("r120", "else")
    assert (
        client.post("/v1/sends", content=ndjson([*sends, other]), headers=NDJSON, params={"wait": 60}).status_code
        == 200
    )

    def counts(by: httpx.Client = client, **more: Any) -> Any:
        answer = by.get("/v1/campaigns/told", **more)
        assert answer.status_code == 200, answer.text
        Draft202012Validator(
            {"components": CONTRACT["components"], "$ref": "#/components/schemas/CampaignAnswer"}
        ).validate(answer.json())
        return answer.json()

    until(lambda: counts()["undecided"] == 0, "everything is decided")
    told = counts()
    assert (told["decided"], told["cleared"], told["withheld"], told["done"]) == (22, 20, 2, False)
    assert (told["reasons"], told["verdicts"]["clear"]) == ({"SOURCE_UNKNOWN": 2}, 20)
    assert client.post("/v1/facts/consents", json=withdrawal("r100")).status_code == 200
    until(lambda: counts()["recalled"] == 1, "the recall")
    found, cursor = pages(client, "told")
    topic = [json.loads(message.value()) for message in world.read("results")]
    assert sorted(found, key=str) == sorted((one for one in topic if one["campaign_id"] == "told"), key=str)
    last = {one["event_id"]: one["outcome"] for one in found}
    assert last == {
        **{f"e-told-{person}": "cleared" for person in people[1:20]},
        **{f"e-told-unknown-{number}": "withheld" for number in (1, 2)},
        "e-told-r100": "recalled",
    }
    assert pages(client, "told", cursor) == ([], cursor)

    scopes = {"all": '["results"]', "another": '["results"]\ncontrollers = ["C9"]', "sender": '["sends"]'}
    keys = callers_file(tmp_path, scopes)
    by = {name: {"headers": {"authorization": f"Bearer {key}"}} for name, key in keys.items()}
    with service(world, tmp_path / "data", GATEKEEPER_SERVE_CALLERS=str(tmp_path / "callers.toml")) as (_, after):
        assert pages(after, "told", cursor, **by["all"]) == ([], cursor), "a cursor outlives the process"
        assert pages(after, "told", **by["another"])[0] == []
        assert counts(after, **by["another"])["decided"] == 0
        answer = after.get("/v1/campaigns/told/results", params={"cursor": cursor}, **by["another"])
        assert answer.status_code == 410, "what it passed over is not what this caller passes over"
        assert counts(after, **by["all"])["recalled"] == 1
        assert after.get("/v1/campaigns/told/results", **by["sender"]).status_code == 403
        gone = Cursor("0" * 16, "told", Cursor.decode(cursor).next).encode()
        for text, status in (("x", 400), (gone, 410)):
            answer = after.get("/v1/campaigns/told/results", params={"cursor": text}, **by["all"])
            assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


def test_kafka_falls_silent_then_who_asks_for_results_hears_so_and_too_many_get_429(tmp_path: Path) -> None:
    async def work(broker: Broker, world: World) -> None:
        async with instance(world) as client, asyncio.timeout(120):

            async def answers(count: int, *more: str) -> list[int]:
                paths = ("/v1/campaigns/K-1", *more)
                found = await asyncio.gather(*(client.get(path) for path in paths for _ in range(count)))
                return [answer.status_code for answer in found]

            assert await answers(1, "/v1/campaigns/K-1/results") == [200, 200]
            os.kill(broker.pid, signal.SIGSTOP)
            assert Counter(await asyncio.wait_for(answers(MAX_UNDER_WAY + 1), 30)) == {503: MAX_UNDER_WAY, 429: 1}
            assert await asyncio.wait_for(answers(1, "/v1/campaigns/K-1/results"), 30) == [503, 503]
            os.kill(broker.pid, signal.SIGCONT)
            while set(await answers(1)) != {200}:
                pass

    with Broker(tmp_path / "kafka") as broker:
        try:
            asyncio.run(work(broker, World(broker.bootstrap, "own.").create()))
        finally:
            os.kill(broker.pid, signal.SIGCONT)


def test_a_topic_that_kafka_refuses_then_504_and_others_go_on_and_it_too_afterwards(kafka: Broker, prefix: str) -> None:
    """The refused record leaves a gap in the numbers of its producer, which Kafka would refuse for ever."""
    world, failures = World(kafka.bootstrap, prefix).create(), list[BaseException]()
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})

    def longest(count: str) -> None:
        entry = ConfigEntry("max.message.bytes", count, incremental_operation=AlterConfigOpType.SET)
        topic = ConfigResource(ConfigResource.Type.TOPIC, world.topic("consents"), incremental_configs=[entry])
        admin.incremental_alter_configs([topic])[topic].result(30)

    async def work() -> None:
        async with instance(world, failures=failures) as client, asyncio.timeout(120):

            async def stated(topic: str, fact: dict[str, Any]) -> int:
                return (await client.post(f"/v1/facts/{topic}", json=fact)).status_code

            assert await stated("consents", consent_of("r1")) == 200
            longest("10")
            while await stated("consents", consent_of("r2")) == 200:
                pass  # the broker heeds it soon
            both = stated("consents", consent_of("r8")), stated("sources", bare(source_of("r8")))
            assert await asyncio.gather(*both) == [504, 200]
            longest("1048576")
            while await stated("consents", consent_of("r9")) == 504:
                pass
            assert await stated("consents", consent_of("r1")) == 200
        assert failures == []

    asyncio.run(work())


def test_a_stranger_asks_whether_it_is_ready_then_the_answer_counts_nobody(world: World, client: httpx.Client) -> None:
    def ready() -> dict[str, Any]:
        found: dict[str, Any] = client.get("/readyz").json()
        assert {name for name, value in found.items() if type(value) is not bool} == {"facts_as_of", "withholding"}
        return found

    def put(topic: str, key: str | None, value: bytes) -> tuple[int, str]:
        producer, placed = world.producer(), list[Any]()
        producer.produce(world.topic(topic), value, key, on_delivery=lambda _, message: placed.append(message))
        producer.flush(30)
        return placed[0].partition(), f"{topic}/{placed[0].partition()}/{placed[0].offset()}"

    assert ready()["withholding"] == []
    put("consents", "somebody", b"{")
    places = [put("consents", None, b"{"), put("consents", None, b"{")]
    found = until(lambda: ready()["withholding"], "it says what withholds everybody")
    (one,) = found
    assert one.keys() == {"record", "since", "withholds", "do"}, "and neither how many records there are, nor managers"
    assert (one["withholds"], one["record"] in [place for _, place in places]) == ("everybody", True)
    assert one["do"] == f"gatekeeper deadletter resolve {one['record']}"
    topic, gap = invented.gap("method/web", "C2")
    places += [put(topic, gap["gap_id"], json.dumps(gap).encode())]
    found = until(lambda: len(told := ready()["withholding"]) == 2 and told, "it says what withholds a company")
    assert [one["withholds"] for one in found] == ["everybody", "companies"]
    assert "C2" not in str(found)
    for by in staff.MANAGERS:
        for number, place in places:
            said = {"v": 1, "kind": "resolution", "id": f"{by}-{place.replace('/', '-')}", "by": by, "reason": "seen"}
            said |= {"topic": world.topic("consents"), "partition": number, "offset": int(place.rpartition("/")[2])}
            world.put("reference", [(f"resolution/{said['id']}", said | {"at": staff.now()})])
    until(lambda: ready()["withholding"] == [], "two managers let all of it go")


STOP = {"v": 1, "kind": "objection", "suppression_id": "s", "received_at": "2026-01-01", "recipient_id": "r2"}


def test_a_topic_made_again_under_the_service_then_70_and_its_next_start_serves(
    kafka: Broker, prefix: str, tmp_path: Path
) -> None:
    world = World(kafka.bootstrap, prefix).create()
    world.people(["r1"])

    def decided() -> None:
        """A worker has decided by the topics of now, or a person has let it go on."""
        topics = admin.topic_ids(world.settings, (*FACT_TOPICS, "ledger"))
        world.put("ledger", [(HEAD.decode(), Head(sends=0).with_topics(topics).encode())], partition=0)

    world.put("suppressions", [("r2", STOP)])
    decided()
    with service(world, tmp_path, ends=70) as (process, client):
        assert client.post("/access/v1/evaluation", json=question("r1")).json()["decision"]
        world.remake("suppressions")
        assert process.wait(60) == 70
    with service(world, tmp_path) as (_, client):
        asked = client.post("/access/v1/evaluation", json=question("r1")).json()
        assert asked["decision"] is False, "the person's stops are gone from the topic, and from the disk"
        assert client.post("/v1/facts/consents", json=consent_of("r1")).status_code == 200
        decided()
        until(lambda: client.post("/access/v1/evaluation", json=question("r1")).json()["decision"], "a person's word")


def test_killed_amid_posts_then_each_acknowledged_send_is_decided_once(world: World, tmp_path: Path) -> None:
    """`scripts/race` does it with as many sends as people."""
    acknowledged, twice = killed_amid_posts(world, tmp_path, [f"r{number % PEOPLE}" for number in range(2_000)])
    assert acknowledged
    assert twice == set()
