"""A simulated worker's process: the product's own gate, partitions, followers and ledger, on a machine of the loop.

What is not the product's here are the clients, the clock, chance, and the transport, which takes Faust's place: it
hands the gate chunks of `sends`, now and then loses one, and begins where the group's offsets say.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from random import Random

from aiokafka import TopicPartition
from aiokafka.errors import OffsetOutOfRangeError
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from faust.types import TP

from gatekeeper.audit.records.pseudonym import Subjects
from gatekeeper.audit.tlog.notes import parse_vkey
from gatekeeper.engine.sends import Judge
from gatekeeper.ground.mac import fingerprint
from gatekeeper.ground.metrics_page import Metrics
from gatekeeper.ground.settings import Settings
from gatekeeper.ground.signing_key import SigningKey
from gatekeeper.knowledge.store import FactStore
from gatekeeper.ledger.head import HEAD, Head
from gatekeeper.policy.packs import Packs
from schemas.codec import canonical
from schemas.topics import FACT_TOPICS
from streams.worker.chunks import Chunk, Credit, runs
from streams.worker.clock import Clock
from streams.worker.commit_pacing import CommitPacing
from streams.worker.facts import Followers
from streams.worker.gate import Gate
from streams.worker.intake import Pace
from streams.worker.kept_facts import KeptFacts
from streams.worker.kept_ledger import KeptLedger, KeptLedgers
from streams.worker.releases import Asked, Releases
from streams.worker.worker_context import WorkerContext
from tests.simulation.clients import Clients
from tests.simulation.kafka import Kafka
from tests.simulation.loop import Loop, Machine
from tests.simulation.network import Network
from tests.support import invented

MASTERS = {1: invented.KEY}
SIGNER = SigningKey("gk/worker", b"\x01", Ed25519PrivateKey.from_private_bytes(invented.KEY))
POLL_MS = 500
SCRAPE_SECONDS = 5.0
RETENTION_MS = 20_000
"""For so long compaction keeps a deletion."""


class Wall(Clock):
    """The clock of a machine."""

    def __init__(self, machine: Machine, random: Random) -> None:
        super().__init__()
        self._machine, self._random, self._used = machine, random, 0.0

    def processor(self) -> float:
        """Returns the processor's time used, as of a machine that is now fast and now slow."""
        self._used += self._random.random() * 0.1
        return self._used

    def now(self) -> int:
        """Returns the machine's time."""
        loop = asyncio.get_running_loop()
        assert isinstance(loop, Loop)
        return loop.millis() + self._machine.skew_ms

    def start(self) -> int:
        return self.now() - int(asyncio.get_running_loop().time() * 1000)


class Ledgers(KeptLedgers):
    """The real copies, on a real disk, which lets them go when a process dies."""

    opened: tuple[KeptLedger, ...] = ()

    def of_partition(self, number: int, ids: Mapping[str, str]) -> KeptLedger:
        """Returns the copy of a partition."""
        copy = super().of_partition(number, ids)
        self.opened += (copy,)
        return copy

    def kill(self) -> None:
        """Ends all that are open; what was not committed is lost."""
        for copy in self.opened:
            if hasattr(copy, "tables"):
                copy.tables.close()
        self.opened = ()


class Worker:
    """One static member of the group, over all lives of its process."""

    def __init__(
        self,
        settings: Settings,
        packs: Packs,
        network: Network,
        disk: Path,
        changed: Callable[[Worker], None],
        *,
        keeps: bool = False,
    ) -> None:
        """`disk`: outlives its processes. `changed`: hears that this worker has come up, or has ended.

        `keeps`: it has the facts on its disk.
        """
        self.settings, self.name = settings, settings.worker
        self.machine = Machine(self.name)
        self.machine.dead = True
        self.ended: list[BaseException] = []
        """The errors that ended its processes."""
        self.up = False
        """True if it is ready to be given partitions."""
        self.consumer_generation_id = 0
        self.loses = 0.0
        """The share of its chunks that is lost on the way to the gate."""
        self._packs, self._network, self._changed = packs, network, changed
        self._lives = 0
        self._facts, self._kept = disk / self.name / "facts" if keeps else None, list[KeptFacts]()
        self._ledgers = Ledgers(disk / self.name, identity=b"", key=invented.KEY, keep_ms=RETENTION_MS // 2)

    def boot(self) -> None:
        """Starts a new process."""
        self.machine = Machine(self.name)
        self._lives += 1
        self.machine.run(self._boot(self.machine))

    async def assigned(self, partitions: list[int], generation: int) -> None:
        """Takes partitions over, as the group says."""
        self.consumer_generation_id = generation
        topic = self.settings.topic("sends")
        await self.gate.assigned({TP(topic, number) for number in partitions})
        tps = [TopicPartition(topic, number) for number in partitions]
        kafka, group = self._network.kafka, self.settings.group
        self._reader.assign(tps)
        for tp in tps:
            known = kafka.offset(group, tp)
            if await self._reader.position(tp) < 0:
                self._reader.seek(tp, known.offset if known and known.offset >= 0 else kafka.logs[tp].begin)
        self._assigned.set()

    async def revoked(self) -> None:
        """Gives all partitions up."""
        self._assigned.clear()
        await self.gate.revoked()
        self._reader.unsubscribe()

    async def stop(self) -> None:
        """Ends the process in order, as SIGTERM does."""
        self.up = False
        await self.gate.revoked()
        await self.gate.stop()
        await self.followers.stop()
        self.kill()

    def failed(self, error: BaseException) -> None:
        """Ends the process at once, as the product does."""
        if self.machine.dead:
            return
        self.ended.append(error)
        self.kill()

    def kill(self) -> None:
        """Ends the process at once, from outside."""
        self.machine.kill()
        self._ledgers.kill()
        while self._kept:
            self._kept.pop().close()
        self.up = False
        self._changed(self)

    async def _boot(self, machine: Machine) -> None:
        try:
            clients, clock, settings = (
                Clients(self._network, self.settings),
                Wall(machine, self._network.random),
                self.settings,
            )
            salts = iter(range(1_000_000))

            def chance(size: int) -> bytes:
                return sha256(f"{self.name}/{self._lives}/{next(salts)}".encode()).digest()[:size]

            measured = Metrics()
            store = None if self._facts else FactStore(settings.group)
            self.followers = Followers(settings, store, clients, clock, self._kept_facts(), measured)
            judge = Judge(
                self._packs,
                settings.partitions,
                tokens=invented.TOKENS,
                subjects=Subjects(MASTERS, chance),
                acts=settings.acts,
            )
            self._credit, self._assigned, self._reader = Credit(), asyncio.Event(), clients.reader()

            async def seek(partition: int, offset: int) -> None:
                self._reader.seek(TopicPartition(settings.topic("sends"), partition), offset)

            context = WorkerContext(
                settings=settings,
                judge=judge,
                followers=self.followers,
                releases=Releases(settings, clients, self.followers.ends),
                asked=Asked(settings, clients, self.followers.ends),
                clients=clients,
                credit=self._credit,
                clock=clock,
                seek=seek,
                signer=SIGNER,
                masters={number: fingerprint(key) for number, key in MASTERS.items()},
                pace=Pace(),
                commit_pacing=CommitPacing(),
                writers=[parse_vkey(SIGNER.verifier)],
                ledgers=self._ledgers,
                metrics=measured,
            )
            self.gate = Gate(self, context, self.failed)
            self.followers.expected = [*heads(self._network.kafka, self.settings).values()]
            await self.followers.start(self.gate.facts_ended)
            self.up = True
            self._changed(self)
            machine.run(self._scraped())
            await self._feed()
        except Exception as error:
            self.failed(error)

    def _kept_facts(self) -> KeptFacts | None:
        if self._facts is not None:
            ids = self._network.kafka.ids
            identity = canonical([ids[self.settings.topic(name)] for name in FACT_TOPICS])
            self._kept.append(KeptFacts(self._facts, origin=self.settings.group, identity=identity, key=invented.KEY))
        return self._kept[-1] if self._kept else None

    async def _scraped(self) -> None:
        """Is Prometheus, which asks for the pages: they must not raise, nor change what is decided."""
        try:
            while True:
                await asyncio.sleep(SCRAPE_SECONDS)
                await self.gate.measured()
                await self.gate.lag()
        except Exception as error:
            self.failed(error)

    async def _feed(self) -> None:
        """Is the transport: fetches what there is credit for, and hands it to the gate."""
        random, credit, reader = self._network.random, self._credit, self._reader
        while True:
            await self._assigned.wait()
            credit.regained.clear()
            generation = self.consumer_generation_id
            wanted = [tp for tp in tuple(reader._positions) if credit.has(tp.partition)]
            if not wanted:
                await credit.regained.wait()
                continue
            try:
                fetched = await reader.getmany(*wanted, timeout_ms=POLL_MS)
            except OffsetOutOfRangeError as error:
                for tp in error.args[0]:  # Faust begins where the log does
                    reader.seek(tp, self._network.kafka.logs[tp].begin)
                continue
            for tp, records in fetched.items():
                for run in runs(records):
                    chunk = Chunk(tp.topic, tp.partition, run, generation)
                    credit.take(chunk)
                    if random.random() < self.loses:
                        continue
                    if random.random() < 0.1:
                        await asyncio.sleep(self._network.latency())
                    self.gate.feed(chunk)


def heads(kafka: Kafka, settings: Settings) -> dict[int, Head]:
    """Returns the newest head of each partition that has one, by its number."""
    found = {}
    for number in range(settings.partitions):
        ledger = kafka.logs[TopicPartition(settings.topic("ledger"), number)].committed()
        newest = next((one.value for one in reversed(ledger) if one.key == HEAD), None)
        if newest is not None:
            found[number] = Head.decode(newest)
    return found
