"""Re-emission restores lost pieces of `cleared` and nothing else, across kill -9; a refusal wins."""

from __future__ import annotations

import json
import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from kafka import TopicPartition
from kafka.admin import KafkaAdminClient

from streams.kafka.broker import Broker
from tests.support import forked
from tests.support.world import World, send_to, until


@pytest.fixture
def world(kafka: Broker, prefix: str) -> World:
    return World(kafka.bootstrap, prefix, partitions=2, max_lag=60.0).create()


def put_out(world: World) -> dict[str, tuple[Any, ...]]:
    """Returns all of what stands on `cleared` but its offset, by decision id; each once."""
    found = {}
    for message in world.read("cleared"):
        did = dict(message.headers())["gate-decision-id"].decode()
        assert did not in found, "written twice"
        found[did] = (message.partition(), message.key(), message.value(), message.headers())
    return found


def lose(world: World, lost: set[str]) -> None:
    """Deletes `cleared` and writes it without some records, as an operator does with a copy that lacks them."""
    kept, topic = world.read("cleared"), world.topic("cleared")
    world.empty("cleared")
    producer = world.producer()
    for message in kept:
        if dict(message.headers())["gate-decision-id"].decode() not in lost:
            producer.produce(
                topic, message.value(), message.key(), partition=message.partition(), headers=message.headers()
            )
            producer.poll(0)
    assert producer.flush(60) == 0


def reemit(world: World, *more: str) -> tuple[int, dict[str, Any]]:
    """Runs the command in a process of its own; returns exit code and what it told."""
    words = "audit", "reemit", "--topic", "cleared", "--json", "--by", "hanako", *more
    done = forked.run(*words, env=os.environ | world.environment)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, json.loads(done.stdout)


def test_two_who_ask_at_once_then_each_comes_back_once_and_what_is_gone_is_told(world: World, tmp_path: Path) -> None:
    names = [f"p{number}" for number in range(100)]
    world.people(names)
    with world.process(tmp_path / "log") as worker:
        world.put("sends", ((name, send_to(name, name)) for name in names))
        until(lambda: len(world.read("cleared")) == len(names), "all cleared")
        assert worker.stop() == 0
        before = put_out(world)
        lose(world, set(before))
        ends = world.ends("sends")
        with KafkaAdminClient(bootstrap_servers=world.bootstrap) as client:
            client.delete_records({TopicPartition(world.topic("sends"), 0): ends[0] // 2})
        worker.start()
        with ThreadPoolExecutor() as pool:
            runs = [pool.submit(reemit, world, "--rate", "100") for _ in range(2)]
            done = [run.result() for run in runs]
    gone = {one for _, told in done for one in told["gone_ids"]}
    assert [code for code, _ in done] == [5, 5]
    assert 0 < len(gone) == done[0][1]["gone"] < len(names)
    after = put_out(world)
    assert after == {did: before[did] for did in before.keys() - gone}
    outcomes = sum((Counter(told["outcomes"]) for _, told in done), Counter())
    assert outcomes["reemitted"] == len(after)
    assert outcomes.keys() <= {"reemitted", "repeated"}
