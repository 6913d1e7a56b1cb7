"""One simulated world from a seed: workers, their group, Kafka, whoever writes, and the faults that befall them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from gatekeeper.ground.errors import GatekeeperError
from gatekeeper.ground.settings import Settings
from gatekeeper.knowledge import feeds
from gatekeeper.ledger import expiry
from gatekeeper.ledger.head import Head
from gatekeeper.ledger.topic_ids import INPUTS
from gatekeeper.policy.packs import load
from gatekeeper.store import disk_table
from schemas.topics import TOPICS
from streams.client import admin, coordinators
from streams.worker import acts, batch, dead_facts, kept_ledger, ownership_epoch, reevaluation, torn_transaction_reader
from tests.simulation import promises
from tests.simulation.company import GONE, REPLACED, Company
from tests.simulation.group import Group
from tests.simulation.kafka import Kafka
from tests.simulation.loop import KAFKA, Loop, here, run
from tests.simulation.network import Network
from tests.simulation.worker import Worker, heads

MEMORY = Path("/dev/shm")
"""A folder in which a commit costs no wait."""
PARTITIONS, WORKERS = 2, 2
FACT_PARTITIONS = {"consents": 2}
MAX_LAG_SECONDS = 3.0
SMALL: tuple[tuple[Any, str, Any], ...] = (
    (torn_transaction_reader, "STRETCH", {"manifests": 8, "audit": 60}),
    (batch, "MAX_PIECES", 1),
    (batch, "RECALLS", 3),
    (dead_facts, "DEAD_FACTS", 1),
    (batch, "TOMBSTONES", 2),
    (ownership_epoch, "TOUCHED", 3),
    (reevaluation, "STEP", 4),
    (expiry, "SWEPT", 3),
    (disk_table, "STEP", 2),
    (feeds, "period_ms", lambda text: int(text[2:-1]) * 1_000),
    (kept_ledger, "COMMIT_SECONDS", 0.3),
    (kept_ledger, "COMMIT_BYTES", 3_000),
)
"""Bounds of what is done at a time: small ones, that long work takes several transactions here, too."""
REFUSALS = ("error.sends_expired", "error.clock_before_head")
"""The errors that may refuse a partition here: retention overtook it, or a machine's clock is wrong."""
LOSSY = 3
"""Each so manieth world loses acknowledged records."""
LOST, LOST_ENDS = (GONE, REPLACED), ("error.record_vanished", "error.facts_differ", "error.topic_made_again")
"""The refusals in such a world until two people say how to go on, and how a process ends that finds a loss."""
FAILING = "error.partition_failing"
"""The alarm of a partition whose turns all fail: right while the network is bad, and over once it is well again."""
HEALED_SECONDS = 60.0
"""Within this all must be decided, once nothing is wrong any more."""
LOST_SECONDS = 300.0
"""The same in a world that loses records: a refused partition is tried again once a minute."""
RESUME_SECONDS = 5.0
"""After the faults a person looks this often whether a partition is refused."""
QUIET_SECONDS = 35.0
"""By then all has been done that time alone brings."""


@dataclass
class Outcome:
    """The outcome of one seed: counts, history, and the digest of all that was written."""

    seed: int
    counts: dict[str, int] = field(default_factory=dict)
    history: list[str] = field(default_factory=list)
    digest: str = ""
    broken: str | None = None
    settled: float = 0.0
    """Seconds from healing until all was decided."""


class Simulation:
    """A world and what happens in it; `driver` has the steps."""

    def __init__(self, seed: int, disk: Path) -> None:
        self.random = Random(f"{seed}/world")
        loop = asyncio.get_running_loop()
        assert isinstance(loop, Loop)
        self.loop = loop
        self.kafka = Kafka(loop.millis)
        self.network = Network(self.kafka, Random(f"{seed}/network"))
        self.packs = load("jp-pmark").with_max_lag(int(MAX_LAG_SECONDS * 1000))
        self.settings = _settings("worker")
        for name, topic in TOPICS.items():
            count = {"n": PARTITIONS, "one": 1, "any": FACT_PARTITIONS.get(name, 1)}[topic.partitions]
            self.kafka.create(self.settings.topic(name), count)
        self.company = Company(self.settings, self.network, Random(f"{seed}/company"), self.tell)
        self.lossy, keepers = seed % LOSSY == 0, seed // LOSSY % (WORKERS + 1)
        """True if records are lost. Then none, one or both workers have files of the facts."""
        self.workers = [
            Worker(
                *(_settings(f"worker-{number}"), self.packs, self.network, disk, self._changed),
                keeps=self.lossy and number < keepers,
            )
            for number in range(WORKERS)
        ]
        self.group = Group(self.workers, PARTITIONS, Random(f"{seed}/group"))
        self.history: list[str] = []
        self._tasks: set[asyncio.Task[Any]] = set()

    def tell(self, what: str) -> None:
        """Puts a line into the history."""
        self.history.append(f"{self.loop.time():10.3f} {what}")

    def beside(self, work: Any) -> None:
        """Runs something that belongs to no machine."""
        task = KAFKA.copy().run(self.loop.create_task, work)
        self._tasks.add(task)

    def begin(self) -> None:
        """Starts everything."""
        self.company.begin()
        self.beside(self.network.expire())
        self.beside(self.group.run())
        for worker in self.workers:
            worker.boot()

    def heads(self) -> dict[int, Head]:
        """Returns the newest head of each partition that has one, by its number."""
        return heads(self.kafka, self.settings)

    def _changed(self, worker: Worker) -> None:
        if worker.machine.dead:
            why = worker.ended[-1] if worker.ended else None
            self.tell(f"{worker.name} ended: {said(why)}")
            self.loop.call_later(self.random.uniform(0.5, 4.0), self._again, worker, context=KAFKA)
        else:
            self.tell(f"{worker.name} is up")
        self.group.changed()

    def _again(self, worker: Worker) -> None:
        if worker.machine.dead:
            worker.boot()

    def watch(self, *, well: bool = False) -> None:
        """Raises Broken where a worker refuses what it should not, or ended by itself without need.

        `well`: nothing has been wrong for a while, so no partition may still fail.
        """
        refused = (*REFUSALS, *LOST) if self.lossy else REFUSALS
        ended = (*refused, *LOST_ENDS) if self.lossy else refused
        allowed = refused if well else (*refused, FAILING)
        for worker in self.workers:
            for partition in () if worker.machine.dead or not worker.up else worker.gate._partitions.values():
                if partition.refused and partition.refused.key not in allowed:
                    raise promises.Broken(f"refused by {worker.name}: {partition.refused.sentence}")
            for error in worker.ended:
                unreached = isinstance(error, KafkaError) and not isinstance(error, OffsetOutOfRangeError)
                if not (unreached or getattr(error, "key", "") in ended):
                    raise promises.Broken(f"{worker.name} ended: {said(error)}")

    async def healed(self) -> float:
        """Ends all that is wrong; returns after how many seconds all was decided, or raises Broken."""
        self.tell("healing")
        network, loop = self.network, self.loop
        network.trouble = 0.0
        network.planned.clear()
        network.cut.clear()
        network.withheld.clear()
        network.everything()
        for log in self.kafka.logs.values():
            log.hear()
        for worker in self.workers:
            worker.loses, worker.machine.skew_ms = 0.0, 0
            if worker.machine.halted:
                worker.machine.go_on()
                self.beside(self.group.heard(worker))
        began, open_ = loop.time(), promises.Left(self.kafka, self.settings)
        while (left := open_.places() or self._unsettled()) or loop.time() - began < RESUME_SECONDS:
            if loop.time() - began > (LOST_SECONDS if self.lossy else HEALED_SECONDS):
                raise promises.Broken(f"not decided {loop.time() - began:.0f} s after all was well: {left}")
            await asyncio.sleep(0.5)
            self.watch()
            if (loop.time() - began) % RESUME_SECONDS < 0.5:
                for number in range(PARTITIONS):
                    self.company.resume(number)
        return loop.time() - began

    def _unsettled(self) -> list[str]:
        """Returns the losses that nobody has noticed, or about which nobody has said how to go on."""
        if not self.lossy:
            return []
        found = [f"{tp.topic}/{tp.partition}/{one.offset} is gone" for tp, one in self.company.lost]
        for number, head in self.heads().items():
            found += [f"{number} is refused"] if self.company.note(number) else []
            for name in INPUTS:
                log = self.kafka.logs[TopicPartition(self.settings.topic(name), number)]
                found += [f"{name}/{number} was put back"] if len(log.losses) > head.eras.get(name, 0) else []
        return found

    def check(self) -> dict[str, int]:
        """Checks every promise; returns what there was."""
        for name in self.kafka.transactions:  # what is decided becomes visible, however few of its markers are there
            self.kafka.settle(name)
        return promises.check(self.kafka, self.settings, self.packs, self.company)

    def left(self) -> list[str]:
        """Returns which sends and acts have no audit record."""
        return promises.Left(self.kafka, self.settings).places()

    def digest(self) -> str:
        """Returns what stands for all that was written, in its order."""
        found = sha256()
        for tp, log in self.kafka.logs.items():
            for offset, entry in enumerate(log.entries):
                if entry is not None:
                    value = entry.record.value if entry.record else b""
                    found.update(f"{tp.topic}/{tp.partition}/{offset}/{entry.kind}/".encode() + (value or b"-"))
        return found.hexdigest()


def said(error: BaseException | None) -> str:
    """Returns an error in a few words."""
    if error is None:
        return "killed"
    if isinstance(error, GatekeeperError):
        return f"{type(error).__name__} {str(error)[:120]}"
    return f"{type(error).__name__} {error}"[:160] if isinstance(error, KafkaError) else repr(error)[:160]


@cache
def _settings(worker: str) -> Settings:
    more = {"partitions": PARTITIONS, "worker": worker, "max_lag": MAX_LAG_SECONDS}
    return Settings(broker="simulated:1", prefix="s.", keys="simulated", **more)


@contextmanager
def replaced(seed: int) -> Iterator[None]:
    """Puts what is not a client in the place of chance and of the look at a real broker."""
    chance = Random(f"{seed}/chance")

    class Chance:
        token_bytes = staticmethod(chance.randbytes)

    patch = pytest.MonkeyPatch()
    patch.setattr(admin, "demand", lambda *_: [])
    patch.setattr(acts, "secrets", Chance)
    patch.setattr(coordinators, "random", chance)
    for module, name, value in SMALL:
        patch.setattr(module, name, value)
    configured = structlog.get_config()
    try:
        yield
    finally:
        patch.undo()
        structlog.configure(**configured)


async def until(done: Callable[[], bool]) -> None:
    """Returns once something is so, within five minutes of virtual time."""
    async with asyncio.timeout(300):
        while not done():
            await asyncio.sleep(0.05)


def simulate(seed: int, steps: int) -> Outcome:
    """Runs a seed to its end and says what became of it."""
    from tests.simulation.driver import Driver

    outcome = Outcome(seed)

    async def work() -> None:
        simulation = Simulation(seed, disk)
        outcome.history = simulation.history
        simulation.begin()
        try:
            await Driver(simulation, Random(f"{seed}/driver")).drive(steps)
            outcome.settled = await simulation.healed()
            await asyncio.sleep(QUIET_SECONDS)
            simulation.watch(well=True)
            outcome.counts = simulation.check()
        except Exception as error:  # also what our own checker cannot read
            outcome.broken = f"{type(error).__name__}: {error}"
        for worker in simulation.workers:
            worker.kill()
        outcome.digest = simulation.digest()

    def hear(logger: Any, method: str, event: dict[str, Any]) -> str:
        machine = here()
        loop = asyncio.get_running_loop()
        what = " ".join(f"{name}={value}" for name, value in event.items() if name != "event")
        outcome.history.append(f"{loop.time():10.3f}   {machine.name if machine else '-'}: {event['event']} {what}")
        raise structlog.DropEvent

    with replaced(seed), TemporaryDirectory(dir=MEMORY if MEMORY.exists() else None) as folder:
        disk = Path(folder)
        structlog.configure(processors=[hear], wrapper_class=structlog.make_filtering_bound_logger(logging.INFO))
        run(work, Random(f"{seed}/loop"))
    return outcome
