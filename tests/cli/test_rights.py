"""A broker that asks for TLS, a user and rights: each part does its work with its own, and nothing beyond it."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import time
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition

from gatekeeper.console.app import create_app
from gatekeeper.console.pages import PAGES as CONSOLE
from gatekeeper.ground.settings import Settings
from gatekeeper.keys import ROLES, Keys, key_name
from gatekeeper.service import service
from gatekeeper.service.callers import Callers
from schemas.topics import FACT_TOPICS, PARTS, TOPICS
from streams.client import broker_access
from streams.client.rights import Right, rights
from tests.cli.conftest import Outcome, Run
from tests.docs.conftest import PAGES, rows
from tests.support.invented import KEY, bare
from tests.support.secure import Secured, secured
from tests.support.world import DEADLINE, World, consent_of, eventually, send_to, source_of, until

As = Callable[..., Outcome]
"""Runs a command as one of the parts."""
REFUSED = (
    "review release",
    "review accept-print",
    "partition resume",
    "deadletter show",
    "deadletter resolve",
)
"""Commands that find nothing to act on here, once they have read everything."""
ALIKE = (
    *(f"review {kind}" for kind in ("approve", "uphold", "ask", "redecide", "undo")),
    *("staff add", "staff revoke", "reference sign"),
)
"""Commands that ask the broker for the same as `review note`, or as `purpose add`."""
PAGE = {part: names.split(", ") for part, _, names in rows(PAGES["docs/reference/rights.md"], "part") if names}
"""The commands for which each part's user suffices, as the page says."""


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    with secured(tmp_path_factory.mktemp("secured")) as running:
        yield running


@pytest.fixture(scope="module")
def world(kafka: Secured, tmp_path_factory: pytest.TempPathFactory) -> World:
    keys = Keys(tmp_path_factory.mktemp("keys") / "keys")
    world = World(kafka.plain, f"t{uuid.uuid4().hex}.", partitions=2, max_lag=60.0, keys=str(keys.folder)).create()
    for role in ROLES:
        keys.make(role, key_name(world.settings.group, role), secret=KEY if role == "token" else None)
    world.people(["anna", "ben"])
    return world


@pytest.fixture(scope="module")
def users(kafka: Secured, world: World) -> dict[str, dict[str, str]]:
    """The settings of a user for each part, by the part's name."""
    return {part: kafka.user(part, rights(world.settings, part)) for part in PARTS}


@pytest.fixture(scope="module")
def worker(world: World, users: dict[str, dict[str, str]], tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Runs a worker with its own user."""
    with world.process(tmp_path_factory.mktemp("worker") / "worker.log", **users["worker"]):
        yield


@pytest.fixture
def as_(world: World, users: dict[str, dict[str, str]], run: Run, monkeypatch: pytest.MonkeyPatch) -> As:
    def ran(part: str, *arguments: str, **settings: str) -> Outcome:
        told = {f"GATEKEEPER_{name.upper()}": value for name, value in (users[part] | settings).items()}
        own = {"GATEKEEPER_USER": "hanako", "GATEKEEPER_LOG": str(Path(world.keys).parent / "log")}
        for name, value in (world.environment | told | own).items():
            monkeypatch.setenv(name, value)
        return run(*arguments)

    return ran


def test_what_a_part_may_not_do_then_it_is_said_what_right_it_lacks(
    world: World, worker: None, as_: As, tmp_path: Path
) -> None:
    campaign = tmp_path / "campaign.jsonl"
    for number in range(2):
        campaign.write_text("\n".join(json.dumps(send_to(name, number)) for name in ("anna", "ben")))
        published = as_("platform", "publish", str(campaign), "--json")
        assert (published.code, published.json["published"]) == (0, 2), published
    assert {one["new"] for one in published.json["campaigns"]} == {None}, "it may not read sends"
    assert "Group" in as_("sealer", "status").says(2), "owners that cannot be read are not taken for none"
    for forbidden in (
        ("withdraw", "anna"),
        ("publish", str(campaign)),
        ("audit", "seal", "--once"),
        ("suspend", "C1", "--reason", "a test"),
    ):
        said = as_("auditor", *forbidden).says(2)
        assert "auditor" in said, said
        assert "gatekeeper topics rights" in said, said


@pytest.mark.main
def test_each_command_with_the_user_that_the_page_names_then_no_right_is_missing(
    world: World, worker: None, as_: As, tmp_path: Path
) -> None:
    made = _inputs(tmp_path)
    world.put("reference", [("batch/B-1", {"v": 1, "kind": "batch", "id": "B-1", "name": "見本名簿"})])
    stop = {"v": 1, "kind": "objection", "suppression_id": "x1", "received_at": "2026-01-01", "recipient_id": "yoko"}
    world.put("suppressions", [("yoko", stop)])
    lines = tmp_path / "campaign.jsonl"
    lines.write_text(json.dumps(send_to("zoe", "commands")))
    assert as_("platform", "publish", str(lines)).code == 0
    until(lambda: "e-commands" in world.verdicts(), "a decision")
    (did,) = (one.did for one in world.audits() if one.send and one.send["event_id"] == "e-commands")
    item = (did, "--reason", "a test")
    arguments: dict[str, tuple[str, ...]] = {
        "review release": (*item, "--evidence", "form-1"),
        "review note": item,
        "review show": (did,),
        "review accept-print": (did, "--evidence", "memo-1", "--yes"),
        "withdraw": ("zoe",),
        "correct": ("x1", "--evidence", "minutes-7", "--yes"),
        "request": ("P-1", "7", "--asked", "disclosure"),
        "erase": ("zoe", "--reason", "a test", "--yes"),
        "readmit": ("zoe", "--reason", "a test", "--evidence", "form-91"),
        "suspend": ("C1", "--reason", "a test"),
        "resume": ("C1", "--reason", "a test"),
        "source quarantine": ("B-1", "--reason", "a test"),
        "policy activate": ("jp-appi", "--from", "now", "--yes"),
        "policy show": ("jp-pmark", "--live"),
        "policy list": ("--live",),
        "purpose add": ("mkt.x", "--name-ja", "案内", "--name-en", "News", "--marketing"),
        "campaign show": ("K-commands",),
        "campaign cancel": ("K-commands", "--reason", "a test", "--yes"),
        "handoff": ("K-commands", "--out", str(tmp_path / "pieces.csv")),
        "reconcile": (made["delivered"],),
        "check": (str(lines),),
        "publish": (str(lines),),
        **{f"import {topic}": (made[topic],) for topic in (*FACT_TOPICS, "answers")},
        "import suppressions": (made["suppressions"], "--recorded", "now"),
        "partition show": ("0",),
        "partition resume": ("0", "--from", "0", "--reason", "a test", "--yes"),
        "deadletter show": ("consents/0/0",),
        "deadletter resolve": ("consents/0/0", "--reason", "a test"),
        "audit reemit": ("--topic", "cleared"),
        "audit export": ("--out", str(tmp_path / "export")),
        "audit explain": (did,),
        "letter": (did, "--out", str(tmp_path / "letter.html")),
        "audit replay": ("--live", "--rate", "0"),
        "audit what-if": ("--policy", "jp-appi", "--live"),
        "audit seal": ("--once",),
        "audit branch": ("0",),
        "report": ("--from", "2026-01-01", "--to", "2026-02-01"),
        "tail": ("cleared", "--no-follow"),
        "backup": (str(tmp_path / "saved"),),
    }
    wrong = []
    for part in PARTS:
        for command in PAGE.get(part, ()):
            if command not in (*ALIKE, "worker", "console", "serve", "webhooks run", "audit witness"):
                done = as_(part, *command.split(), *arguments.pop(command, ()))
                right = (0, 1, 2, 5) if command in REFUSED else (0, 1, 5)
                if done.code not in right or "rights" in done.err or "authorized" in done.err:
                    wrong.append((part, command, done))
    assert wrong == []
    assert not arguments


def _inputs(folder: Path) -> dict[str, str]:
    """Makes a file for each command that reads one."""
    stop = {"v": 1, "kind": "objection", "suppression_id": "stop-1", "received_at": "2026-01-01", "recipient_id": "yan"}
    values = {
        "sources": bare(source_of("yan")),
        "consents": consent_of("yan"),
        "suppressions": stop,
        "reference": {"v": 1, "kind": "controller", "id": "C9"},
    }
    found = {name: folder / f"{name}.jsonl" for name in values}
    for name, value in values.items():
        found[name].write_text(json.dumps(value))
    for name, text in (("answers", "code,answer,date\n,yes,2026-11-05\n"), ("delivered", "decision_id\nD\n")):
        found[name] = folder / f"{name}.csv"
        found[name].write_text(text)
    return {name: str(path) for name, path in found.items()}


def test_the_console_with_its_own_user_then_every_page_is_shown(
    world: World, worker: None, users: dict[str, dict[str, str]]
) -> None:
    ours = {name.removeprefix("GATEKEEPER_").lower(): value for name, value in world.environment.items()}
    app = create_app(Settings(**ours | users["console"] | {"user": "hanako"}), users=None)

    async def visit() -> None:
        through = httpx.ASGITransport(app, client=("127.0.0.1", 1))
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=through, base_url="http://127.0.0.1") as browser,
        ):
            await eventually(lambda: app.state.console.feed.progress.ready, "a model")
            for page in CONSOLE:
                if page.path:
                    assert (await browser.get(page.path)).status_code == 200, page.path

    asyncio.run(visit())


def test_the_service_with_its_own_user_then_it_publishes_states_and_answers(
    world: World, worker: None, users: dict[str, dict[str, str]]
) -> None:
    ours = {name.removeprefix("GATEKEEPER_").lower(): value for name, value in world.environment.items()}
    failures: list[BaseException] = []
    settings = Settings(**ours | users["serve"] | {"data": ""})
    app = service.create_app(settings, Callers(None), release="0", url="https://g.example/", on_failure=failures.append)

    async def call() -> None:
        through = httpx.ASGITransport(app, client=("127.0.0.1", 1))
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=through, base_url="http://127.0.0.1", timeout=DEADLINE) as client,
        ):
            await eventually(lambda: app.state.parts.live.ready, "facts and ledger")
            for topic, fact in (("sources", bare(source_of("zoe"))), ("consents", consent_of("zoe"))):
                assert (await client.post(f"/v1/facts/{topic}", json=fact)).status_code == 200, topic
            decided = await client.post("/v1/sends", json=send_to("zoe", "zoe"), params={"wait": 60})
            assert decided.status_code == 200, decided.text
            counts = await client.get("/v1/campaigns/K-zoe")
            assert (counts.status_code, counts.json()["decided"]) == (200, 1), counts.text
            results = await client.get("/v1/campaigns/K-zoe/results")
            assert (results.status_code, results.json()["event_id"]) == (200, "e-zoe"), results.text

    asyncio.run(call())
    assert failures == []


def test_each_part_and_topic_then_it_may_do_what_the_registry_says_and_no_more(
    kafka: Secured, users: dict[str, dict[str, str]], tmp_path: Path
) -> None:
    own = World(kafka.plain, f"t{uuid.uuid4().hex}.", partitions=1, keys=str(tmp_path)).create()
    names = {own.topic(name): name for name in TOPICS}
    through = Producer({"bootstrap.servers": kafka.plain})
    for topic in names:
        through.produce(topic, b"{}", b"any", partition=0)
    assert through.flush(30) == 0
    for part in PARTS:
        kafka.user(part, rights(own.settings, part))
        user = _client(kafka, part)
        assert {names[topic] for topic in _written(user, names)} == {
            topic.name for topic in TOPICS.values() if part in topic.writers
        }, part
        assert {names[topic] for topic in _read(user, names)} == {
            topic.name for topic in TOPICS.values() if part in topic.readers
        }, part


def _client(kafka: Secured, part: str) -> dict[str, Any]:
    return {
        "bootstrap.servers": kafka.secure,
        "security.protocol": "SASL_SSL",
        "ssl.ca.location": str(kafka.ca),
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": part,
        "sasl.password": f"open {part}",
    }


def _written(user: dict[str, Any], topics: dict[str, str]) -> set[str]:
    """Returns the topics on which the user's record was stored; any other was refused for its right."""
    answers: dict[str, KafkaError | None] = {}
    producer = Producer({**user, "acks": "all"})
    for topic in topics:
        told = partial(lambda topic, error, _: answers.__setitem__(topic, error), topic)
        producer.produce(topic, b"{}", b"any", partition=0, on_delivery=told)
    assert producer.flush(DEADLINE) == 0
    assert answers.keys() == topics.keys()
    return _allowed(answers)


def _read(user: dict[str, Any], topics: dict[str, str]) -> set[str]:
    """Returns the topics of which the user got a record; any other it may not see, or was refused for its right."""
    answers: dict[str, KafkaError | None] = {}
    consumer = Consumer({**user, "group.id": "of-nobody", "enable.auto.commit": False})
    seen = topics.keys() & consumer.list_topics(timeout=DEADLINE).topics.keys()
    consumer.assign([TopicPartition(topic, 0, 0) for topic in seen])
    give_up = time.monotonic() + DEADLINE
    while left := seen - answers.keys():
        assert time.monotonic() < give_up, left
        for message in consumer.consume(100, 0.1):
            if message.topic() in left:
                answers[message.topic()] = message.error()
    consumer.close()
    return _allowed(answers)


def _allowed(answers: dict[str, KafkaError | None]) -> set[str]:
    refused = {topic: error.code() for topic, error in answers.items() if error}
    assert set(refused.values()) <= {KafkaError.TOPIC_AUTHORIZATION_FAILED}, refused
    return answers.keys() - refused.keys()


@pytest.mark.main
def test_rights_then_calls_of_kafkas_own_command_that_grant_them(as_: As, world: World) -> None:
    calls = [shlex.split(line) for line in as_("office", "topics", "rights", "auditor").out.splitlines()]
    assert all(call[0] == "kafka-acls.sh" for call in calls)
    operations = {call[place + 1] for call in calls for place, word in enumerate(call) if word == "--operation"}
    assert operations == {"Read", "DescribeConfigs", "Describe"}
    named = [json.loads(line) for line in as_("office", "topics", "rights", "worker", "--json").out.splitlines()]
    written = next(one["names"] for one in named if (one["resource"], one["operations"]) == ("topic", ["Write"]))
    assert world.topic("sources") not in written, "the worker writes no topic that its barrier waits for"


def test_each_part_asks_the_doctor_then_its_rights_suffice_and_none_is_too_many(
    kafka: Secured, world: World, users: dict[str, dict[str, str]], as_: As
) -> None:
    for part in ("worker", "sealer", "console", "serve", "webhooks", "monitor"):
        found = told(as_(part, "doctor", "--for", part, "--json"))
        assert (found["rights"]["level"], found["surplus"]["level"]) == ("ok", "ok"), (part, found)
        assert {found[name]["level"] for name in ("controller", "quotas", "clock")} == {"unknown"}, "it may not ask"
    found = told(as_("auditor", "doctor", "--for", "console", "--json"))
    assert (found["rights"]["level"], "WRITE" in found["rights"]["found"]) == ("wrong", True)
    more = [*rights(world.settings, "console"), Right("topic", (world.topic("cleared"),), ("Write",))]
    found = told(as_("console", "doctor", "--for", "console", "--json", **kafka.user("generous", more)))
    assert (found["surplus"]["level"], f"WRITE {world.topic('cleared')}" in found["surplus"]["found"]) == (
        "warning",
        True,
    )


def told(done: Outcome) -> dict[str, dict[str, str]]:
    return {row["check"]: row for row in map(json.loads, done.out.splitlines())}


def test_a_worker_that_lacks_a_right_then_it_ends_and_says_so(kafka: Secured, world: World, tmp_path: Path) -> None:
    lacking = [right for right in rights(world.settings, "worker") if right.resource != "transactional-id"]
    with world.process(tmp_path / "worker.log", **kafka.user("lacking", lacking)) as worker:
        assert worker.wait() == 2
        assert "gatekeeper topics rights worker" in worker.tail()


def test_a_user_or_a_broker_that_is_not_believed_then_it_is_said_what_to_change(
    as_: As, kafka: Secured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker_access, "CONNECT_MS", 500)
    wrong, open_, empty = tmp_path / "wrong", tmp_path / "open", tmp_path / "empty"
    for path, mode, text in ((wrong, 0o600, "of another\n"), (open_, 0o644, "open auditor"), (empty, 0o600, "\n")):
        path.write_text(text)
        path.chmod(mode)
    os.mkfifo(tmp_path / "pipe", 0o600)
    for settings, named in (
        ({"sasl_password_file": str(wrong)}, "GATEKEEPER_SASL_PASSWORD_FILE"),
        ({"sasl_username": "nobody"}, "nobody"),
        ({"sasl_mechanism": "PLAIN"}, "GATEKEEPER_SASL_MECHANISM"),
        ({"ssl_cafile": ""}, "GATEKEEPER_SSL_CAFILE"),
        ({"ssl_cafile": str(wrong)}, str(wrong)),
        ({"broker": kafka.secure.replace("127.0.0.1", "localhost")}, "TLS"),
        ({"sasl_password_file": str(open_)}, "chmod 600"),
        ({"sasl_password_file": str(tmp_path / "pipe")}, str(tmp_path / "pipe")),
        ({"security_protocol": "PLAINTEXT", "ssl_cafile": ""}, "GATEKEEPER_SASL_USERNAME"),
        ({"security_protocol": "SASL_PLAINTEXT"}, "GATEKEEPER_SSL_CAFILE"),
    ):
        said = as_("auditor", "topics", "verify", **settings).says(2)
        assert named in said, (settings, said)
        assert "of another" not in said
    for protocol in ("PLAINTEXT", "SSL"):
        alone = {"security_protocol": protocol, "sasl_username": "", "sasl_password_file": ""}
        at = {"ssl_cafile": ""} if protocol == "PLAINTEXT" else {}
        said = as_("auditor", "topics", "verify", **alone, **at).says(3)
        assert f"GATEKEEPER_SECURITY_PROTOCOL is {protocol}" in said, said


def test_tls_without_users_then_commands_work(as_: As, kafka: Secured) -> None:
    alone = {"broker": kafka.tls, "security_protocol": "SSL", "sasl_username": "", "sasl_password_file": ""}
    assert as_("auditor", "topics", "verify", **alone).code == 0
