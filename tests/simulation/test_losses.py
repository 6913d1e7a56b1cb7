"""A log is put back to an older state, and something else happens at the same time: the loss is noted all the same."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random

import pytest
from aiokafka import TopicPartition

from gatekeeper.ledger.refused import Refused
from streams.worker.ownership_epoch import OwnershipEpoch
from tests.simulation import simulation
from tests.simulation.company import GONE, REPLACED
from tests.simulation.loop import run
from tests.simulation.simulation import until


class World:
    """A worker without files that owns the only partition, and a withdrawal by which it decided."""

    def __init__(self, folder: Path) -> None:
        self.it = simulation.Simulation(1, folder)
        self.company, self.kafka, self.settings = self.it.company, self.it.kafka, self.it.settings
        (self.worker,) = self.it.workers

    async def decide(self) -> None:
        """Has sends decided before and after somebody says no."""
        self.it.begin()
        await asyncio.sleep(10)
        self.company.write("sends", self.company.sends(8))
        topic, key, value = self.company.say(self.company.willing(), no=True)
        self.company._put(topic, key, value)
        self.facts = self.company._where(topic, key)
        await asyncio.sleep(10)
        self.company.write("sends", self.company.sends(8))
        await until(lambda: not self.it.left())

    def put_back(self, *tps: TopicPartition) -> None:
        """Puts logs back by their last record."""
        for tp in tps:
            log = self.kafka.logs[tp]
            log.put_back(log.ends(0, log.end - 1)[-1])
        self.it.network.restarted()

    def ask(self, kind: str, campaign: str) -> None:
        """Has a log take an act about a campaign, at once."""
        for tp, rows in self.company.campaign(kind, campaign):
            self.kafka.produce(None, None, tp, rows)
            self.it.network.appended(tp)

    def refused_for(self, key: str) -> bool:
        """Tells whether the partition is refused for this reason, by the note beside the group's offset."""
        found = self.company.note(0)
        return found is not None and found.key == key


@pytest.fixture(autouse=True)
def one_partition(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WORKERS", "PARTITIONS"):
        monkeypatch.setattr(simulation, name, 1)
    monkeypatch.setattr(simulation, "_settings", simulation._settings.__wrapped__)


def test_two_losses_and_a_death_after_the_word_on_one_then_the_other_is_known(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def work() -> None:
        world, died, write = World(tmp_path), list[Refused](), OwnershipEpoch.note

        async def dies(turn: OwnershipEpoch, text: str) -> None:
            found = Refused.decode(text)
            if found is not None and found.key == GONE and not died:
                died.append(found)
                world.worker.kill()
                await asyncio.sleep(0)
            await write(turn, text)

        monkeypatch.setattr(OwnershipEpoch, "note", dies)
        await world.decide()
        world.worker.kill()
        world.put_back(world.facts, TopicPartition(world.settings.topic("sends"), 0))
        await until(lambda: world.refused_for(REPLACED))
        for by in ("hanako", "taro"):
            act = world.company.resumption(0, by)
            assert act is not None
            world.company.put(act[0], [act[1]])
        await until(lambda: bool(died))
        await until(lambda: world.refused_for(GONE))

    with simulation.replaced(1):
        run(work, Random(1))


def test_a_cancellation_on_a_log_that_was_put_back_then_it_waits_until_that_is_known(
    tmp_path: Path,
) -> None:
    """A cancellation needs no facts, so nothing else asks the brokers after it came."""

    async def work() -> None:
        world = World(tmp_path)
        await world.decide()
        acts = TopicPartition(world.settings.topic("acts"), 0)
        world.ask("handoff", "K-1")
        await until(lambda: not world.it.left())
        end = world.kafka.logs[acts].end
        world.put_back(acts)
        world.ask("handoff", "K-2")
        world.ask("cancel", "K-2")  # stands where the worker reads on
        await until(lambda: world.refused_for(REPLACED))
        assert world.it.heads()[0].acts == end

    with simulation.replaced(1):
        run(work, Random(1))
