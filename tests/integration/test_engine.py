"""The main job on real Kafka, with the worker in this process."""

import asyncio

import pytest

from tests.worlds import World, eventually


@pytest.fixture
def world(kafka, prefix) -> World:
    return World(kafka.bootstrap, prefix).create()


def test_given_people_and_strangers_then_each_send_has_one_decision_and_one_audit_record(world):
    world.people(f"r{i}" for i in range(50))
    names = [f"r{i % 60}" for i in range(300)]
    world.sends(names)

    async def run() -> None:
        async with world.worker() as app:
            await eventually(lambda: sum(world.ends("audit")) >= 300, "audit records")
            await eventually(lambda: len(world.audits()) == 300, "300 audit records")
            assert app.gate.readiness()["ready"]

    asyncio.run(run())
    verdicts = world.check(300)
    assert verdicts == {"clear": 250, "block": 50}
    sent = {m.value() for m in world.read("sends")}
    assert {m.value() for m in world.read("cleared")} <= sent, "a cleared send is byte for byte what was published"
