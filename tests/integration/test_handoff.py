"""A campaign handed off on real Kafka: an acknowledged withdrawal wins, a worker's end doubles and loses nothing."""

import asyncio
from datetime import UTC, datetime

import orjson
import pytest

from tests.support.world import World, consent_of, eventually, send_to, until

NO = {"state": "Withdrawn", "channels": "*"}


@pytest.fixture
def world(kafka, prefix) -> World:
    return World(kafka.bootstrap, prefix, partitions=2, max_lag=30.0).create()


def hand_off(world: World, campaign: str, **more) -> None:
    """Writes the act to each partition."""
    act = {"v": 1, "kind": "handoff", "act_id": f"run-{campaign}", "at": datetime.now(UTC).isoformat(), "by": "hanako",
           "subject": f"campaign/{campaign}", **more}  # fmt: skip
    for partition in range(world.partitions):
        world.put("acts", [(act["subject"], act)], partition=partition)


def judged(world: World, campaign: str) -> dict[str, str]:
    """Returns the outcome of each clearance of a campaign that was judged again, by its decision id."""
    found = [a.act for a in world.audits() if a.stage == "handoff" and a.campaign == campaign]
    assert len({act.item for act in found}) == len(found), "judged twice by one act"
    return {act.item: act.outcome for act in found}


def done(world: World, campaign: str) -> bool:
    return [a.act_id for a in (a.act for a in world.acted().values()) if a.outcome == "done"].count(
        f"run-{campaign}"
    ) == world.partitions


def called_back(world: World) -> set[str]:
    """Returns the clearances that are recalled, each once."""
    found = [orjson.loads(m.value())["decision_id"] for m in world.read("recalls")]
    assert len(set(found)) == len(found), "recalled twice"
    return set(found)


def people_of(world: World, campaign: str) -> dict[str, str]:
    """Returns who each clearance is for, by its decision id."""
    return {
        dict(m.headers())["gate-decision-id"].decode(): m.key().decode()
        for m in world.read("cleared")
        if orjson.loads(m.value())["campaign_id"] == campaign
    }


def test_withdrawals_at_the_time_of_a_hand_off_then_those_acknowledged_before_it_win(world):
    rounds, size = 8, 30

    async def race(number: int) -> None:
        campaign = f"race{number}"
        names = [f"{campaign}-{n}" for n in range(size)]
        world.people(names)
        world.put("sends", ((name, send_to(name, name, campaign_id=campaign)) for name in names))
        await eventually(lambda: len(people_of(world, campaign)) == size, "all cleared")
        acknowledged: list[str] = []
        before: list[str] = []

        def withdraw() -> None:
            producer = world.producer()
            for name in names:
                world.put("consents", [(name, consent_of(name, **NO))], producer)
                acknowledged.append(name)

        def hand() -> None:
            until(lambda: len(acknowledged) >= 3 + number, "some withdrawals")
            before.extend(acknowledged)
            hand_off(world, campaign)

        await asyncio.gather(asyncio.to_thread(withdraw), asyncio.to_thread(hand))
        await eventually(lambda: done(world, campaign), "an answer of each partition")
        outcomes, people = judged(world, campaign), people_of(world, campaign)
        handed = {did for did, outcome in outcomes.items() if outcome == "handed"}
        assert not {people[did] for did in handed} & set(before)
        # whoever withdrew may be called back by that alone, before the hand-off comes to it
        assert handed | called_back(world) >= people.keys()

    async def run() -> None:
        async with world.worker():
            for number in range(rounds):
                await race(number)

    asyncio.run(run())
    world.check(rounds * size)
