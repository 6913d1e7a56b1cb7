"""A log of facts is put back to an older state and takes other records: whoever read it before sees that."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import orjson
import pytest
from aiokafka import TopicPartition

from gatekeeper.ground.errors import RestartError
from gatekeeper.ground.settings import Settings
from schemas.codec import VALUE_BYTES
from schemas.topics import FACT_TOPICS
from streams.worker.facts import PROOF_SECONDS, Followers
from streams.worker.kept_facts import KeptFacts
from tests.simulation.clients import Clients
from tests.simulation.kafka import Kafka
from tests.simulation.log import Log
from tests.simulation.loop import Machine, run
from tests.simulation.network import Network
from tests.simulation.worker import Wall
from tests.support import invented

SETTINGS = Settings(broker="simulated:1", prefix="s.", partitions=1, worker="w", keys="simulated")
LONG = b"{" + b" " * VALUE_BYTES


class World:
    """The topics of facts, and a worker's process that has them on its disk."""

    def __init__(self, home: Path | None) -> None:
        self.kafka = Kafka(lambda: invented.T)
        for topic in FACT_TOPICS:
            self.kafka.create(SETTINGS.topic(topic), 1)
        self.log: Log = self.kafka.logs[TopicPartition(SETTINGS.topic("suppressions"), 0)]
        self._home, self._network = home, Network(self.kafka, Random(1))

    def say_no(self, person: str, *, marked: bool = False) -> None:
        """Has a person say no. `marked`: a marker of nothing stands behind it."""
        _, value = invented.suppression(recipient_id=person)
        self.log.append([(person.encode(), orjson.dumps(value), ())], invented.T)
        if marked:
            self.log.mark(7, 0, "commit")
        self._network.everything()

    @asynccontextmanager
    async def worker(self) -> AsyncIterator[Followers]:
        """A worker's process that has read all facts."""
        kept = self._home and KeptFacts(self._home, origin=SETTINGS.group, identity=b"", key=invented.KEY)
        random = Random(1)
        followers = Followers(SETTINGS, None, Clients(self._network, SETTINGS), Wall(Machine("w"), random), kept)
        failed: list[BaseException] = []
        await followers.start(failed.append)
        try:
            assert await followers.barrier(9)
            await asyncio.sleep(2 * PROOF_SECONDS)
            yield followers
        finally:
            await followers.stop()
        if failed:
            raise failed[0]


def _three_said_no(folder: Path) -> World:
    world = World(folder)
    for person in ("P-1", "P-2", "P-3"):
        world.say_no(person)
    return world


async def _reads_the_other_log(world: World, followers: Followers) -> None:
    """Puts the log back, lets it take more records than before, and has a worker read what is behind its position."""
    world.log.put_back(1)
    for person in ("P-4", "P-5", "P-6", "P-7"):
        world.say_no(person)
    async with asyncio.timeout(9):
        while followers._positions[world.log.tp] < world.log.end:
            await asyncio.sleep(0.01)


def test_given_records_of_another_log_before_a_doubt_then_they_hide_no_loss(tmp_path: Path) -> None:
    async def work() -> None:
        world = _three_said_no(tmp_path)
        async with world.worker() as followers:
            await _reads_the_other_log(world, followers)
            followers.ends.doubts += 1
            assert not await followers.barrier(9)

    with pytest.raises(RestartError) as ended:
        run(work, Random(1))
    assert ended.value.key == "error.record_vanished"


def test_given_files_with_records_of_another_log_then_a_start_sees_the_loss(tmp_path: Path) -> None:
    async def work() -> None:
        world = _three_said_no(tmp_path)
        async with world.worker() as followers:
            await _reads_the_other_log(world, followers)
        async with world.worker() as followers:
            assert followers.lost_at
            assert followers.store.people == 5, "those who are told now"

    run(work, Random(1))


def test_given_no_files_and_a_head_that_names_lost_facts_then_its_note_will_say_so() -> None:
    async def work() -> None:
        async with World(None).worker() as followers:
            await followers.missed(5)
            assert followers.lost_at == 5, "what the refusal's note says"

    run(work, Random(1))


def test_given_the_same_log_after_a_doubt_or_a_start_then_the_worker_goes_on(tmp_path: Path) -> None:
    async def work() -> None:
        world = World(tmp_path)
        for number in range(4):
            world.say_no(f"P-{number}", marked=number == 1)
            if number == 2:
                world.log.append([(b"P-9", LONG, ())], invented.T)
            async with world.worker() as followers:
                assert (followers.lost_at, followers.store.people) == (0, number + 1)
                followers.ends.doubts += 1
                assert await followers.barrier(9)

    run(work, Random(1))
