"""The only place where the worker makes Kafka clients; Faust makes the group's own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol
from weakref import WeakSet

from aiokafka import AIOKafkaClient, AIOKafkaConsumer, AIOKafkaProducer

from gatekeeper.ground.settings import Settings
from schemas.topics import TOPICS
from streams.client.brokers import RETRY_MS
from streams.client.connection import reached
from streams.client.leaders import Cluster, Leaders
from streams.client.log_ends import Ends
from streams.client.producer import Producer

FETCH_BYTES = 1 << 20
"""Bytes per partition and fetch."""
TRANSACTION_SECONDS = 15.0
"""Seconds after which Kafka itself ends an open transaction."""
REQUEST_SECONDS = 5.0
"""Seconds to wait for an answer: Kafka gives up a silent broker in about that time, and elects another leader."""
WRITE_SECONDS = 20.0
"""Seconds for an acknowledgement; within that time a producer survives the restart of a broker."""


class AssignedConsumer(AIOKafkaConsumer):
    """A consumer without a group that stops in order.

    aiokafka's own stop is cancelled by a fetch that waits to be tried again.
    """

    async def stop(self) -> None:
        """Disconnects; passes on no cancellation but the caller's."""
        stopping = asyncio.ensure_future(super().stop())
        await asyncio.wait({stopping})
        if stopping.cancelled():
            await self._client.close()
        else:
            stopping.result()


class Clients:
    """Maker of clients, not started, from the settings; raises as `reached` does. A simulation passes its own."""

    def __init__(self, settings: Settings) -> None:
        self._settings, self._reached = settings, reached(settings)
        self._leaders = Leaders()
        self._leaders.on_change = self._look_again
        self._made = WeakSet[AIOKafkaClient]()

    def reader(
        self,
        *,
        wait_ms: int = 50,
        fetch_bytes: int = FETCH_BYTES,
        value: Callable[[bytes | None], bytes | None] | None = None,
    ) -> AIOKafkaConsumer:
        """A reader of committed records without a group; assign it by hand.

        `wait_ms`: milliseconds for which the broker keeps a fetch open while it has no records. `value`: applied to
        each record's value as soon as it is inflated; its result is kept.
        """
        reader = AssignedConsumer(
            **self._how(),
            enable_auto_commit=False,
            isolation_level="read_committed",
            auto_offset_reset="none",
            fetch_max_wait_ms=wait_ms,
            max_partition_fetch_bytes=fetch_bytes,
            retry_backoff_ms=RETRY_MS,
            value_deserializer=value,
        )
        self._know(reader._client)  # a private name: tests/unit/test_private_names.py
        return reader

    def cluster(self) -> Cluster:
        """Cluster metadata for a client that must leave a deposed leader once any client of ours knows of it."""
        return Cluster(self._leaders)

    def ends(self) -> Ends:
        """The client that finds the bounds of logs."""
        return Ends(self._leaders, self._settings.topic("sends"), **self._how())

    def producer(self, partition: int) -> Producer:
        """The transactional producer of one partition; starting it fences the former owner."""
        client = AIOKafkaClient(**self._how(), retry_backoff_ms=RETRY_MS)
        self._know(client)
        return Producer(
            client,
            f"{self._settings.group}-{partition}",
            [self._settings.topic(topic.name) for topic in TOPICS.values() if "worker" in topic.writers],
            timeout=TRANSACTION_SECONDS,
            request=REQUEST_SECONDS,
        )

    def writer(self) -> AIOKafkaProducer:
        """An idempotent producer outside of transactions; all in-sync replicas acknowledge what it writes."""
        how = self._how() | {"request_timeout_ms": int(WRITE_SECONDS * 1000)}
        producer = AIOKafkaProducer(**how, acks="all", enable_idempotence=True, linger_ms=2, retry_backoff_ms=RETRY_MS)
        self._made.add(producer.client)  # its parts share the cluster that they were made with
        return producer

    def _know(self, client: AIOKafkaClient) -> None:
        """Shares the findings of all other clients with a client."""
        client.cluster = self.cluster()
        self._made.add(client)

    def _look_again(self) -> None:
        """Makes all clients ask for the leaders again: if one partition has a new leader, others have, too."""
        for client in self._made:
            client.force_metadata_update()

    def _how(self) -> dict[str, Any]:
        """The arguments of a client. A broker that answers comes first, because a halted one costs seconds."""
        answering = self._leaders.answering(asyncio.get_running_loop().time())
        where = {"bootstrap_servers": list(answering.values())} if answering else {}
        return self._reached | where | {"request_timeout_ms": int(REQUEST_SECONDS * 1000)}


class Client(Protocol):
    """A client that must be started before use."""

    async def start(self) -> None:
        """Connects."""


async def started(*clients: Client) -> None:
    """Starts clients side by side, since each may meet a silent broker; if one fails, the others are cancelled."""
    try:
        async with asyncio.TaskGroup() as group:
            for client in clients:
                group.create_task(client.start())
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None
