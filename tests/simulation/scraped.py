"""One worker and its sealer in virtual time, whose pages Prometheus asks for at each full minute."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest
import structlog
from aiokafka import TopicPartition

from gatekeeper.cli.audit import log_metrics
from gatekeeper.ground.atomic_store import AtomicStore
from gatekeeper.ground.metrics_page import page
from gatekeeper.keys import Keys
from streams.worker.gate import Gate
from tests.simulation.loop import EPOCH_MS, run
from tests.simulation.simulation import Simulation, replaced
from tests.support.scrapes import Scrapes
from tests.support.witnessed_log import WitnessedLog

WELL_MINUTES = 12
"""Minutes in health before each cause."""
Minute = Callable[[], object]


def nothing() -> None:
    """Is what happens in a minute in which nothing does."""


class Scraped:
    """A world with one worker, a sealer and a witness. `others`: further pages by process."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder, self.patch = folder, patch
        self.it = Simulation(1, folder)
        self.worker = self.it.workers[0]
        self.log = WitnessedLog(folder / "proof")
        self.sealing, self.witnessing = True, True
        self.others: dict[str, Callable[[], bytes | None]] = {"seal": self._proof}
        self.scrapes = Scrapes(EPOCH_MS / 1000 + 60)
        self._gate: Gate | None = None
        patch.setattr(log_metrics, "time", self.now)

    def now(self) -> float:
        """Returns the time in seconds since the epoch."""
        return self.it.loop.millis() / 1000

    def tp(self, topic: str) -> TopicPartition:
        return TopicPartition(self.it.settings.topic(topic), 0)

    async def minutes(self, count: int, each: Minute = nothing) -> None:
        """Lets so many minutes go by; `each` is called at the begin of each."""
        for _ in range(count):
            each()
            await asyncio.sleep(60 - self.it.loop.time() % 60)
            self._prove()
            told = {"worker": await self._page()} | {name: one() for name, one in self.others.items()}
            self.scrapes.take(told)

    def _prove(self) -> None:
        """Seals and cosigns what was decided, as sealer and witness do."""
        if self.sealing:
            self.log.seal(b"manifest")
            newest = max((self.folder / "proof/log/state").iterdir(), key=lambda one: int(one.name))
            os.utime(newest, (self.now(), self.now()))
        if self.witnessing:
            self.log.look(int(self.now()))

    def _proof(self) -> bytes:
        return page(log_metrics.values(AtomicStore(self.folder / "proof/log"), Keys(self.folder / "proof/keys")))

    async def _page(self) -> bytes | None:
        worker = self.worker
        if worker.machine.dead or not worker.up:
            return None
        if worker.gate is not self._gate:
            self._gate = worker.gate
            await worker.machine.run(worker.gate.start())
        shown: bytes = await worker.machine.run(worker.gate.measured())
        return shown

    def sends(self, count: int = 4) -> None:
        """Publishes sends."""
        self.it.company.write("sends", self.it.company.sends(count))

    def fact(self, topic: str, value: bytes, key: bytes | None = None) -> None:
        """Publishes a fact."""
        self.it.company.write(topic, [(key, value, ())])

    def withdraw(self) -> None:
        """Publishes a withdrawal or a stop."""
        topic, key, value = self.it.company.say(self.it.company.people["P-1"], no=True)
        self.fact(topic, orjson.dumps(value), key.encode())

    def unheard(self, topic: str, seconds: float) -> None:
        """Lets no record of a topic reach the worker for so long."""
        self.it.network.withhold(self.worker.name, self.it.settings.topic(topic), seconds)

    def transacted(self, name: str) -> Callable[[], None]:
        """Writes sends in a transaction of the platform's, which is open up to the call of what is returned."""
        kafka, network = self.it.kafka, self.it.network
        who, parts = kafka.init(name, 86_400_000), self.it.company.placed("sends", self.it.company.sends(50))
        kafka.add(name, who, [tp for tp, _ in parts])
        for tp, rows in parts:
            kafka.produce(name, who, tp, rows)
            network.appended(tp)

        def abort() -> None:
            kafka.end(name, who, commit=False)
            network.decided(name)

        return abort


def scraped(folder: Path, patch: pytest.MonkeyPatch, cause: Callable[[Scraped], Any]) -> Scrapes:
    """Lets a worker work in health for WELL_MINUTES, and then a cause come; returns what Prometheus took."""
    patch.setattr("tests.simulation.simulation.WORKERS", 1)

    async def work() -> Scrapes:
        world = Scraped(folder, patch)
        world.it.begin()
        await world.minutes(WELL_MINUTES, world.sends)
        await cause(world)
        return world.scrapes

    with replaced(1):
        structlog.configure(processors=[_dropped])
        found: Scrapes = run(work, Random(1))
    return found


def _dropped(*_: Any) -> Any:
    raise structlog.DropEvent
