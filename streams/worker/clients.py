"""The only place where the worker makes Kafka clients; the group's own is Faust's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol
from weakref import WeakSet

from aiokafka import AIOKafkaClient, AIOKafkaConsumer

from gatekeeper.settings import Settings
from schemas.topics import TOPICS
from streams.client.connection import reached
from streams.client.leaders import Cluster, Leaders
from streams.client.log_ends import RETRY_MS, Ends
from streams.client.producer import Producer

FETCH_BYTES = 1 << 20
"""So much of a partition is fetched at once."""
TRANSACTION_SECONDS = 15.0
"""After so long Kafka itself ends a transaction that nobody ended."""
REQUEST_SECONDS = 5.0
"""How long an answer may take: Kafka gives up a silent broker in about that time, and elects another leader."""


class Clients:
    """Makes clients, not started, as the settings say; raises as `reached` does. A simulation gives its own."""

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
        """A reader without group, for committed records only, that is to be assigned by hand.

        `wait_ms`: how long the broker keeps a fetch open while there is nothing to answer it with. `value`: what is
        kept of each record's value, from the moment it is inflated.
        """
        reader = AIOKafkaConsumer(
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
        """Returns what a client goes by that shall leave a deposed leader as soon as any of ours knows of it."""
        return Cluster(self._leaders)

    def ends(self) -> Ends:
        """Who knows the bounds of logs."""
        return Ends(self._leaders, self._settings.topic("sends"), **self._how())

    def producer(self, partition: int) -> Producer:
        """The transactional producer of one partition; starting it fences the former owner."""
        client = AIOKafkaClient(**self._how(), retry_backoff_ms=RETRY_MS)
        self._know(client)
        return Producer(
            client,
            f"{self._settings.group}-{partition}",
            [self._settings.topic(topic.name) for topic in TOPICS.values() if topic.writer == "worker"],
            timeout=TRANSACTION_SECONDS,
            request=REQUEST_SECONDS,
        )

    def _know(self, client: AIOKafkaClient) -> None:
        """Lets a client know what the others have found."""
        client.cluster = self.cluster()
        self._made.add(client)

    def _look_again(self) -> None:
        """Has all clients ask who leads what: where one partition has another leader, others have, too."""
        for client in self._made:
            client.force_metadata_update()

    def _how(self) -> dict[str, Any]:
        """How a client is made: begin with a broker that answers, as a halted one costs seconds."""
        answering = self._leaders.answering(asyncio.get_running_loop().time())
        where = {"bootstrap_servers": list(answering.values())} if answering else {}
        return self._reached | where | {"request_timeout_ms": int(REQUEST_SECONDS * 1000)}


class Client(Protocol):
    """What is started before it is used."""

    async def start(self) -> None:
        """Connects."""


async def started(*clients: Client) -> None:
    """Starts clients side by side: each may meet a silent broker; where one fails, the others are given up."""
    try:
        async with asyncio.TaskGroup() as group:
            for client in clients:
                group.create_task(client.start())
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None
