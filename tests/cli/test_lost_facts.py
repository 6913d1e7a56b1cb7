"""Facts that vanish from a topic that stays: nobody is decided until two people say that they are back."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient

from gatekeeper.ground.partitioner import partition_of
from streams.client.reader import Reader
from streams.kafka.broker import Broker
from tests.support.world import World, until

FORGETFUL = {
    "log.cleaner.backoff.ms": "100",
    "log.initial.task.delay.ms": "100",
    "log.retention.check.interval.ms": "100",
}
"""Of a Kafka that compacts and deletes at once what it may."""
REREADING = Path(__file__).parents[1] / "support" / "rereading.py"
SEGMENT_MS = 100
SET = {"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.0"}
RIGHT = {"cleanup.policy": "delete", "retention.ms": "-1"}
ANNA, BEN = (next(name for name in "abcdefgh" if partition_of(name.encode(), 2) == number) for number in range(2))
"""Two people on different partitions of `sends`."""


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with Broker(tmp_path_factory.mktemp("forgetful"), settings=FORGETFUL) as broker:
        yield broker


@pytest.fixture
def world(kafka: Broker, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Returns a world in which anna objected, and then a send to ben was decided; nobody works there now."""
    world = World(kafka.bootstrap, prefix, partitions=2, data=str(tmp_path / "data")).create()
    for name, value in world.environment.items():
        monkeypatch.setenv(name, value)
    world.people([ANNA, BEN])
    with world.process(tmp_path / "before.log") as worker:
        until(lambda: len(world.heads()) == 2, "a head for each partition, which knows of no stop")
        world.put("suppressions", [stop_of("1"), stop_of("2", state="corrected")])
        world.sends([BEN])
        world.await_audits(1)
        assert worker.stop() == 0
    return world


def stop_of(number: str, **more: str) -> tuple[str, dict[str, Any]]:
    stop = {"v": 1, "kind": "objection", "suppression_id": f"stop-{number}", "received_at": "2026-01-01"}
    return ANNA, {**stop, "recipient_id": ANNA, **more}


def alter(world: World, **settings: str) -> None:
    """Sets settings of `suppressions` by another tool than ours."""
    said = {name.replace("_", "."): value for name, value in settings.items()}
    with KafkaAdminClient(bootstrap_servers=world.bootstrap) as admin:
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, world.topic("suppressions"), said)])


def forget(world: World) -> None:
    """Lets Kafka delete the objection for a moment, by settings that somebody makes by hand."""
    alter(world, segment_ms=str(SEGMENT_MS), **{name.replace(".", "_"): value for name, value in SET.items()})
    time.sleep(3 * SEGMENT_MS / 1000)  # Kafka begins another segment with the next record
    world.put("suppressions", [("carl", {**stop_of("3", state="corrected")[1], "recipient_id": "carl"})])

    def gone() -> bool:
        with Reader(world.settings) as reader:
            partition = partition_of(ANNA.encode(), len(reader.partitions("suppressions")))
            return reader.at("suppressions", partition=partition, offset=0) is None

    until(gone, "the objection is gone")


def both_say_that_it_is_back(run: Any, number: int) -> None:
    shown = run("partition", "show", str(number), "--json").json["refused"]
    assert shown["reason"] == "error.facts_made_again"
    for who in ("hanako", "taro"):
        words = shlex.split(shown["resume"])[1:-4]
        assert run(*words, "--by", who, "--reason", "entered again", "--yes", "--wait", "0").code == 0


def test_a_worker_that_reads_all_facts_again_then_it_finds_what_is_gone(run, world: World, tmp_path: Path) -> None:
    with world.process(tmp_path / "rereading.log", REREADING) as worker:
        until(lambda: len(worker.events("facts_reread")) > 1, "readings without a finding")
        forget(world)
        alter(world, **{name.replace(".", "_"): value for name, value in RIGHT.items()})
        assert worker.wait() == 70
        (found,) = worker.events("facts_vanished")
        assert found["topic"] == "suppressions"
    found = run("topics", "verify", "--read", "--json")
    assert (found.code, found.json["differences"], found.json["facts"]["gone"]) == (1, [], ["suppressions"])
    world.sends([ANNA], 1)
    for log in ("after.log", "again.log"):
        with world.process(tmp_path / log) as worker:
            assert worker.wait() == 4, "both partitions are refused"
    assert len(world.audits()) == 1
    world.put("suppressions", [stop_of("4")])
    for number in range(2):
        both_say_that_it_is_back(run, number)
    with world.process(tmp_path / "later.log", REREADING) as worker:
        until(lambda: len(world.verdicts()) == 2, "the send to anna")
        until(lambda: worker.events("facts_reread"), "a reading without a finding")
    assert world.verdicts()["e-1"] == ("block", "SUBJECT_OBJECTED")
