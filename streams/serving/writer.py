"""Writes records of other programs, each acknowledged by all in-sync replicas."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from gatekeeper.settings import Settings
from streams.client.outgoing import Outgoing
from streams.client.publisher import RecordMetadata
from streams.worker.clients import Clients


class Writer:
    """One idempotent producer for all requests. Keyed records go to the partition of Kafka's murmur2."""

    def __init__(self, settings: Settings, clients: Clients) -> None:
        self._settings = settings
        self._producer: AIOKafkaProducer = clients.writer()

    async def start(self) -> None:
        """Connects."""
        await self._producer.start()

    async def stop(self) -> None:
        """Waits for the answers under way, and disconnects."""
        await self._producer.stop()

    async def write(self, records: Sequence[Outgoing]) -> list[RecordMetadata | None]:
        """The place of each record as Kafka acknowledged it; None without an answer, when it may have been written.

        Records of one partition are written in the order given.
        """
        under_way = [await self._begun(record) for record in records]
        return [await self._place(record.topic, one) for record, one in zip(records, under_way, strict=True)]

    async def _begun(self, record: Outgoing) -> asyncio.Future[Any] | None:
        name, headers = self._settings.topic(record.topic), list(record.headers)
        try:
            found: asyncio.Future[Any] = await self._producer.send(
                name, record.value, record.key, partition=record.partition, headers=headers
            )
        except KafkaError:
            return None
        return found

    async def _place(self, topic: str, under_way: asyncio.Future[Any] | None) -> RecordMetadata | None:
        try:
            found = await under_way if under_way is not None else None
        except KafkaError:
            return None
        return RecordMetadata(topic, found.partition, found.offset) if found is not None else None
