"""A copy of the ledger, over logs that went on, were compacted, or lost their end: it is used if they are its own."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

import pytest
from aiokafka import TopicPartition

from gatekeeper.ground.settings import Settings
from gatekeeper.ledger import entries
from gatekeeper.ledger.head import HEAD, Head
from schemas.topics import TOPICS
from streams.worker import ledger_reader, offsets
from streams.worker.kept_ledger import CopyPosition, KeptLedgers
from streams.worker.ledger import Ledger
from tests.simulation.clients import Ends, Reader
from tests.simulation.kafka import Kafka
from tests.simulation.log import Log
from tests.simulation.loop import run
from tests.simulation.network import Network
from tests.support import invented
from tests.support.clearances import cleared

AT = invented.T
SETTINGS = Settings(broker="simulated:1", prefix="s.", partitions=1, worker="w", keys="simulated")
KEEP_MS = 3_600_000
Change = Callable[["World"], None]


class World:
    """The logs of one partition, and the copy that a worker has of their first transactions."""

    def __init__(self, home: Path) -> None:
        self.kafka = Kafka(lambda: AT)
        for topic in TOPICS:
            self.kafka.create(SETTINGS.topic(topic), 1)
        self.ledgers = KeptLedgers(home, identity=b"", key=invented.KEY, keep_ms=KEEP_MS)
        self.head = Head(sends=0)
        self.written = 0

    def log(self, topic: str) -> Log:
        return self.kafka.logs[TopicPartition(SETTINGS.topic(topic), 0)]

    def commit(self, *written: entries.Entry, resumed: str | None = None) -> CopyPosition:
        """Writes a transaction, and returns it as a copy names it. It decides nothing, so its head has no instant."""
        self.written += 1
        manifest = b'{"said":%d}' % self.written
        self.head = Head(sends=self.head.sends + 1, prev=sha256(manifest).hexdigest(), resumed=resumed)
        rows = [*((one.key, one.value) for one in written), (HEAD, self.head.encode())]
        at = self.log("ledger").append([(key, value, ()) for key, value in rows], AT)
        return CopyPosition(self.head, at, self.log("manifests").append([(b"w", manifest, ())], AT))

    async def copy(self, *written: entries.Entry) -> None:
        """Commits entries and writes them to the copy."""
        copy = self.ledgers.of_partition(0, {})
        await copy.open()
        kept = Ledger(copy.tables)
        for entry in written:
            kept.state.put(entry)
        copied, cut = self.commit(*written), copy.cut(0.0)
        assert cut is not None
        copy.write(cut, copied)
        await copy.close()

    async def read(self, now: int = AT) -> tuple[Any, bool]:
        """Returns what a take-over with the copy knows, as one without does, and whether the copy was used."""
        network, found = Network(self.kafka, Random(1)), []
        probe = offsets.Probe(Reader(network, {}), Ends(network, {}))  # type: ignore[arg-type]
        copy = self.ledgers.of_partition(0, {})
        await copy.open()
        used: list[bool] = []
        right = copy.anew
        copy.anew = lambda reason: (used.append(False), right(reason))[1]  # type: ignore[method-assign]
        try:
            for one in (copy, None):
                kept = await ledger_reader.read(probe, SETTINGS, 0, one, now=now)
                people = {name: set(lines.split(b"\n")) for name, lines in kept.state._people.walk()}
                found.append((people, kept.written, kept.dead, kept.state.marks.seen("a-1")))
        finally:
            await copy.close()
        assert found[0] == found[1]
        return found[0], not used


FIRST = (cleared(recipient_id="P-1"), cleared(recipient_id="P-2"), entries.seen("a-1", AT + 1))


def nothing(world: World) -> None:
    """Nothing was written since."""


def went_on(world: World) -> None:
    world.commit(cleared(recipient_id="P-3"), entries.Entry(FIRST[0].key, None), entries.Entry(FIRST[2].key, None))
    world.commit(cleared(recipient_id="P-2", did="D9"))


def compacted(world: World) -> None:
    went_on(world)
    world.log("ledger").compact(world.log("ledger").end - 1, AT, 1)


def lost_its_end(world: World) -> None:
    del world.log("ledger").entries[1:]


def put_back(world: World) -> None:
    """Another transaction stands where the copy's one stood."""
    for topic in ("ledger", "manifests"):
        world.log(topic).entries.clear()
    world.commit(*(cleared(recipient_id=f"P-{number}") for number in range(9)))


def put_back_to_nothing(world: World) -> None:
    for topic in ("ledger", "manifests"):
        world.log(topic).entries.clear()


def went_on_after_a_loss(world: World, *topics: str) -> None:
    """A person let it go on, and as many records as were lost stand in their places."""
    for topic in ("ledger", *topics):
        world.log(topic).entries.clear()
    world.commit(*(cleared(recipient_id=f"P-{number}") for number in range(5, 9)), resumed="act-1")
    world.commit(cleared(recipient_id="P-9"), resumed="act-1")


def went_on_after_it_was_put_back(world: World) -> None:
    went_on_after_a_loss(world, "manifests")


def lost_its_manifest(world: World) -> None:
    world.log("manifests").delete(world.log("manifests").end)


def damaged_head(world: World) -> None:
    world.log("ledger").append([(HEAD, b"{}", ())], AT)


@pytest.mark.parametrize(
    ("change", "used"),
    [
        *((change, True) for change in (nothing, went_on, compacted)),
        *((change, False) for change in (lost_its_end, went_on_after_a_loss, went_on_after_it_was_put_back)),
        *((change, False) for change in (lost_its_manifest, damaged_head)),
    ],
    ids=lambda one: getattr(one, "__name__", ""),
)
def test_whatever_became_of_the_logs_then_a_take_over_with_the_copy_knows_the_same(
    tmp_path: Path, change: Change, used: bool
) -> None:
    async def work() -> None:
        world = World(tmp_path)
        await world.copy(*FIRST)
        change(world)
        _, was_used = await world.read()
        assert was_used == used

    run(work, Random(1))


@pytest.mark.parametrize("change", [put_back, put_back_to_nothing])
def test_logs_that_lack_the_copys_decisions_then_each_take_over_says_so(tmp_path: Path, change: Change) -> None:
    async def work() -> None:
        world = World(tmp_path)
        await world.copy(*FIRST)
        change(world)
        for _ in range(2):
            with pytest.raises(ledger_reader.DecisionsGoneError) as gone:
                await world.read()
            assert gone.value.written == (world.head.encode() if change is put_back else None)
            assert gone.value.values["decided"] == 1

    run(work, Random(1))


def test_a_deletion_that_kafka_forgot_then_the_copy_that_lacks_it_is_too_old(
    tmp_path: Path,
) -> None:
    async def work() -> None:
        world = World(tmp_path)
        await world.copy(*FIRST)
        world.commit(entries.Entry(FIRST[0].key, None))
        world.commit()
        for later in (KEEP_MS, 3 * KEEP_MS):
            world.log("ledger").compact(world.log("ledger").end, AT + later, 2 * KEEP_MS)
        people, used = await world.read(AT + 3 * KEEP_MS)
        assert not used
        assert "P-1" not in people[0]

    run(work, Random(1))
