"""A worker that cannot start or must not go on ends with a documented exit code and one sentence."""

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest

from gatekeeper.ground.texts import text
from streams.kafka import node
from streams.kafka.broker import Broker
from streams.worker import partition, takeover
from tests.support.world import World, eventually


@pytest.fixture
def world(kafka: Broker, prefix: str) -> World:
    return World(kafka.bootstrap, prefix, partitions=4).create()


def test_a_transaction_that_hangs_in_the_ledger_then_its_partition_alone_waits(world, monkeypatch):
    monkeypatch.setattr(takeover, "HANGING_SECONDS", 0.5)
    monkeypatch.setattr(partition, "REFUSED_SECONDS", (0.1, 0.1))
    world.sends(sent := [f"r{number}" for number in range(40)])

    async def run() -> None:
        with world.transaction() as foreign:
            world.put("ledger", [("head", b"never ended")], foreign)
            async with world.worker() as app:
                await eventually(lambda: app.gate.readiness()["refused"], "a refusal")
                ((number, sentence),) = app.gate.readiness()["refused"].items()
                where = {"topic": world.topic("ledger"), "partition": number}
                assert sentence == text("error.transaction_hangs", **where)
                rest = sum(end for other, end in enumerate(world.ends("sends")) if other != int(number))
                await eventually(lambda: world.decided() == rest, "the other partitions")
                foreign.abort_transaction()
                await eventually(lambda: world.decided() == len(sent), "this one, too")
                assert app.gate.readiness()["refused"] == {}

    asyncio.run(run())
    world.check(len(sent))


@pytest.mark.parametrize(
    ("wrong", "code", "key", "values"),
    [
        ({"broker": f"{node.HOST}:1"}, 3, "error.broker_unreachable", {"broker": f"{node.HOST}:1"}),
        ({"http_port": "TAKEN"}, 3, "error.http_port_busy", {"host": node.HOST, "port": "TAKEN"}),
        ({"partitions": "8"}, 2, "error.topic_partitions_differs", {"found": 4, "expected": 8}),
        ({"prefix": "elsewhere."}, 2, "error.topic_missing_differs", {"found": 0, "expected": 4}),
    ],
)
def test_a_worker_that_cannot_start_then_its_exit_code_and_one_sentence(
    world: World, tmp_path: Path, wrong: dict[str, str], code: int, key: str, values: dict[str, Any]
) -> None:
    with socket.create_server((node.HOST, 0)) as taken:
        port = str(taken.getsockname()[1])
        settings = {name: value.replace("TAKEN", port) for name, value in wrong.items()}
        said = {name: port if value == "TAKEN" else value for name, value in values.items()}
        with world.process(tmp_path / "log", lang="en", **settings) as worker:
            assert worker.wait() == code
            (stopped,) = worker.events("stopped")
            assert "Traceback" not in worker.tail()
    topic = f"{settings.get('prefix', world.prefix)}sends.v1"
    detail = text("error.broker_refused", "en")
    assert stopped["code"] == code
    assert text(key, "en", **{"topic": topic, "detail": detail, **said}) in stopped["reason"]
