"""The workers' consumer group, as an operator's tools reach it."""

from __future__ import annotations

from typing import Self

from kafka import TopicPartition
from kafka.admin import KafkaAdminClient, MemberToRemove
from kafka.errors import NoError
from kafka.structs import OffsetAndMetadata

from tests.support.world import World

ASKED_MS = 10_000
"""Milliseconds of waiting for a broker that may be halted."""


class Group:
    """The group of a world's workers."""

    def __init__(self, world: World, bootstrap: str = "") -> None:
        self.world = world
        self.name = world.settings.group
        sends = world.topic("sends")
        self.partitions = [TopicPartition(sends, number) for number in range(world.partitions)]
        self._admin = KafkaAdminClient(bootstrap_servers=bootstrap or world.bootstrap, request_timeout_ms=ASKED_MS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._admin.close()

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
