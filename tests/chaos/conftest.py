"""What the crash tests share: a Kafka to hurt, moments of chance, a world, its consumer group, and a flow of sends."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Self

import pytest
from kafka import TopicPartition
from kafka.admin import KafkaAdminClient, MemberToRemove, TransactionState
from kafka.errors import NoError
from kafka.structs import OffsetAndMetadata

from streams.kafka.broker import Broker
from tests.worlds import BACK_SOON, Supervised, World, send, until

ROUNDS = int(os.environ.get("CHAOS_ROUNDS", "0"))
"""How often each crash test is run, every time with other moments: `scripts/chaos --rounds N`; 0 is its short form."""
PEOPLE, KNOWN = 500, 400
"""Of those whom sends go to, a fifth is known to no source."""


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A running Kafka of one file's tests alone, which they may kill and start again."""
    with Broker(tmp_path_factory.mktemp("kafka"), settings=BACK_SOON) as broker:
        yield broker


@pytest.fixture(params=range(ROUNDS or 1), ids=lambda number: f"round-{number}")
def chance(request: pytest.FixtureRequest) -> random.Random:
    """Where the moments of a round come from: the same for the same round."""
    return random.Random(request.param)


@pytest.fixture
def world(kafka: Broker, prefix: str) -> Iterator[World]:
    """A world whose topics go when the test is over, or a long run would fill the broker."""
    world = World(kafka.bootstrap, prefix).create()
    yield world
    with KafkaAdminClient(bootstrap_servers=world.bootstrap) as admin:
        admin.delete_topics([name for name in admin.list_topics() if name.startswith(prefix)])


def many(count: int) -> int:
    """Returns `count`; half of it in the short form, which each change is tried with."""
    return count if ROUNDS else count // 2


class Flow:
    """Publishes sends to people, of whom a fifth is unknown, and waits for their decisions."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.sent = 0
        # a producer that repeats what was not acknowledged must not be the one that doubles it
        self._producer = world.producer(**{"enable.idempotence": True, "log_level": 0})
        world.people(f"r{number}" for number in range(KNOWN))

    def worker(self, log: Path, **settings: str) -> AbstractContextManager[Supervised]:
        """Runs a worker as `World.process` does; in the short form with small chunks."""
        return self.world.process(log, None if ROUNDS else Path(__file__).with_name("small_chunks.py"), **settings)

    def publish(self, count: int) -> None:
        """Publishes so many more, and returns when they are acknowledged."""
        first, self.sent = self.sent, self.sent + count
        names = (f"r{number % PEOPLE}" for number in range(first, self.sent))
        self.world.put("sends", ((name, send(name, n)) for n, name in enumerate(names, first)), self._producer)

    @contextmanager
    def publishing(self, count: int) -> Iterator[None]:
        """Publishes so many more meanwhile."""
        with ThreadPoolExecutor(1) as thread:
            published = thread.submit(self.publish, count)
            yield
            published.result()

    def await_decided(self, count: int, *workers: Supervised) -> list[int]:
        """Waits for so many decisions, starts ended workers again, and returns the exit codes that they had."""
        codes: list[int] = []

        def enough() -> bool:
            codes.extend(code for worker in workers if (code := worker.keep_alive()) is not None)
            return self.world.decided() >= count

        until(enough, f"{count} decisions")
        return codes

    def await_more(self, count: int) -> None:
        """Waits until so many have been decided from now on."""
        self.await_decided(self.world.decided() + count)

    def interrupted(self) -> bool:
        """Tells whether some sends are decided and others not yet."""
        return 0 < self.world.decided() < self.sent

    def check(self, *workers: Supervised) -> list[int]:
        """Waits until all is decided, and asserts that it is decided once and rightly; returns as `await_decided`."""
        codes = self.await_decided(self.sent, *workers)
        expected = Counter("clear" if number % PEOPLE < KNOWN else "block" for number in range(self.sent))
        assert self.world.check(self.sent) == expected
        return codes


class Group:
    """The workers' consumer group and transactions, as an operator's tools reach them."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.name = world.settings.group
        sends = world.settings.topic("sends")
        self.partitions = [TopicPartition(sends, number) for number in range(world.partitions)]
        self._admin = KafkaAdminClient(bootstrap_servers=world.bootstrap)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._admin.close()

    def members(self) -> int:
        return len(self._admin.describe_groups([self.name])[self.name]["members"])

    def expel(self, *workers: str) -> None:
        """Removes static members, alive or not: Kafka lets nobody change the offsets of a group that has some."""
        self._admin.remove_group_members(self.name, [MemberToRemove(group_instance_id=worker) for worker in workers])

    def delete(self) -> bool:
        """Deletes the group with all its offsets; False where Kafka refuses, as a member is back already."""
        return bool(self._admin.delete_groups([self.name])[self.name] == "OK")

    def delete_offsets(self, *partitions: TopicPartition) -> bool:
        """Deletes the offsets of some partitions; False where Kafka refuses."""
        answer = self._admin.delete_group_offsets(self.name, partitions)
        return all(error is NoError for error in answer.values())

    def falsify(self) -> bool:
        """Leaves four partitions without offset, with the first, the end, one beyond it; False where Kafka refuses."""
        ends = self.world.ends("sends")
        none, first, end, beyond = self.partitions
        wrong = {first: 0, end: ends[end.partition], beyond: ends[beyond.partition] + 1_000_000}
        written = self._admin.alter_group_offsets(
            self.name, {tp: OffsetAndMetadata(offset, "", -1) for tp, offset in wrong.items()}
        )
        return all(error is NoError for error in written.values()) and self.delete_offsets(none)

    def in_transaction(self, partition: int) -> bool:
        """Tells whether the owner of a partition has a transaction open."""
        id_ = f"{self.name}-{partition}"
        return self._admin.describe_transactions([id_])[id_].state is TransactionState.ONGOING
