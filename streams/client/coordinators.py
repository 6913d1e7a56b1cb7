"""The brokers that coordinate transactions and groups, and the answers that only ask for patience.

A request is sent once, and again only after an answer that the broker did nothing. docs/adr/0025-turns.md.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import aiokafka.errors as errors
from aiokafka.client import AIOKafkaClient, ConnectionGroup
from aiokafka.protocol.coordination import FindCoordinatorRequest

SETTLE_SECONDS = 5.0
"""Seconds for which answers that only ask for patience are accepted; then the producer ends."""
MARKERS_SECONDS = 0.002
"""Seconds until the next attempt while the markers of the last commit are being written."""
PATIENCE_SECONDS = 0.02
PRODUCER_FENCED = 90
"""A code without a class in aiokafka."""

T = TypeVar("T")

PATIENCE = (
    errors.ConcurrentTransactions,
    errors.CoordinatorLoadInProgressError,
    errors.CoordinatorNotAvailableError,
    errors.LeaderNotAvailableError,
    errors.NotCoordinatorError,
    errors.NotEnoughReplicasError,
    errors.NotLeaderForPartitionError,
    errors.UnknownTopicOrPartitionError,
)
"""Answers after which the broker has done nothing, and may succeed in a moment.

Kafka 4 now and then answers the Produce versions of this client with NotEnoughReplicas, while it verifies a partition.
"""


class Coordinators:
    """The brokers that coordinate a transaction and its group, found when they are first asked.

    `client`: started by the caller.
    """

    def __init__(self, client: AIOKafkaClient) -> None:
        self._client = client
        self._nodes: dict[int, int] = {}

    async def ask(self, kind: int, key: str, request: Any) -> Any:
        """The coordinator's answer to a request that is sent once."""
        if kind not in self._nodes:
            self._nodes[kind] = await self._coordinator(kind, key)
        return await self._client.send(self._nodes[kind], request, group=ConnectionGroup.COORDINATION)

    async def _coordinator(self, kind: int, key: str) -> int:
        """The broker that coordinates; asks one broker after another, as any of them may be halted."""
        nodes = [broker.nodeId for broker in self._client.cluster.brokers()]
        random.shuffle(nodes)
        failed: errors.KafkaError = errors.CoordinatorNotAvailableError()
        for node in nodes:
            try:
                answer = await self._client.send(node, FindCoordinatorRequest(key, kind))
            except errors.KafkaError as error:
                failed = error
                continue
            if answer.error_code:
                raise error_of(answer.error_code)
            return int(answer.coordinator_id)
        raise failed

    def demand(self, code: int, kind: int) -> None:
        """Raises the coordinator's error, if its answer has one."""
        if code:
            error = error_of(code)
            if isinstance(error, errors.NotCoordinatorError | errors.CoordinatorNotAvailableError):
                self._nodes.pop(kind, None)
            raise error


async def patiently(ask: Callable[[], Awaitable[T]]) -> T:
    """Asks again while the answer is one of PATIENCE, for SETTLE_SECONDS; a missing answer is raised."""
    loop = asyncio.get_running_loop()
    give_up = loop.time() + SETTLE_SECONDS
    while True:
        try:
            return await ask()
        except PATIENCE as error:
            if loop.time() > give_up:
                raise
            markers = isinstance(error, errors.ConcurrentTransactions)
            await asyncio.sleep(MARKERS_SECONDS if markers else PATIENCE_SECONDS)


def error_of(code: int) -> errors.KafkaError:
    """The error for a broker's code; a fenced producer is the same error, whichever request reported it."""
    kind = errors.for_code(code)
    if kind is errors.InvalidProducerEpoch or code == PRODUCER_FENCED:
        return errors.ProducerFenced()
    error: errors.KafkaError = kind()
    return error
