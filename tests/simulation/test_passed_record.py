"""A record on which our own code raises, whatever is done: its partition stands there, and two people pass it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest
from aiokafka import TopicPartition

from gatekeeper.engine.sends import Judge
from gatekeeper.ledger.refused import Refused
from streams.worker import batch
from tests.simulation.loop import run
from tests.simulation.simulation import Simulation, replaced, until

NUMBER = 1
TRIED_AGAIN_SECONDS = 130


@pytest.mark.parametrize("topic", ["sends", "acts"])
def test_a_record_that_is_a_defect_then_its_partition_alone_stands_until_two_pass_it(
    topic: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    poison = b'{"a defect": true}'

    def raising(right: Any, of: Any) -> Any:
        def judged(*what: Any, **more: Any) -> Any:
            if of(what).value == poison:
                raise ZeroDivisionError
            return right(*what, **more)

        return judged

    monkeypatch.setattr("tests.simulation.simulation.WORKERS", 1)
    monkeypatch.setattr(Judge, "judge", raising(Judge.judge, lambda what: what[1]))
    monkeypatch.setattr(batch, "handling", raising(batch.handling, lambda what: what[0]))

    async def work() -> None:
        simulation = Simulation(1, tmp_path)
        company, kafka, settings = simulation.company, simulation.kafka, simulation.settings
        stands = TopicPartition(settings.topic(topic), NUMBER)

        def note() -> Refused | None:
            return company.note(NUMBER)

        def word(by: str) -> None:
            act = company.resumption(NUMBER, by)
            assert act is not None
            company.put(act[0], [act[1]])

        simulation.begin()
        await asyncio.sleep(10)
        company.write("sends", company.sends(8))
        company.put(stands, [(b"P-1" if topic == "sends" else None, poison, ())])
        company.write("sends", company.sends(8))
        await until(lambda: (found := note()) is not None and found.record is not None)
        offset = next(one.offset for one in kafka.logs[stands].committed() if one.value == poison)
        found = note()
        assert found is not None
        assert (found.key, found.record) == ("error.partition_defect", (stands.topic, offset))
        await asyncio.sleep(30)
        assert all(f"/{NUMBER}/" in place for place in simulation.left()), "the other one goes on"
        for _ in range(2):
            word("hanako")
            for _ in range(TRIED_AGAIN_SECONDS * 20):
                await asyncio.sleep(0.05)
                assert note() is not None, "one person is not enough, and the note stays all the time"
        word("taro")
        await until(lambda: note() is None and not simulation.left())
        await asyncio.sleep(30)
        simulation.check()
        (skipped,) = (
            one
            for each in kafka.logs[TopicPartition(settings.topic("manifests"), NUMBER)].committed()
            for one in orjson.loads(each.value or b"").get("skipped", ())
        )
        assert (skipped["topic"], skipped["to"], skipped["by"]) == (stands.topic, offset + 1, "taro")
        assert not any(worker.ended for worker in simulation.workers)

    with replaced(1):
        run(work, Random(1))
