"""All results of one chunk, gathered first and then written in one Kafka transaction."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence

from aiokafka import TopicPartition
from aiokafka.structs import OffsetAndMetadata

from gatekeeper.ground.errors import IntegrityError, RestartError
from gatekeeper.ground.settings import Settings
from schemas.codec import KEY_BYTES
from schemas.topics import MAX_MESSAGE_BYTES, TOPICS
from streams.client.producer import Producer, ProducerBatch
from streams.worker.clock import Clock

DEAD_LETTER_BYTES = MAX_MESSAGE_BYTES - 64 * 1024
"""Size in bytes above which a dead letter names a record only by hash. It came compressed or at the very limit."""
GOING_OUT = ("cleared", "confirmations", "recalls")
"""Topics on which other people act; a shadow writes to none of them, whatever the rest of the engine does."""


class Transaction:
    """Batches for one partition number of several topics, and one all-or-nothing write of them."""

    def __init__(self, settings: Settings, writer: Producer, partition: int) -> None:
        self._settings, self._writer, self._partition = settings, writer, partition
        self._forbidden = GOING_OUT if settings.mode == "shadow" else ()
        self._batches: dict[str, list[ProducerBatch]] = {}
        self.decided = Counter[tuple[str, str, str, str]]()
        """The sends decided in it, by verdict, primary code, channel and class; metrics count them after the commit."""
        self.published: Sequence[int] = ()
        """The broker's times of these sends, in milliseconds."""
        self.taken_at: float | None = None
        """The loop's time in seconds at which its sends were taken up; None without sends."""

    def __contains__(self, topic: str) -> bool:
        """Tells whether a record was added for `topic` (registry name)."""
        return topic in self._batches

    def add(
        self, topic: str, key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes]] = ()
    ) -> None:
        """Adds one record for `topic` (registry name).

        Raises RestartError (70) if the record fits no batch, and IntegrityError (4) if a shadow would send it out.
        """
        if topic in self._forbidden:
            raise IntegrityError("error.shadow_sends", topic=topic)
        if topic == "deadletter" and len(key or b"") + len(value or b"") > DEAD_LETTER_BYTES:
            measures = [("gate-size", str(len(value or b"")).encode()), ("gate-sha256", _digest(value))]
            key, value, headers = (key or b"")[:KEY_BYTES], None, [*headers, *measures]
        batches = self._batches.setdefault(topic, [])
        for fresh in (False, True):
            if fresh or not batches:
                name, compression = self._settings.topic(topic), TOPICS[topic].compression
                batches.append(ProducerBatch(name, self._partition, compression))
            if batches[-1].append(key, value, headers):
                return
        raise RestartError("error.record_too_large", topic=topic)

    async def commit(self, shown: Mapping[TopicPartition, int], clock: Clock) -> dict[str, int]:
        """Writes everything added, with the group's offsets that ride along, and commits.

        The result is the first offset of each topic's last batch. Every failure and every unknown result is an
        exception: the caller must not use this writer any more.
        """
        start, sent = clock.start(), clock.now()
        batches = [(topic, batch) for topic, batches in self._batches.items() for batch in batches]
        offsets = {tp: OffsetAndMetadata(offset, "") for tp, offset in shown.items()}
        places = await self._writer.commit([batch for _, batch in batches], offsets, self._settings.group)
        appended = max(place.timestamp for place in places)
        clock.observe(start=start, sent=sent, acknowledged=clock.now(), appended=appended)
        return {topic: place.offset for (topic, _), place in zip(batches, places, strict=True)}


def _digest(value: bytes | None) -> bytes:
    return hashlib.sha256(value or b"").hexdigest().encode()
