"""The network between clients and the model of Kafka: each request takes its time, and some have a fate.

A request is on its way as soon as it is sent: it arrives whatever becomes of the machine that sent it. So a commit can
be applied after its sender gave it up, and even in the middle of the next transaction.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from random import Random
from typing import Any, Literal, TypeVar

from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError, RequestTimedOutError

from tests.simulation.kafka import OFFSETS, Kafka
from tests.simulation.log import Refusal
from tests.simulation.loop import KAFKA, Machine, here

T = TypeVar("T")
Fate = Literal["lost", "unanswered", "held", "late", "slow", "reset"]
"""`lost`: never arrives. `unanswered`: is applied, and no answer comes. `held`: is applied much later, when its
sender has given up. `late`: the connection breaks at once, and the request is applied a little later. `slow`: the
answer takes seconds. `reset`: is applied, and the connection breaks at once."""
FATES: tuple[Fate, ...] = ("lost", "unanswered", "held", "late", "slow", "reset")
REQUEST_SECONDS = 5.0
EXPIRY_SECONDS = 1.0


class Silence(Exception):
    """Raised where a broker takes a request and never answers it."""


class Network:
    """Carries requests to the model and answers back, in virtual time."""

    def __init__(self, kafka: Kafka, random: Random) -> None:
        self.kafka, self.random = kafka, random
        self.trouble = 0.0
        """The share of requests that have a fate."""
        self.planned: dict[tuple[str, str], deque[Fate]] = {}
        """By machine and request, the fates of the next ones."""
        self.cut: set[str] = set()
        """Machines that reach nothing."""
        self.restarts = 0
        """Number of times that a broker was down for a moment, which broke connections."""
        self.withheld: dict[tuple[str, str], float] = {}
        """By machine and topic, up to when fetches of it are not answered."""
        self.happened: list[str] = []
        """The fates that befell requests, for the history."""
        self._waiting: dict[TopicPartition, list[asyncio.Future[None]]] = {}

    async def ask(self, name: str, apply: Callable[[], T]) -> T:
        """Has `apply` done by Kafka and returns its answer.

        Raises Refusal as Kafka does, RequestTimedOutError or KafkaConnectionError where no answer comes: then nobody
        knows whether it was applied.
        """
        loop, machine = asyncio.get_running_loop(), here()
        fate = self._fate(machine, name)
        answered: asyncio.Future[T] = loop.create_future()

        def arrive() -> None:
            try:
                result = apply()
            except Silence:
                return
            except Refusal as refusal:
                answer: tuple[Any, Refusal | None] = (None, refusal)
            else:
                answer = (result, None)
            if fate in (None, "slow"):
                back = self.random.uniform(1.0, REQUEST_SECONDS - 0.5) if fate else self.latency()
                loop.call_later(back, _answer, answered, *answer, context=KAFKA)
            elif fate == "reset":
                loop.call_later(self.latency(), _break, answered, context=KAFKA)

        if fate != "lost":
            loop.call_later(self._away(fate), arrive, context=KAFKA)
        if fate == "late":
            loop.call_later(self.latency(), _break, answered, context=KAFKA)
        if fate is not None:
            self.happened.append(f"{machine.name if machine else '-'} {name} {fate}")
        silence = loop.call_later(REQUEST_SECONDS, _time_out, answered, name, context=KAFKA)
        try:
            return await answered
        finally:
            silence.cancel()

    def _away(self, fate: Fate | None) -> float:
        """Returns how long a request is on its way."""
        if fate == "late":
            return self.random.uniform(0.05, 0.4)
        return self.random.uniform(0.5, 4 * REQUEST_SECONDS) if fate == "held" else self.latency()

    def latency(self) -> float:
        """Returns how long a request or an answer is on its way."""
        return self.random.random() * 0.004 if self.random.random() < 0.95 else self.random.random() * 0.2

    def _fate(self, machine: Machine | None, name: str) -> Fate | None:
        where = machine.name if machine else ""
        for known in ((where, name), (where, "*")):
            if waiting := self.planned.get(known):
                return waiting.popleft()
        if where in self.cut:
            return "lost"
        if self.trouble and machine is not None and self.random.random() < self.trouble:
            return self.random.choice(FATES)
        return None

    def withholds(self, machine: Machine | None, tp: TopicPartition) -> bool:
        """Tells whether a machine's fetch of this partition is not answered at the moment."""
        if machine is None or not (self.withheld or self.cut):
            return False
        until = self.withheld.get((machine.name, tp.topic), 0.0)
        return machine.name in self.cut or asyncio.get_running_loop().time() < until

    def withhold(self, machine: str, topic: str, seconds: float) -> None:
        """Has a machine's fetches of a topic not answered for so long."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        self.withheld[machine, topic] = max(until, self.withheld.get((machine, topic), 0.0))
        loop.call_at(until, self.everything, context=KAFKA)

    def appended(self, *tps: TopicPartition) -> None:
        """Wakes whoever waits for something new in these partitions."""
        for tp in tps:
            for future in self._waiting.pop(tp, ()):
                if not future.done():
                    future.set_result(None)

    def restarted(self) -> None:
        """A broker was down for a moment: whoever asks next finds the connection broken."""
        self.restarts += 1
        self.everything()

    def everything(self) -> None:
        """Wakes whoever waits for anything."""
        self.appended(*list(self._waiting))

    async def news(self, tps: Iterable[TopicPartition], until: float) -> None:
        """Returns when something was appended to one of these, or at that time of the loop."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        for tp in tps:
            self._waiting.setdefault(tp, []).append(future)
        timer = loop.call_at(until, _done, future)
        try:
            await future
        finally:
            timer.cancel()

    def decided(self, name: str) -> None:
        """Has the markers of a transaction written that was decided: one by one, and each a little later."""
        loop = asyncio.get_running_loop()
        slow = self.random.random() < 0.03
        for tp in self.kafka.pending(name):
            late = self.random.random() * (0.5 if slow else 0.006)
            loop.call_later(late, self._mark, name, tp, context=KAFKA)

    def _mark(self, name: str, tp: TopicPartition) -> None:
        self.kafka.mark(name, tp)
        if tp.topic != OFFSETS:
            self.appended(tp)

    async def expire(self) -> None:
        """Ends transactions that are open for too long; runs for ever."""
        while True:
            await asyncio.sleep(EXPIRY_SECONDS)
            for name in self.kafka.expire():
                self.decided(name)


def _answer(answered: asyncio.Future[Any], result: Any, refusal: Refusal | None) -> None:
    if answered.done():
        return
    if refusal is not None:
        answered.set_exception(refusal)
    else:
        answered.set_result(result)


def _break(answered: asyncio.Future[Any]) -> None:
    if not answered.done():
        answered.set_exception(KafkaConnectionError("reset"))


def _time_out(answered: asyncio.Future[Any], name: str) -> None:
    if not answered.done():
        answered.set_exception(RequestTimedOutError(name))


def _done(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
