"""Logs as a driver sees them: the ends of partitions, and committed records, through one consumer kept for all.

Nothing is asked of the broker between two calls, or the worlds of many tests would keep it busy. A client of its own
for each question would cost more than the question: connections, and a search for the coordinator of its group.
"""

from __future__ import annotations

import time
from functools import cached_property
from typing import Any

from confluent_kafka import Consumer, IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

NO_LEADER_YET = (
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.OFFSET_NOT_AVAILABLE,
)
SECONDS = 120.0
"""Seconds that a busy machine is given to answer; only a failing test waits so long."""


class Logs:
    """The partitions of a cluster's topics, by their names on the broker."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._counts: dict[str, int] = {}
        self._at: dict[str, list[int]] = {}
        """How far each topic has been followed, by partition."""

    @cached_property
    def _consumer(self) -> Consumer:
        return Consumer(
            {
                "bootstrap.servers": self._bootstrap,
                "group.id": "unused",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
                "fetch.wait.max.ms": 10,
                "log_level": 0,
            }
        )

    @cached_property
    def _admin(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self._bootstrap, "log_level": 0})

    def ends(self, topic: str, *, stable: bool = True) -> list[int]:
        """The end of each partition; `stable`: before the first open transaction. Markers count."""
        level = IsolationLevel.READ_COMMITTED if stable else IsolationLevel.READ_UNCOMMITTED
        asked = {TopicPartition(topic, number): OffsetSpec.latest() for number in range(self._count(topic))}

        end = time.monotonic() + SECONDS
        while True:
            found = self._admin.list_offsets(asked, isolation_level=level, request_timeout=10) if asked else {}
            try:
                return [future.result().offset for future in found.values()]
            except KafkaException as error:
                if error.args[0].code() not in NO_LEADER_YET or time.monotonic() > end:
                    raise
            time.sleep(0.02)

    def read(self, topic: str) -> list[Any]:
        """All committed records of a topic, by partition and offset."""
        places = range(self._count(topic))
        return self._read(topic, dict.fromkeys(places, 0), dict.fromkeys(places, 0))

    def new(self, topic: str) -> list[Any]:
        """The committed records that came since the last call, by partition and offset."""
        ends = self.ends(topic)
        at = self._at.setdefault(topic, [0] * len(ends))
        behind = {number: at[number] for number, end in enumerate(ends) if at[number] < end}
        return self._read(topic, behind, {number: ends[number] for number in behind}, at)

    def _read(self, topic: str, begin: dict[int, int], least: dict[int, int], at: list[int] | None = None) -> list[Any]:
        """Reads each of these partitions to an end that is not before `least`; `at` learns where that is."""
        found: list[Any] = []
        if not begin:
            return found
        self._consumer.assign([TopicPartition(topic, number, offset) for number, offset in begin.items()])
        end, left = time.monotonic() + SECONDS, set(begin)
        while left:
            assert time.monotonic() < end, f"{topic} could not be read to its end"
            first = self._consumer.poll(0.05)
            for message in (first, *self._consumer.consume(1_000, 0)) if first else ():
                error = message.error()
                if error is None:
                    found.append(message)
                elif error.code() == KafkaError._PARTITION_EOF:  # any other passes, or the deadline does
                    if message.offset() >= least[message.partition()]:
                        left.discard(message.partition())
                    if at is not None:
                        at[message.partition()] = message.offset()
        self._consumer.unassign()
        return sorted(found, key=lambda m: (m.partition(), m.offset()))

    def _count(self, topic: str) -> int:
        if not self._counts.get(topic):
            self._counts[topic] = len(self._consumer.list_topics(topic, timeout=10).topics[topic].partitions)
        return self._counts[topic]
