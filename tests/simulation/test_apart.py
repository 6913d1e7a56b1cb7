"""A partition whose records a broker refuses does not stop the others of its worker."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from random import Random
from typing import Any

from aiokafka import TopicPartition

from tests.simulation.log import Refusal
from tests.simulation.loop import run
from tests.simulation.promises import Left
from tests.simulation.simulation import Simulation, replaced

PAUSE_SECONDS = 8.0
"""An attempt to write takes five seconds, and two take-overs about one."""
REFUSED_SECONDS = 240


def test_given_a_partition_with_too_few_replicas_then_the_other_pauses_once_and_in_the_end_all_is_decided(monkeypatch):
    monkeypatch.setattr("tests.simulation.simulation.WORKERS", 1)

    async def work() -> None:
        simulation = Simulation(1)
        simulation.begin()
        await asyncio.sleep(10)
        audit, manifests = (simulation.kafka.logs[_place(simulation, *it)] for it in (("audit", 1), ("manifests", 0)))
        append, refusing = audit.append, True

        def refused(*what: Any, **more: Any) -> int:
            if refusing:
                raise Refusal("NOT_ENOUGH_REPLICAS")
            return append(*what, **more)

        audit.append = refused  # type: ignore[method-assign]
        written = [asyncio.get_running_loop().time()]
        for _ in range(REFUSED_SECONDS * 2):
            before = manifests.end
            simulation.company.write("sends", simulation.company.sends(4))
            await asyncio.sleep(0.5)
            if manifests.end > before:
                written.append(asyncio.get_running_loop().time())
        pauses = [later - first for first, later in pairwise(written)]
        assert max(pauses) < PAUSE_SECONDS
        assert sum(pause > 3 for pause in pauses) == 1
        refusing = False
        await asyncio.sleep(200)
        assert Left(simulation.kafka, simulation.settings).places() == []
        assert not any(worker.ended for worker in simulation.workers)

    with replaced(1):
        run(work, Random(1))


def _place(simulation: Simulation, topic: str, number: int) -> TopicPartition:
    return TopicPartition(simulation.settings.topic(topic), number)
