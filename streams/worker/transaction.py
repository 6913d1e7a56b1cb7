"""Everything that one chunk causes, gathered first and then written in one Kafka transaction."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence

import aiokafka.producer.sender
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.structs import OffsetAndMetadata

from gatekeeper.errors import IntegrityError, RestartError
from gatekeeper.settings import Settings
from schemas.codec import KEY_BYTES
from schemas.topics import MAX_MESSAGE_BYTES
from streams.client.connection import reached
from streams.worker.clock import Clock

BATCH_BYTES = 1_000_000
DEAD_LETTER_BYTES = MAX_MESSAGE_BYTES - 64 * 1024
"""A record beyond this came compressed or at the very limit, and its dead letter can only name it by hash."""
TRANSACTION_SECONDS = 15.0
GOING_OUT = ("cleared", "confirmations", "recalls")
"""Topics that other people act on; a shadow writes none of them, whatever the rest of the engine believes."""

# After CONCURRENT_TRANSACTIONS (the markers of the last commit are still being written) aiokafka waits 20 ms;
# with 2 ms a transaction takes 9 ms instead of 35. A private name: tests/unit/test_private_names.py.
aiokafka.producer.sender.BACKOFF_OVERRIDE = 0.002


def producer(settings: Settings, partition: int) -> AIOKafkaProducer:
    """Returns the transactional producer of one partition; starting it fences the former owner."""
    return AIOKafkaProducer(
        **reached(settings),
        transactional_id=f"{settings.group}-{partition}",
        acks="all",
        linger_ms=0,
        max_batch_size=BATCH_BYTES,
        max_request_size=16 * BATCH_BYTES,
        retry_backoff_ms=20,
        transaction_timeout_ms=int(TRANSACTION_SECONDS * 1000),
    )


class Transaction:
    """Batches of one partition number for several topics, then one all-or-nothing write of them."""

    def __init__(self, settings: Settings, writer: AIOKafkaProducer, partition: int) -> None:
        self._settings, self._writer, self._partition = settings, writer, partition
        self._forbidden = GOING_OUT if settings.mode == "shadow" else ()
        self._batches: dict[str, list[BatchBuilder]] = {}

    def add(
        self, topic: str, key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes]] = ()
    ) -> None:
        """Adds one record for `topic` (registry name).

        Raises RestartError (70) where it fits in no batch, and IntegrityError (4) where a shadow would send it out.
        """
        if topic in self._forbidden:
            raise IntegrityError("error.shadow_sends", topic=topic)
        if topic == "deadletter" and len(key or b"") + len(value or b"") > DEAD_LETTER_BYTES:
            told = [("gate-size", str(len(value or b"")).encode()), ("gate-sha256", _digest(value))]
            key, value, headers = (key or b"")[:KEY_BYTES], None, [*headers, *told]
        if key is None and value is None:
            key = b""  # Kafka takes such a record, aiokafka does not
        batches = self._batches.setdefault(topic, [])
        for fresh in (False, True):
            if fresh or not batches:
                batches.append(self._writer.create_batch())
            if batches[-1].append(timestamp=None, key=key, value=value, headers=list(headers)) is not None:
                return
        raise RestartError("error.record_too_large", topic=topic)

    async def commit(self, position: Mapping[TopicPartition, int], clock: Clock) -> dict[str, int]:
        """Writes all that was added, with the group's offsets as a mirror of the position, and commits.

        Returns where each topic's last batch begins. Whatever goes wrong, and every result that is not known, is an
        exception: the caller must not go on.
        """
        async with asyncio.timeout(TRANSACTION_SECONDS):
            await self._writer.begin_transaction()
            sent = clock.now()
            topics = [topic for topic, batches in self._batches.items() for _ in batches]
            written = [
                await self._writer.send_batch(batch, self._settings.topic(topic), partition=self._partition)
                for topic, batches in self._batches.items()
                for batch in batches
            ]
            offsets = {tp: OffsetAndMetadata(offset, "") for tp, offset in position.items()}
            mirror = self._writer.send_offsets_to_transaction(offsets, self._settings.group)
            _, *metadata = await asyncio.gather(mirror, *written)
            clock.observe(sent=sent, acknowledged=clock.now(), appended=max(m.timestamp for m in metadata))
            await self._writer.commit_transaction()
            return {topic: m.offset for topic, m in zip(topics, metadata, strict=True)}


def _digest(value: bytes | None) -> bytes:
    return hashlib.sha256(value or b"").hexdigest().encode()
