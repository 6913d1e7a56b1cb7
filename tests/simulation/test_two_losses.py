"""An input and a topic of facts are put back together: the word on the one does not hide the loss of the other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from aiokafka import TopicPartition

from gatekeeper.ledger.refused import Refused
from streams.worker.ownership_epoch import OwnershipEpoch
from tests.simulation import simulation
from tests.simulation.company import GONE, REPLACED
from tests.simulation.loop import run
from tests.simulation.promises import Left


def test_two_losses_and_a_death_after_the_word_on_one_then_the_other_is_known(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("WORKERS", "PARTITIONS"):
        monkeypatch.setattr(simulation, name, 1)
    monkeypatch.setattr(simulation, "_settings", simulation._settings.__wrapped__)

    async def work() -> None:
        it = simulation.Simulation(1, tmp_path)
        company, kafka, settings = it.company, it.kafka, it.settings
        (worker,) = it.workers
        write, died = OwnershipEpoch.note, []

        async def dies(turn: OwnershipEpoch, text: str) -> None:
            found = Refused.decode(text)
            if found is not None and found.key == GONE and not died:
                died.append(found)
                worker.kill()
                await asyncio.sleep(0)
            await write(turn, text)

        monkeypatch.setattr(OwnershipEpoch, "note", dies)

        async def until(done: Callable[[], bool]) -> None:
            async with asyncio.timeout(300):
                while not done():
                    await asyncio.sleep(0.05)

        def refused_for(key: str) -> Callable[[], bool]:
            return lambda: (found := company.note(0)) is not None and found.key == key

        it.begin()
        await asyncio.sleep(10)
        company.write("sends", company.sends(8))
        topic, key, value = company.say(company.willing(), no=True)
        company._put(topic, key, value)
        await asyncio.sleep(10)
        company.write("sends", company.sends(8))
        await until(lambda: not Left(kafka, settings).places())
        worker.kill()
        for tp in (company._where(topic, key), TopicPartition(settings.topic("sends"), 0)):
            kafka.logs[tp].put_back(kafka.logs[tp].ends(0, kafka.logs[tp].end - 1)[-1])
        it.network.restarted()
        await until(refused_for(REPLACED))
        for by in ("hanako", "taro"):
            act = company.resumption(0, by)
            assert act is not None
            company.put(act[0], [act[1]])
        await until(lambda: bool(died))
        await until(refused_for(GONE))

    with simulation.replaced(1):
        run(work, Random(1))
