"""A system whose workers decided on several days, on a real Kafka; nothing of it runs any more."""

from __future__ import annotations

import base64
import uuid
from pathlib import Path

import orjson

from streams.kafka.broker import Broker
from tests.support.invented import REFERENCE
from tests.support.trails import Trail
from tests.support.world import World, group_keys


def empty(kafka: Broker, folder: Path, partitions: int) -> World:
    """Returns a system with keys of its own, in which nothing is decided yet."""
    prefix = f"t{uuid.uuid4().hex}."
    keys = group_keys(folder / "keys", f"{prefix}gk")
    return World(kafka.bootstrap, prefix, partitions=partitions, keys=keys).create()


class Past:
    """A system whose workers decided on several days; nothing runs any more."""

    def __init__(self, world: World, trail: Trail) -> None:
        self.world, self.trail = world, trail
        self._written = 0

    def write(self, transactions: int) -> None:
        """Has some more decided."""
        self.trail.write(transactions)
        for step in self.trail.steps[self._written :]:
            rows = [(orjson.loads(record)["did"], record) for record in step.records]
            signature = [("gate-sig", base64.b64encode(step.sig))]
            with self.world.transaction() as producer:
                self.world.put("audit", rows, producer, partition=step.partition)
                topic = self.world.topic("manifests")
                producer.produce(topic, step.value, b"worker-0", partition=step.partition, headers=signature)
                producer.commit_transaction(30)
        self._written = len(self.trail.steps)


def of_several_days(kafka: Broker, folder: Path) -> Past:
    """Returns a system with decisions of several days."""
    world = empty(kafka, folder, 2)
    # no acts: they were long ago, and Kafka dates the people who would have signed them today
    trail = Trail(partitions=2, seed=3, acting=0, apart=(36_000_000, 72_000_000), group=world.settings.group)
    Path(world.keys, "worker-2.pub").write_text(f"{trail.worker.verifier}\n", "ascii")
    world.put("reference", [(f"reference/{number}", value) for number, (_, value) in enumerate(REFERENCE)])
    found = Past(world, trail)
    found.write(12)
    return found
