"""`gatekeeper webhooks` on real Kafka, beside a worker and receivers: each event, at least once, under one id."""

from __future__ import annotations

import asyncio
import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from jsonschema import Draft202012Validator
from kafka import TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.structs import OffsetAndMetadata
from standardwebhooks.webhooks import Webhook
from structlog.testing import capture_logs

from gatekeeper.ground.errors import UsageError
from gatekeeper.ground.metrics_page import Metrics
from gatekeeper.ledger.refused import Refused
from gatekeeper.webhooks.delivery import Deliverer
from gatekeeper.webhooks.endpoint_queue import EndpointQueue
from gatekeeper.webhooks.endpoints import read
from gatekeeper.webhooks.occurrences import QUIET_MS
from gatekeeper.webhooks.outbox import Outbox
from gatekeeper.webhooks.runner import now_ms
from gatekeeper.webhooks.watch import STATE_MS, Watch
from schemas.webhooks import WEBHOOK_TYPES
from streams.client.reader import Reader
from streams.kafka.broker import Broker
from tests.support import canaries
from tests.support.forked import Command, run
from tests.support.own_metrics import ANYWHERE, own_metrics
from tests.support.published import document
from tests.support.receiver import SECRET, Receiver, endpoints_file, receiver
from tests.support.witnessed_log import WitnessedLog
from tests.support.world import World, consent_of, health_page, send_to, source_of, until

ALL = list(WEBHOOK_TYPES)
IDS = ("stuck", "works")


@pytest.fixture(scope="module")
def world(kafka: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A system with a worker."""
    folder = tmp_path_factory.mktemp("world")
    world = World(kafka.bootstrap, f"t{uuid.uuid4().hex}.", partitions=2, data=str(folder / "data")).create()
    with world.process(folder / "log"):
        yield world


@pytest.fixture
def server() -> Iterator[Receiver]:
    with receiver() as found:
        yield found


def entry(server: Receiver, id_: str = "shop", **more: Any) -> dict[str, Any]:
    return {"id": id_, "url": server.url, "events": ALL, **more}


def environment(world: World, folder: Path, file: Path) -> dict[str, str]:
    """The environment of the command: its outbox is in `folder`, and no sealed log is there."""
    ours = {"GATEKEEPER_WEBHOOKS": str(file), "GATEKEEPER_WEBHOOKS_DATA": str(folder / "outbox")}
    ours |= ANYWHERE | {"GATEKEEPER_WEBHOOKS_PORT": "0", "GATEKEEPER_LANG": "en", "GATEKEEPER_LOG_LEVEL": "debug"}
    return os.environ | world.environment | ours | {"GATEKEEPER_LOG": str(folder / "no-log")}


@contextmanager
def webhooks(world: World, folder: Path, *entries: dict[str, Any]) -> Iterator[Command]:
    """Runs `gatekeeper webhooks run`, from when it has read everything; at its end nobody is named in what it said."""
    env = environment(world, folder, endpoints_file(folder, *entries))
    with Command("webhooks", "run", "--json", env=env) as process:
        port = int(json.loads(process.line())["health"].rsplit(":", 1)[1].split("/")[0])
        until(lambda: health_page(port, "readyz")[0] == 200, "it is ready")
        yield process
        if process.poll() is None:
            process.terminate()
            assert process.wait() == 0
        said = "".join(process.communicate())
        assert not canaries.found(said.encode()), said


def cleared(world: World, *names: str, **more: Any) -> None:
    """Has a send to each of these new people cleared."""
    world.people(names)
    world.put("sends", [(name, send_to(name, name, **more)) for name in names])
    until(lambda: {f"e-{name}" for name in names} <= world.verdicts().keys(), "they are decided")


def withdraw(world: World, *names: str) -> None:
    world.put("consents", [(name, consent_of(name, "Withdrawn")) for name in names])


def recalls(world: World, *names: str) -> None:
    """Has a cleared send to each of these people recalled."""
    cleared(world, *names)
    withdraw(world, *names)
    until(lambda: {f"e-{name}" for name in names} <= _recalled(world), "they are recalled")


def _recalled(world: World) -> set[str]:
    return {json.loads(message.value())["event_id"] for message in world.read("recalls")}


def events(server: Receiver, name: str) -> list[str]:
    """The ids under which a recall came."""
    return [one.id for one in server.of("recall") if one.event["data"]["event_id"] == f"e-{name}"]


# -- as a process --------------------------------------------------------------------------------------


@pytest.mark.main
def test_a_recall_then_both_endpoints_get_it_signed_though_one_hangs(
    world: World, server: Receiver, tmp_path: Path
) -> None:
    """The one that hangs is first in the file, and holds more requests than go at once."""
    people = [f"hang-{number}" for number in range(20)]
    world.people(people, home=canaries.NARUMI)
    deliveries = {"delivery": canaries.NARUMI}
    with receiver() as stuck, webhooks(world, tmp_path, entry(stuck, "stuck"), entry(server, "works")) as process:
        stuck.answer = stuck.hang
        world.put("sends", [(name, send_to(name, name, **deliveries)) for name in people])
        until(lambda: {f"e-{name}" for name in people} <= world.verdicts().keys(), "they are decided")
        assert {world.verdicts()[f"e-{name}"][0] for name in people} == {"clear"}
        withdraw(world, *people)
        until(lambda: all(events(server, name) for name in people), "the other endpoint has each")
        assert stuck.came
        backlog = Outbox(tmp_path / "outbox").backlog("stuck")
        assert backlog.waiting == len(people)
        stuck_at = ("gatekeeper_webhooks_waiting", "endpoint=stuck", "type=recall")
        found = until(lambda: (shown := own_metrics(process, "webhooks"))[stuck_at] and shown, "it counts anew")
        recalled = {one: found[("gatekeeper_webhooks_waiting", f"endpoint={one}", "type=recall")] for one in IDS}
        assert recalled == {"stuck": len(people), "works": 0}
        assert found[("gatekeeper_webhooks_delivered_total", "endpoint=works")] >= len(people)
        assert found[("gatekeeper_webhooks_oldest_seconds", "endpoint=stuck")] > 0
        assert ("gatekeeper_webhooks_oldest_seconds", "endpoint=works") not in found
        assert {found[("gatekeeper_webhooks_dead_letters", f"endpoint={one}")] for one in IDS} == {0}
        assert found[("gatekeeper_ready",)] == 1
    for one in server.came:
        assert Webhook(SECRET).verify(one.body, one.headers, json_parse=True) == one.event
        Draft202012Validator(document(f"webhook.{one.type}")).validate(one.event)
        assert not canaries.found(one.body)
        assert not any(name in one.body.decode() for name in ('"hang-1"', "recipient"))
    (sample,) = [one.event for one in server.came if one.event["data"]["event_id"] == "e-hang-7"]
    assert sample["data"]["reasons"] == ["CONSENT_WITHDRAWN"]
    assert sample["data"]["campaign_id"] == "K-hang-7"


@pytest.mark.main
def test_killed_between_a_delivery_and_its_position_then_delivered_again_with_one_id(
    world: World, server: Receiver, tmp_path: Path
) -> None:
    server.answer = server.hang
    with webhooks(world, tmp_path, entry(server)) as process:
        recalls(world, "killed")
        until(lambda: events(server, "killed"), "it has come")
        process.kill()
        process.wait()
    server.answer = lambda _: (200, {})
    with webhooks(world, tmp_path, entry(server)):
        until(lambda: len(events(server, "killed")) == 2, "it comes again")
        recalls(world, "after")
        until(lambda: events(server, "after"), "later ones come, too")
    assert len(set(events(server, "killed"))) == 1
    assert len(events(server, "killed")) == 2, "it was not delivered once more after it was taken"


# -- by hand, with a clock that is moved ---------------------------------------------------------------


class Hooks:
    """The parts of `webhooks run`, driven by a test: it says when they look and deliver."""

    def __init__(self, world: World, folder: Path, *entries: dict[str, Any], **settings: str) -> None:
        self.world, self.ahead = world, 0
        self.file = endpoints_file(folder, *entries)
        self.settings = world.settings.model_copy(
            update={"log": str(folder / "log"), "webhooks_data": str(folder / "outbox"), **settings}
        )
        self.endpoints = read(self.file)
        self.outbox = Outbox(folder / "outbox")
        self.watch = Watch(self.settings, self.outbox, self.endpoints, self.now)
        self.look()

    def now(self) -> int:
        return now_ms() + self.ahead

    def look(self) -> None:
        """Looks until nothing is left to read."""
        with Reader(self.settings) as reader:
            self.watch.begin(reader)
            until(lambda: self.watch.look(reader), "all is read")

    def deliver(self, rounds: int = 3) -> None:
        async def go() -> None:
            for one in self.endpoints:
                async with Deliverer(one) as deliverer:
                    lane = EndpointQueue(
                        one.id, self.outbox, deliverer.post, clock=self.now, chance=lambda: 0.0, metrics=Metrics()
                    )
                    for _ in range(rounds):
                        await lane.round()

        asyncio.run(go())

    def later(self, milliseconds: int) -> None:
        """Lets time pass, looks and delivers."""
        self.ahead += milliseconds
        self.look()
        self.deliver()


def test_campaign_deadline_and_refusal_then_each_is_told_once_for_each_beginning(
    kafka: Broker, prefix: str, server: Receiver, tmp_path: Path
) -> None:
    world = World(kafka.bootstrap, prefix, partitions=2, data=str(tmp_path / "data")).create()
    hooks = Hooks(world, tmp_path, entry(server))
    for since in (1_790_000_000_000, 1_790_000_000_001):
        _refuse(world, since=since)
        for _ in range(3):
            hooks.later(STATE_MS)
    told = [one.event["data"] for one in server.of("partition.refused")]
    assert told == [
        {"partition": 1, "reason": "error.sends_expired", "since": f"2026-09-21T14:13:20.00{n}Z", "resumable": True}
        for n in (0, 1)
    ]
    tomorrow = datetime.now(ZoneInfo("Asia/Tokyo")).date() + timedelta(days=1)
    near, far = {"mail_date": tomorrow.isoformat()}, {"mail_date": (tomorrow + timedelta(days=20)).isoformat()}
    world.put("sources", [(name, source_of(name)) for name in ("d1", "d2", "d3", "d4")])
    world.people(["d5"])
    with world.process(tmp_path / "worker"):
        sends = [send_to(name, name, campaign_id="NEAR", **near) for name in ("d1", "d2", "d3", "d5")]
        sends.append(send_to("d4", "d4", campaign_id="NEAR", **far))
        world.put("sends", [(one["recipient_id"], one) for one in sends])
        until(lambda: {one["event_id"] for one in sends} <= world.verdicts().keys(), "they are decided")
        world.act("uphold", world.items()["e-d3"], reason="no")
        until(lambda: any(outcome == "upheld" for outcome, _ in world.outcomes().values()), "one is upheld")
        hooks.later(QUIET_MS // 2)
        assert {one.type for one in server.came} == {"partition.refused"}
        for _ in range(3):
            hooks.later(QUIET_MS + 60_000)
            hooks.later(STATE_MS)
        (found,) = server.of("review.deadline_near")
        data = found.event["data"]
        assert (data["campaign_id"], data["mail_date"], data["waiting"]) == ("NEAR", near["mail_date"], 2)
        assert data["due"] == f"{tomorrow.isoformat()}T15:00:00.000Z"
        (first,) = server.of("campaign.decided")
        cleared(world, "c3", campaign_id="NEAR")
    for _ in range(2):
        hooks.later(QUIET_MS)
        hooks.later(STATE_MS)
    _, again = server.of("campaign.decided")
    assert again.id != first.id
    (record,) = [a for a in world.audits() if a.send and a.send["event_id"] == "e-c3"]
    assert [again.event["data"][name] for name in ("partition", "offset")] == [record.src.partition, record.src.offset]
    for one in server.came:
        Draft202012Validator(document(f"webhook.{one.type}")).validate(one.event)


def test_a_seal_that_is_late_then_it_comes_once_and_again_if_the_log_cannot_be_read(
    kafka: Broker, prefix: str, server: Receiver, tmp_path: Path
) -> None:
    world = World(kafka.bootstrap, prefix, data=str(tmp_path / "data")).create()
    with world.process(tmp_path / "worker"):
        cleared(world, "s1")
    log = WitnessedLog(tmp_path)
    log.seal(b"a")
    log.look()
    os.utime(tmp_path / "log" / "state" / "1", (1_750_000_000, 1_750_000_000))
    hooks = Hooks(world, tmp_path, entry(server), keys=str(tmp_path / "keys"))
    for _ in range(3):
        hooks.later(STATE_MS)
    (late,) = server.of("seal.late")
    assert late.event["data"] == {
        **{"size": 1, "sealed_at": "2025-06-15T15:06:40.000Z"},
        **{"witnessed_size": 1, "witnessed_at": "2025-06-15T15:06:40.000Z"},
    }
    log.seal(b"b")
    hooks.later(STATE_MS)
    assert len(server.of("seal.late")) == 1, "the seal is new"
    key = tmp_path / "keys" / "log-1.pub"
    kept = key.read_text()
    key.unlink()
    with capture_logs() as logs:
        for _ in range(2):
            hooks.later(STATE_MS)
    (said,) = [one for one in logs if one["event"] == "log_unreadable"]
    assert (said["log_level"], "log-*.pub" in said["error"]) == ("error", True)
    assert len(server.of("seal.late")) == 1, "a missing file of ours is no late seal"
    key.write_text(kept)
    (tmp_path / "log" / "checkpoint").write_text("spoilt")
    for _ in range(3):
        hooks.later(STATE_MS)
    _, unread = server.of("seal.late")
    assert unread.event["data"]["error"].startswith("error.")
    assert "size" not in unread.event["data"]


def _refuse(world: World, *, since: int) -> None:
    """Leaves the note of a refused partition, as a worker does."""
    note = Refused("error.sends_expired", {}, since)
    sends = TopicPartition(world.topic("sends"), 1)
    with KafkaAdminClient(bootstrap_servers=world.bootstrap) as admin:
        admin.alter_group_offsets(world.settings.group, {sends: OffsetAndMetadata(0, note.encode(), -1)})


@pytest.mark.main
def test_an_endpoint_that_fails_for_a_day_then_a_dead_letter_that_a_person_replays(
    world: World, server: Receiver, tmp_path: Path
) -> None:
    hooks = Hooks(world, tmp_path, entry(server))
    env = environment(world, tmp_path, hooks.file)
    server.answer = lambda _: (500, {"x-canary": "x"})
    recalls(world, "dead")
    hooks.later(0)
    assert run("webhooks", "list", env=env).returncode == 0
    hooks.later(25 * 3_600_000)
    (dead,) = [json.loads(line) for line in run("webhooks", "dead", "--json", env=env).stdout.splitlines()]
    assert (dead["endpoint"], dead["type"], dead["answer"], dead["tries"]) == ("shop", "recall", "500", 2)
    listed = run("webhooks", "list", "--json", env=env)
    assert (listed.returncode, json.loads(listed.stdout)["dead"]) == (1, 1)
    shown = run("webhooks", "dead", env=env)
    assert dead["id"] in shown.stdout
    server.answer = lambda _: (200, {})
    replayed = run("webhooks", "replay", "shop", dead["id"], "--json", env=env)
    assert json.loads(replayed.stdout) == {"endpoint": "shop", "replayed": 1}
    hooks.deliver()
    assert set(events(server, "dead")) == {dead["id"]}
    assert run("webhooks", "dead", "shop", env=env).returncode == 0
    assert "did you mean shop?" in run("webhooks", "replay", "shoppe", env=env).stderr


@pytest.mark.main
def test_a_trial_then_its_answer_and_a_private_address_is_refused_unless_allowed(
    world: World, server: Receiver, tmp_path: Path
) -> None:
    file = endpoints_file(tmp_path, entry(server), entry(server, "closed", allow_private=False))
    env = environment(world, tmp_path, file)
    tried = run("webhooks", "try", "shop", "--json", env=env)
    assert (tried.returncode, json.loads(tried.stdout)["answer"]) == (0, "204")
    (came,) = server.came
    assert came.type == "trial"
    Webhook(SECRET).verify(came.body, came.headers)
    closed = run("webhooks", "try", "closed", env=env)
    assert (closed.returncode, len(server.came)) == (1, 1)
    assert "not public" in closed.stdout


def test_topics_made_anew_then_an_outbox_of_the_former_ones_is_refused(
    kafka: Broker, prefix: str, server: Receiver, tmp_path: Path
) -> None:
    world = World(kafka.bootstrap, prefix).create()
    hooks = Hooks(world, tmp_path, entry(server))
    world.remake("recalls")
    with pytest.raises(UsageError, match="made anew"):
        hooks.look()
