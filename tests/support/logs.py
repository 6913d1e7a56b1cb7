"""Logs as a driver sees them: the ends of partitions, and committed records, through one consumer kept for all.

Nothing is asked of the broker between two calls, or the worlds of many tests would keep it busy. A client of its own
for each question would cost more than the question: connections, and a search for the coordinator of its group.
"""

from __future__ import annotations

import time
from collections import defaultdict
from functools import cached_property
from typing import Any

from confluent_kafka import Consumer, IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

NO_LEADER_YET = (
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.OFFSET_NOT_AVAILABLE,
    KafkaError.FENCED_LEADER_EPOCH,
    KafkaError.UNKNOWN_LEADER_EPOCH,
)
"""Errors that pass: of a partition that was just made, and of one that another broker leads since."""
SECONDS = 120.0
"""Seconds that a busy machine is given to answer; only a failing test waits so long."""

COMMITTED_SECONDS = 0.5
"""Seconds for which a transaction may be open that is not left so: Kafka answers a commit before it is seen."""


class Logs:
    """The partitions of a cluster's topics, by their names on the broker."""

    def __init__(self, bootstrap: str, admin: AdminClient | None = None) -> None:
        self._bootstrap = bootstrap
        self._admin = admin or _admin(bootstrap)
        self._counts: dict[str, int] = {}
        self._at: dict[tuple[str, int], int] = defaultdict(int)
        """The next offset to read of each partition."""
        self._read: dict[str, dict[tuple[int, int], Any]] = defaultdict(dict)
        """By topic, the records that were read, by partition and offset."""
        self._told: dict[str, int] = defaultdict(int)
        self._ended = set[tuple[str, int]]()
        """The partitions whose end was met since it was last asked for."""

    @cached_property
    def _consumer(self) -> Consumer:
        return Consumer(
            {
                "bootstrap.servers": self._bootstrap,
                "group.id": "unused",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
                "fetch.wait.max.ms": 10,
                "log_level": 0,
            }
        )

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
            self._admin = _admin(self._bootstrap)  # one that remembers no leader: it asks by what it remembers
            time.sleep(0.02)

    def records(self, topic: str) -> list[Any]:
        """All committed records, by partition and offset, those that Kafka has deleted since they were read too."""
        self._follow(topic, self.ends(topic, stable=False), time.monotonic() + COMMITTED_SECONDS)
        return [record for _, record in sorted(self._read[topic].items())]

    def kept(self, topic: str) -> list[Any]:
        """All committed records that Kafka still has: of a compacted topic fewer than there once were."""
        anew = Logs(self._bootstrap, self._admin)
        try:
            return anew.records(topic)
        finally:
            anew._consumer.close()

    def new(self, topic: str) -> list[Any]:
        """Those that came since the last call."""
        self._follow(topic, self.ends(topic))
        found = list(self._read[topic].items())[self._told[topic] :]
        self._told[topic] = len(self._read[topic])
        return [record for _, record in sorted(found)]

    def _follow(self, topic: str, ends: list[int], patience: float | None = None) -> None:
        """Reads a topic to these ends; later than `patience`, to the first open transaction before them.

        Something of the topic that was read before may still come. It is kept as well, in its order, so that each
        partition has been read as far as its last message or end says.
        """
        give_up, self._ended = time.monotonic() + SECONDS, set()

        def behind() -> list[TopicPartition]:
            places = ((number, self._at[topic, number]) for number in range(len(ends)))
            return [TopicPartition(topic, number, at) for number, at in places if at < ends[number]]

        if not (left := behind()):
            return
        self._consumer.assign(left)
        while left := behind():
            if patience and time.monotonic() > patience and {(topic, one.partition) for one in left} <= self._ended:
                break
            assert time.monotonic() < give_up, f"{topic} could not be read to its end"
            if (message := self._consumer.poll(0.05)) is not None:
                for one in (message, *self._consumer.consume(1_000, 0)):
                    self._take(one)
        self._consumer.unassign()

    def _take(self, message: Any) -> None:
        place, error = (message.topic(), message.partition()), message.error()
        if error is None:
            self._read[message.topic()][message.partition(), message.offset()] = message
        if error is None or error.code() == KafkaError._PARTITION_EOF:  # any other passes, or the deadline does
            self._at[place] = max(self._at[place], message.offset() + (error is None))
            if error is not None:
                self._ended.add(place)

    def _count(self, topic: str) -> int:
        if not self._counts.get(topic):
            self._counts[topic] = len(self._consumer.list_topics(topic, timeout=10).topics[topic].partitions)
        return self._counts[topic]


def _admin(bootstrap: str) -> AdminClient:
    return AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
