"""A clearance that no longer stands is recalled on real Kafka: once, whenever the fact arrived."""

import asyncio
import json

import pytest

from tests.support.invented import known_by
from tests.support.world import World, consent_of, controller_record, eventually, home_of, send_to, token_of


@pytest.fixture
def world(kafka, prefix) -> World:
    return World(kafka.bootstrap, prefix, partitions=2).create()


def recalled(world: World) -> dict[str, list[str]]:
    """Returns the reasons of each recall, by the event id of what was cleared."""
    found = [json.loads(message.value()) for message in world.read("recalls")]
    assert len({one["recall_id"] for one in found}) == len(found), "recalled twice"
    return {one["event_id"]: one["reasons"] for one in found}


async def cleared(world: World, count: int) -> None:
    await eventually(lambda: sum(world.ends("cleared")) >= count and len(world.read("cleared")) == count, "clearances")


async def recalls(world: World, count: int) -> dict[str, list[str]]:
    await eventually(lambda: sum(world.ends("recalls")) >= count and len(recalled(world)) >= count, "recalls")
    return recalled(world)


def test_given_a_withdrawal_after_the_clearance_then_one_recall_and_the_key_is_free(world):
    world.people(["r1", "r2"])
    world.sends(["r1", "r2"])

    async def run() -> None:
        async with world.worker():
            await cleared(world, 2)
            world.put("consents", [("r1", consent_of("r1", "Withdrawn"))])
            assert await recalls(world, 1) == {"e-0": ["CONSENT_WITHDRAWN"]}
            world.put(
                "sends", [("r1", send_to("r1", 0, event_id="e-again")), ("r2", send_to("r2", 1, event_id="e-twice"))]
            )
            await eventually(lambda: {"e-again", "e-twice"} <= world.verdicts().keys(), "two more decisions")
            yes = consent_of("r1", record_id="yes", event_time="2026-02-01T10:00:00+09:00")
            world.put(
                "consents", [("r1", yes), ("r1", consent_of("r1", "Withdrawn"))]
            )  # the no a second time is no news
            world.put("sends", [("r1", send_to("r1", 0, event_id="e-anew"))])
            await cleared(world, 3)

    asyncio.run(run())
    assert world.verdicts() == {
        "e-0": ("clear", None),
        "e-1": ("clear", None),
        "e-again": ("block", "CONSENT_WITHDRAWN"),
        "e-twice": ("block", "DUPLICATE_SEND"),
        "e-anew": ("clear", None),
    }
    assert len(recalled(world)) == 1
    (record,) = [a for a in world.audits() if a.stage == "recall"]
    (first,) = [a for a in world.audits() if a.stage == "intake" and a.send and a.send["event_id"] == "e-0"]
    assert (record.clearance, record.src, record.verdict) == (first.did, first.src, "block")
    (message,) = world.read("recalls")
    assert dict(message.headers())["gate-decision-id"] == record.did.encode()
    world.check(5)


EVERYBODY = known_by(home_of("r3"), stop=True, whole=True)["token"]
OBJECTION = {"v": 1, "kind": "objection", "received_at": "2026-01-01T10:00:00+09:00"}
EXACT, LESS = token_of("r1"), "t1_" + "B" * 43
TOUCHING = [
    ("suppressions", EXACT, {**OBJECTION, "suppression_id": "x1", "token": EXACT}),
    ("suppressions", LESS, {
        **OBJECTION, "suppression_id": "x2", "token": LESS, "readings": [{"token": token_of("r2"), "score": 950}],
    }),
    ("suppressions", EVERYBODY, {**OBJECTION, "suppression_id": "x3", "token": EVERYBODY, "whole_address": True}),
    ("consents", "r4", b"{"),
    ("reference", *controller_record(suspended_since="2026-01-01")),
]  # fmt: skip
"""An objection by a token, by one that is less exact, of all at an address; an unreadable record; a suspension."""


def test_given_whatever_touches_a_clearance_then_it_is_recalled(world):
    people = [f"r{number}" for number in range(1, 6)]
    world.people(people)
    world.sends(people)

    async def run() -> None:
        async with world.worker():
            await cleared(world, len(people))
            for number, (topic, key, value) in enumerate(TOUCHING):
                world.put(topic, [(key, value)])
                assert (await recalls(world, number + 1)).keys() == {f"e-{done}" for done in range(number + 1)}

    asyncio.run(run())
    world.check(len(people))
