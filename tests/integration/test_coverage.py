"""Coverage on real Kafka: what a forger writes in transactions of its own is found and named, and nothing else is."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import msgspec
import orjson
from kafka import TopicPartition
from kafka.admin import KafkaAdminClient

from gatekeeper.audit.checks.coverage_report import report
from gatekeeper.engine.judged import Judged
from gatekeeper.engine.manifest import Taken, manifest
from gatekeeper.engine.sends import Judge
from gatekeeper.keys import Keys
from gatekeeper.knowledge.store import FactStore
from gatekeeper.ledger.head import HEAD, Head
from gatekeeper.policy.packs import load
from schemas.record import Record
from streams.kafka.broker import Broker
from streams.operations.coverage import check
from tests.support.facts import fact
from tests.support.invented import TOKENS
from tests.support.world import (
    NOTICE,
    PURPOSES,
    TEMPLATE,
    World,
    consent_of,
    controller_record,
    send_to,
    source_of,
)

AT = 1_800_000_000_000
SIZE = 10
NAMES = [f"p{number}" for number in range(60)]
JUDGE = Judge(load("jp-pmark"), 2, tokens=TOKENS, judge_misplaced=True)


@dataclass
class Chunk:
    """One transaction of the forger: what it takes, what it puts out, and what its manifest says of it."""

    taken: Taken
    judged: list[Judged]
    said: list[Judged] = field(default_factory=list)
    written: list[Judged] = field(default_factory=list)
    manifest: bool = True

    def __post_init__(self) -> None:
        self.said, self.written = list(self.judged), list(self.judged)


class Forger:
    """A worker of one partition, that can be told to lie; its sends have a true gap in the middle."""

    def __init__(self, world: World, partition: int = 0) -> None:
        self.world, self.partition = world, partition
        world.put("sends", [(name, send_to(name, name)) for name in NAMES[:25]], partition=partition)
        with world.transaction() as through:
            world.put("sends", [("x", send_to("x", "x"))], through, partition=partition)
            through.abort_transaction()
        world.put("sends", [(name, send_to(name, name)) for name in NAMES[25:]], partition=partition)
        self.store = FactStore()
        for number, (key, value) in enumerate((controller_record(), *PURPOSES, NOTICE, TEMPLATE)):
            self.store.apply(fact("reference", 0, number, key.encode(), orjson.dumps(value)))
        for number, name in enumerate(NAMES):
            facts = [("sources", source_of(name))]
            if number % 3:
                facts.append(("consents", consent_of(name)))
            for topic, value in facts:
                self.store.apply(fact(topic, 0, number, None, orjson.dumps(value)))
        self.topic = world.topic("sends")
        self.key = Keys(world.settings.key_folder).signer("worker")
        self.order: list[int] | None = None
        """The order of the transactions, if it is not that of their chain."""
        self.sends = {m.offset(): m for m in world.read("sends") if m.partition() == partition}

    def chunk(self, start: int, to: int, *, leave: tuple[int, ...] = ()) -> Chunk:
        """Judges a range; what is to be left is claimed to be a gap."""
        inside = [offset for offset in range(start, to) if offset in self.sends and offset not in leave]
        gaps = [(offset, 1) for offset in range(start, to) if offset not in inside]
        return Chunk(Taken(self.topic, start, to, len(inside), gaps), [self.judged(offset) for offset in inside])

    def judged(self, offset: int) -> Judged:
        message = self.sends[offset]
        record = Record(self.topic, self.partition, offset, AT, message.key(), message.value())
        return JUDGE.judge(record, self.store, AT)

    def honest(self) -> list[Chunk]:
        end = max(self.sends) + 1
        return [self.chunk(start, min(start + SIZE, end)) for start in range(0, end, SIZE)]

    def write(self, chunks: list[Chunk]) -> None:
        """Writes the transactions, chained as they are given."""
        prev, head, done = None, None, []
        for chunk in chunks:
            value = manifest(
                writer="forger", kid=self.key.kid, partition=self.partition, taken=[chunk.taken], judged=chunk.said,
                dead_facts=0, as_of={},
                prev=prev, policy=JUDGE.packs.at(AT), t0=AT, t1=AT,
            )  # fmt: skip
            prev = hashlib.sha256(value).hexdigest()
            head = Head(sends=chunk.taken.to, prev=prev, at=AT)
            done.append((chunk, value, head))
        through = self.world.producer(**{"transactional.id": f"{self.world.prefix}forger-{self.partition}"})
        through.init_transactions(30)
        for number in self.order or range(len(done)):
            chunk, value, head = done[number]
            through.begin_transaction()
            topic = self.world.settings.topic
            for one in chunk.written:
                through.produce(topic("audit"), one.audit, one.did, partition=self.partition)
                for output in one.written:
                    headers = list(output.headers)
                    through.produce(
                        topic(output.topic), output.value, output.key, partition=self.partition, headers=headers
                    )
            if chunk.manifest:
                signed = [("gate-sig", base64.b64encode(self.key.sign(value)))]
                through.produce(topic("manifests"), value, b"forger", partition=self.partition, headers=signed)
            through.produce(topic("ledger"), done[-1][2].encode(), HEAD, partition=self.partition)
            through.commit_transaction(30)


Chunks = list[Chunk]


def torn(forger: Forger, chunks: Chunks) -> None:
    chunks[2].written = []


def false_gap(forger: Forger, chunks: Chunks) -> None:
    chunks[3] = forger.chunk(30, 40, leave=(35,))


def nothing_there(forger: Forger, chunks: Chunks) -> None:
    hole = next(offset for offset in range(60) if offset not in forger.sends)
    number = hole // SIZE
    message = forger.sends[hole - 1]
    invented = Record(forger.topic, forger.partition, hole, AT, message.key(), message.value())
    one = JUDGE.judge(invented, forger.store, AT)
    taken = chunks[number].taken
    gaps = [gap for gap in taken.gaps if gap[0] != hole]
    chunks[number] = Chunk(taken._replace(n=taken.n + 1, gaps=gaps), [*chunks[number].judged, one])


def last_without_manifest(forger: Forger, chunks: Chunks) -> None:
    chunks[-1].manifest = False


def omitted(forger: Forger, chunks: Chunks) -> None:
    del chunks[2].written[4], chunks[2].said[4]


def doubled(forger: Forger, chunks: Chunks) -> None:
    twice = msgspec.structs.replace(chunks[2].judged[4], outputs=(), result=None)
    chunks[4].written.append(twice)
    chunks[4].said.append(twice)


def elsewhere(forger: Forger, chunks: Chunks) -> None:
    one = chunks[2].judged[4]
    here, there = (b'"partition":%d' % number for number in (forger.partition, 0))
    assert here != there
    moved = msgspec.structs.replace(one, outputs=(), result=None, audit=one.audit.replace(here, there))
    chunks[4].written.append(moved)
    chunks[4].said.append(moved)


def output_lost(forger: Forger, chunks: Chunks) -> None:
    place = next(place for place, one in enumerate(chunks[2].judged) if one.verdict == "clear")
    chunks[2].written[place] = msgspec.structs.replace(chunks[2].judged[place], outputs=())


def cleared_unasked(forger: Forger, chunks: Chunks) -> None:
    place = next(place for place, one in enumerate(chunks[2].judged) if one.verdict != "clear")
    one = chunks[2].judged[place]
    chunks[2].written[place] = msgspec.structs.replace(one, outputs=(replace(one.outputs[0], topic="cleared"),))


def reordered(forger: Forger, chunks: Chunks) -> None:
    forger.order = [0, 1, 3, 2, *range(4, len(chunks))]


def honest(forger: Forger, chunks: Chunks) -> None:
    assert {one.verdict for chunk in chunks for one in chunk.judged} == {"clear", "confirm"}


LIES: dict[Callable[[Forger, Chunks], None], list[tuple[str, str, int | None]]] = {
    honest: [],
    torn: [("torn_transaction", "manifests", 4)],
    false_gap: [("false_gap", "sends", 35)],
    nothing_there: [("claimed_nothing", "sends", 25)],
    last_without_manifest: [("missing_manifest", "manifests", 11)],
    omitted: [("omitted_record", "sends", 24)],
    doubled: [("doubled_record", "audit", None), ("missing_output", "audit", None)],
    elsewhere: [("foreign_record", "audit", None)],
    output_lost: [("missing_output", "audit", None)],
    cleared_unasked: [("output_without_record", "cleared", None), ("missing_output", "audit", None)],
    reordered: [("reordered_manifest", "manifests", 4)],
}
"""The findings about each lie, as fault, topic and offset; None for any offset.

`tests/unit/test_manifest_chain.py` has the faults that a manifest alone shows.
"""


def test_given_lies_then_each_is_named_with_partition_and_offset_and_nothing_else_is(
    kafka: Broker, prefix: str
) -> None:
    """All lies at once, each in a partition of its own."""
    world = World(kafka.bootstrap, prefix, partitions=len(LIES)).create()
    for partition, lie in enumerate(LIES):
        forger = Forger(world, partition)
        chunks = forger.honest()
        lie(forger, chunks)
        forger.write(chunks)
    covered = list(check(world.settings))
    assert [one.expired for one in covered] == [{}] * world.partitions
    assert orjson.loads(report(covered, group="g", at="2026-01-01T00:00:00.000Z"))["kind"] == "coverage"
    all_told = [finding for one in covered for finding in one.findings]
    for partition, (lie, expected) in enumerate(LIES.items()):
        told = [one for one in all_told if one.partition == partition]
        for fault, topic, offset in expected:
            assert (fault, topic, offset) in {
                (one.fault, one.topic, one.offset if offset is not None else None) for one in told
            }, lie.__name__
        assert {one.fault for one in told} == {fault for fault, _, _ in expected}, (lie.__name__, told)


def test_inputs_deleted_by_their_age_then_the_rest_is_proven_and_the_part_is_named(kafka: Broker, prefix: str) -> None:
    world = World(kafka.bootstrap, prefix, partitions=2).create()
    forger = Forger(world)
    forger.write(forger.honest())
    before = {TopicPartition(world.topic(name), 0): offset for name, offset in (("sends", 33), ("cleared", 9))}
    with KafkaAdminClient(bootstrap_servers=world.bootstrap) as admin:
        admin.delete_records(before)
    (one, other) = check(world.settings)
    assert (one.findings, other.findings, other.expired) == ([], [], {})
    assert one.expired["sends"] == 33
    assert 0 < one.expired["cleared"] < 9
