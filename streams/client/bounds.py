"""The bounds of logs for commands: the results of `log_ends`, without an event loop of the caller."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError, TopicAuthorizationFailedError
from kafka.errors import KafkaTimeoutError
from kafka.errors import TopicAuthorizationFailedError as Forbidden

from gatekeeper.ground.settings import Settings
from streams.client.answering import answering
from streams.client.connection import reached
from streams.client.leaders import Leaders
from streams.client.log_ends import Ends

REQUEST_SECONDS = 5.0
"""Seconds after which a silent broker is left alone."""
PATIENCE_SECONDS = 15.0
"""Seconds; Kafka elects another leader 9 seconds after losing the last one."""

Offsets = dict[Any, int]
"""Offsets by topic and partition."""
T = TypeVar("T")


class LogBounds:
    """Client that asks one question at a time; connects with the first, and stays connected until closed.

    Every method raises KafkaTimeoutError if too few brokers answer to be sure. It raises kafka-python's
    TopicAuthorizationFailedError if the user may not ask. Not for a running loop.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._runner: asyncio.Runner | None = None
        self._found: Ends | None = None

    def listed(self, *topics: str) -> dict[str, list[int]]:
        """The numbers of the partitions of topics, in order, without topics that are missing, or hidden from this user.

        Only these topics are asked about; kafka-python would ask for all topics of the cluster.
        """
        numbers: dict[str, list[int]] = {}
        for tp in self._asked(topics[0], lambda ends: ends.listed(*topics)):
            numbers.setdefault(tp.topic, []).append(tp.partition)
        return numbers

    def ends(self, partitions: Sequence[Any]) -> Offsets:
        """The end of each log, uncommitted records included."""
        return self._bounds(partitions, lambda ends: ends.ends)

    def stable(self, partitions: Sequence[Any]) -> Offsets:
        """The stable end of each log."""
        return self._bounds(partitions, lambda ends: ends.stable)

    def beginnings(self, partitions: Sequence[Any]) -> Offsets:
        """The first offset that each log keeps."""
        return self._bounds(partitions, lambda ends: ends.beginnings)

    def kept(self, partitions: Sequence[Any]) -> tuple[Offsets, Offsets]:
        """The first offset that each log keeps, and its stable end."""
        bounds = self._bounds(partitions, lambda ends: ends.kept)
        return {tp: first for tp, (first, _) in bounds.items()}, {tp: stable for tp, (_, stable) in bounds.items()}

    def since(self, partitions: Sequence[Any], at: int) -> Offsets:
        """The first offset of each log that Kafka received at that time (milliseconds) or later, or its stable end."""
        return self._bounds(partitions, lambda ends: partial(ends.since, at=at))

    @property
    def doubts(self) -> int:
        """The number of times that a leader changed or a broker failed while it was asked."""
        return self._found.doubts if self._found is not None else 0

    def close(self) -> None:
        """Disconnects."""
        if self._runner is not None:
            with self._runner as runner:
                if self._found is not None:
                    runner.run(self._found.stop())

    def _bounds(
        self, partitions: Sequence[Any], question: Callable[[Ends], Callable[[Sequence[Any]], Awaitable[dict[Any, T]]]]
    ) -> dict[Any, T]:
        wanted = [TopicPartition(*tp) for tp in partitions]
        if not wanted:
            return {}
        answers = self._asked(wanted[0].topic, lambda ends: question(ends)(wanted))
        return {tp: answers[tp] for tp in partitions}  # kafka-python accepts only its own type

    def _asked(self, topic: str, question: Callable[[Ends], Awaitable[T]]) -> T:
        how = self._how() if self._found is None else {}

        async def ask() -> T:
            async with asyncio.timeout(PATIENCE_SECONDS):
                if self._found is None:
                    ends = Ends(Leaders(), topic, **how)  # a topic that this user may see
                    await ends.start()
                    self._found = ends
                return await question(self._found)

        self._runner = self._runner or asyncio.Runner()
        try:
            return self._runner.run(ask())
        except TopicAuthorizationFailedError as error:
            raise Forbidden(str(error)) from None
        except (KafkaError, TimeoutError):
            raise KafkaTimeoutError("too few brokers answer") from None

    def _how(self) -> dict[str, Any]:
        silent = {"request_timeout_ms": int(REQUEST_SECONDS * 1000)}
        return reached(self._settings) | silent | {"bootstrap_servers": answering(self._settings)}
