"""The brokers of a cluster, each asked on a connection of its own: one that hangs delays no other."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Any

from aiokafka import AIOKafkaClient
from aiokafka.errors import KafkaError

from streams.client.leaders import Cluster, Leaders

RETRY_MS = 20
"""Milliseconds until a client asks again after an answer that did not help."""
REST_SECONDS = 0.3
"""Seconds for which a broker that could not be asked is left alone; the others may suffice."""
AT_ONCE = 8
"""Requests that may wait for one broker; a halted broker would collect them without end."""


class UnansweredError(Exception):
    """Raised if a broker gave no answer: others may."""


class Brokers:
    """Client that asks each broker by its id; many may ask at once."""

    def __init__(self, leaders: Leaders, topic: str, **reached: Any) -> None:
        """`leaders`: learns which brokers answered. `reached`: the arguments of aiokafka's clients.

        `topic`: the topic that aiokafka asks about when it looks for brokers; without one it asks about all topics. It
        goes into a private name of aiokafka: tests/unit/test_private_names.py.
        """
        self._leaders, self._topic, self._reached = leaders, topic, reached
        self._slots: dict[int, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(AT_ONCE))
        self._rested: dict[int, float] = {}
        """By broker, the time from which it may be asked again."""
        self._asking: set[asyncio.Future[Any]] = set()

    async def start(self) -> None:
        """Connects; raises KafkaConnectionError where no bootstrap server answers."""
        self._client = AIOKafkaClient(**self._reached, retry_backoff_ms=RETRY_MS)
        self._client.cluster = self._cluster = Cluster(self._leaders)
        self._clients: dict[int, AIOKafkaClient] = {}
        """One for each broker: a client that connects to a hanging broker connects to no other meanwhile."""
        await self._client.bootstrap()
        self._client._topics.add(self._topic)  # `add_topic` would look for brokers once more, on one more connection

    async def stop(self) -> None:
        """Disconnects."""
        asking = list(self._asking)
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        await asyncio.gather(*(client.close() for client in (self._client, *self._clients.values())))

    def everybody(self) -> set[int]:
        """The ids of all brokers, those that do not answer included."""
        return self._cluster.everybody()

    async def ask(self, node: int, *requests: Any) -> Any:
        """A broker's answers, in the order of the requests; raises UnansweredError without them.

        A caller that stops waiting cancels nothing: the requests keep their place until they are answered, or time out.
        """
        loop = asyncio.get_running_loop()
        await asyncio.sleep(max(0.0, self._rested.get(node, 0.0) - loop.time()))
        await self._slots[node].acquire()
        client = self._to(node)
        asking = asyncio.gather(*(client.send(node, request) for request in requests))
        self._asking.add(asking)
        asking.add_done_callback(lambda _: self._asked(node, asking))
        try:
            answers = await asyncio.shield(asking)
        except (KafkaError, OSError, LookupError) as error:  # aiokafka looks up a connection that it closed meanwhile
            self._rested[node] = loop.time() + REST_SECONDS
            self._client.force_metadata_update()  # the broker may have come back elsewhere
            raise UnansweredError(type(error).__name__) from None
        broker = self._cluster.broker_metadata(node)
        if broker is not None:
            self._leaders.heard(node, f"{broker.host}:{broker.port}", loop.time())
        return answers

    def _to(self, node: int) -> AIOKafkaClient:
        if node not in self._clients:
            self._clients[node] = AIOKafkaClient(**self._reached)
            self._clients[node].cluster = self._cluster
        return self._clients[node]

    def _asked(self, node: int, asking: asyncio.Future[Any]) -> None:
        self._asking.discard(asking)
        self._slots[node].release()
        if not asking.cancelled():
            asking.exception()  # nobody may await it any more, and asyncio would complain
