"""Where logs begin and end, as the worker trusts it: a chunk is judged, and a ledger read, up to these offsets."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

RETRY_MS = 20
"""A client that asks about a topic for the first time does so in vain, and waits so long for what it is told."""


class Ends:
    """Asks brokers for the bounds of logs, on connections of its own, so that no long fetch delays the question."""

    def __init__(self, **reached: Any) -> None:
        """`reached`: how aiokafka's clients are made."""
        self._reached = reached

    async def start(self) -> None:
        """Connects."""
        how = {**self._reached, "enable_auto_commit": False, "retry_backoff_ms": RETRY_MS}
        self._all = AIOKafkaConsumer(**how, isolation_level="read_uncommitted")
        self._committed = AIOKafkaConsumer(**how, isolation_level="read_committed")
        self._admin = AIOKafkaAdminClient(**self._reached)
        await asyncio.gather(self._all.start(), self._committed.start(), self._admin.start())

    async def stop(self) -> None:
        """Disconnects."""
        await asyncio.gather(self._all.stop(), self._committed.stop(), self._admin.close())

    async def ends(self, tps: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Returns the end of each log, uncommitted records included."""
        found: dict[TopicPartition, int] = await self._all.end_offsets(list(tps))
        return found

    async def stable(self, tps: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Returns the stable end of each log: where its first open transaction, or the log itself, ends."""
        found: dict[TopicPartition, int] = await self._committed.end_offsets(list(tps))
        return found

    async def beginnings(self, tps: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Returns the first offset that each log keeps."""
        found: dict[TopicPartition, int] = await self._all.beginning_offsets(list(tps))
        return found

    async def partitions(self, topics: Sequence[str]) -> list[TopicPartition]:
        """Returns the partitions of these topics, in order."""
        found = await self._admin.describe_topics(list(topics))
        return sorted(
            TopicPartition(topic["topic"], partition["partition"])
            for topic in found
            for partition in topic["partitions"]
        )
