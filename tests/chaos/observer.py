"""A reader of committed records that keeps all that a gate puts out, whatever happens to the brokers meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from tests.chaos.checker import Seen

TOPICS = ("audit", "cleared", "review", "deadletter", "recalls", "manifests", "results")
"""The topics of which the promises speak, by their registry names."""


class Observer:
    """Follows the outputs from their beginning, on its own connections to the brokers."""

    def __init__(self, bootstrap: str, prefix: str, partitions: int) -> None:
        self.seen: list[Seen] = []
        self._next: dict[tuple[str, int], int] = {}
        self._names = {f"{prefix}{topic}.v1": topic for topic in TOPICS}
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": "observer",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "auto.offset.reset": "error",
                "topic.metadata.refresh.interval.ms": 2_000,
                "socket.timeout.ms": 10_000,
                "log_level": 0,
            }
        )
        self._consumer.assign([TopicPartition(name, number, 0) for name in self._names for number in range(partitions)])

    def close(self) -> None:
        self._consumer.close()

    def watch(self, seconds: float, enough: Callable[[], bool] | None = None, every: float = 0.5) -> bool:
        """Keeps what is committed for so long, or until there is enough; tells whether there is."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._take(min(every, end - time.monotonic()))
            if enough is not None and enough():
                return True
        return False

    def _take(self, seconds: float) -> None:
        for message in self._consumer.consume(10_000, max(seconds, 0.0)):
            if error := message.error():
                if error.code() == KafkaError._AUTO_OFFSET_RESET:
                    self._again(message, error)
                continue
            self._next[message.topic(), message.partition()] = message.offset() + 1
            self.seen.append(
                Seen(
                    self._names[message.topic()],
                    message.partition(),
                    message.offset(),
                    message.key(),
                    message.value(),
                    dict(message.headers() or ()),
                )
            )

    def _again(self, message: Message, error: KafkaError) -> None:
        """Goes on behind the last record seen, if only epochs differ; raises for a record that is gone unseen.

        librdkafka compares epochs of leaders. A broker that was killed can have forgotten one, and has all records.
        """
        place = message.topic(), message.partition()
        if "truncation" not in error.str() or place not in self._next:
            raise KafkaException(error)
        self._consumer.seek(TopicPartition(*place, self._next[place]))
