"""A feed falls silent and delivers again while sends flow, with the worker in this process (domain rule 8.3.59)."""

from __future__ import annotations

import asyncio
from time import time

from gatekeeper.ground.times import instant
from tests.support import invented
from tests.support.world import World, eventually, send_to

OLD_MS = 360_000


def test_a_feed_delivers_then_what_waited_is_cleared_and_a_restart_knows_it(kafka, prefix):
    world = World(kafka.bootstrap, prefix).create()
    people = [f"r{number}" for number in range(3)]
    world.people(people)

    def deliver(ago: int) -> None:
        _, told = invented.delivery(delivery_id=f"F-{ago}", at=instant(int(time() * 1000) - ago), recorded_at=None)
        world.put("consents", [("crm", told)])

    def send(number: int) -> None:
        world.put("sends", [(people[number], send_to(people[number], number))])

    async def run() -> None:
        async with world.worker() as app:
            world.put("reference", [("feed/crm", invented.feed(limit="PT5M", recorded_at=None)[1])])
            await asyncio.to_thread(deliver, OLD_MS)
            await asyncio.to_thread(send, 0)
            await eventually(lambda: world.decided() == 1, "a send while the feed is silent")
            assert [feed["state"] for feed in app.gate.readiness()["feeds"]] == ["silent"]
            await asyncio.to_thread(deliver, 0)
            await eventually(lambda: len(world.audits()) == 2, "the same send once it delivers")
            await asyncio.to_thread(send, 1)
            await eventually(lambda: world.decided() == 2, "a send after it")
        async with world.worker():
            await asyncio.to_thread(send, 2)
            await eventually(lambda: world.decided() == 3, "a send after a restart")

    asyncio.run(run())
    audits = world.audits()
    found = {(audit.send["event_id"], audit.verdict, *(reason.code for reason in audit.reasons)) for audit in audits}
    first, second, third = sorted({audit.send["event_id"] for audit in audits})
    assert found == {(first, "block", "FACTS_STALE"), *((one, "clear") for one in (first, second, third))}
    assert {feed.id for audit in audits for feed in audit.facts.feeds} == {"crm"}
