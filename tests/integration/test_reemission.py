"""Re-emission restores lost pieces of `cleared` and nothing else, across kill -9; a refusal wins."""

from __future__ import annotations

import json
import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

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


def reemit(world: World, *more: str) -> tuple[int, dict[str, Any]]:
    """Runs the command in a process of its own; returns exit code and what it told."""
    words = "audit", "reemit", "--topic", "cleared", "--json", "--by", "hanako", *more
    done = forked.run(*words, env=os.environ | world.environment)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, json.loads(done.stdout)


def test_two_who_ask_at_once_then_each_piece_comes_back_once(world: World, tmp_path: Path) -> None:
    names = [f"p{number}" for number in range(100)]
    world.people(names)
    with world.process(tmp_path / "log") as worker:
        world.put("sends", ((name, send_to(name, name)) for name in names))
        until(lambda: len(world.read("cleared")) == len(names), "all cleared")
        assert worker.stop() == 0
        before = put_out(world)
        world.empty("cleared")
        worker.start()
        with ThreadPoolExecutor() as pool:
            runs = [pool.submit(reemit, world, "--rate", "100") for _ in range(2)]
            done = [run.result() for run in runs]
    assert [code for code, _ in done] == [0, 0]
    assert put_out(world) == before
    outcomes = sum((Counter(told["outcomes"]) for _, told in done), Counter())
    assert outcomes["reemitted"] == len(before)
    assert outcomes.keys() <= {"reemitted", "repeated"}
