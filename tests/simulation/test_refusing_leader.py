"""A leader with too few replicas takes nothing for one partition, markers neither: the other partitions go on."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest
from aiokafka import TopicPartition

from tests.simulation.log import Refusal
from tests.simulation.loop import run
from tests.simulation.simulation import Simulation, replaced

PAUSE_SECONDS = 4.0
REFUSED_SECONDS = 60


def test_a_leader_that_refuses_records_and_markers_then_the_other_partition_goes_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tests.simulation.simulation.WORKERS", 1)

    async def work() -> None:
        simulation = Simulation(1, tmp_path)
        simulation.begin()
        await asyncio.sleep(10)
        loop, kafka, refusing = asyncio.get_running_loop(), simulation.kafka, True
        hurt, other = (TopicPartition(simulation.settings.topic("audit"), number) for number in (1, 0))
        append, mark = kafka.logs[hurt].append, kafka.mark

        def refused(*what: Any, **more: Any) -> Any:
            if refusing:
                raise Refusal("NOT_ENOUGH_REPLICAS")
            return append(*what, **more)

        def marked(name: str, tp: TopicPartition) -> None:
            if tp == hurt and refusing:
                loop.call_later(1.0, marked, name, tp)  # the coordinator asks again, without end
            else:
                mark(name, tp)

        monkeypatch.setattr(kafka.logs[hurt], "append", refused)
        monkeypatch.setattr(kafka, "mark", marked)
        written = [loop.time()]
        for _ in range(REFUSED_SECONDS * 2):
            before = kafka.logs[other].end
            simulation.company.write("sends", simulation.company.sends(4))
            await asyncio.sleep(0.5)
            if kafka.logs[other].end > before:
                written.append(loop.time())
        assert max(later - first for first, later in pairwise([*written, loop.time()])) < PAUSE_SECONDS
        refusing = False
        await asyncio.sleep(100)
        assert simulation.left() == []
        assert not any(worker.ended for worker in simulation.workers)

    with replaced(1):
        run(work, Random(1))
