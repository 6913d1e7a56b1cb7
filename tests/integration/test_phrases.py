"""A phrase of audiences that two managers register while sends flow, with the worker in this process."""

from __future__ import annotations

import asyncio

from tests.support import invented
from tests.support.world import World, eventually, send_to


def test_a_phrase_registered_then_the_next_send_is_cleared_and_so_after_a_restart(kafka, prefix):
    world = World(kafka.bootstrap, prefix).create()
    people = [f"r{number}" for number in range(6)]
    world.people(people)

    def send(*numbers: int) -> None:
        sends = [send_to(people[number], number, audience=["健康靴下"]) for number in numbers]
        world.put("sends", [(send["recipient_id"], send) for send in sends])

    async def run() -> None:
        async with world.worker():
            await asyncio.to_thread(send, 0, 1)
            await eventually(lambda: world.decided() == 2, "sends before it")
            _, phrase = invented.audience_phrase(phrase="健康靴下")
            await asyncio.to_thread(world.put, "reference", [("audience_phrase/P-1", phrase)])
            await asyncio.to_thread(send, 2, 3)
            await eventually(lambda: world.decided() == 4, "sends after its acknowledgement")
        async with world.worker():
            await asyncio.to_thread(send, 4, 5)
            await eventually(lambda: world.decided() == 6, "sends after a restart")

    asyncio.run(run())
    world.check(6)
    primary = {audit.send["event_id"]: [reason.code for reason in audit.reasons] for audit in world.audits()}
    assert [*primary.values()].count(["SENSITIVE_AUDIENCE"]) == 2
    assert [*primary.values()].count([]) == 4
    named = {bool("audience_phrase/*" in audit.facts.refs) for audit in world.audits() if not audit.reasons}
    assert named == {True}, "a replay finds the phrase by its hash"
