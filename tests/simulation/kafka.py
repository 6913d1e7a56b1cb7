"""A model of Kafka in memory: partitions, the transaction coordinator, the offsets of consumer groups.

It is a state machine without time and without faults: each request is applied at once and answered, or refused with
Kafka's own error. The markers that end a transaction are written later, one by one, by `mark`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple
from uuid import NAMESPACE_DNS, uuid5

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.structs import OffsetAndMetadata

from tests.simulation.log import Log, Refusal, Row

OFFSETS = "__consumer_offsets"
State = Literal["empty", "ongoing", "prepare_commit", "prepare_abort", "complete_commit", "complete_abort"]


class Identity(NamedTuple):
    """The answer to InitProducerId."""

    pid: int
    epoch: int


@dataclass(slots=True)
class Transaction:
    """The coordinator's state of a transactional id."""

    pid: int
    epoch: int
    timeout: int
    state: State = "empty"
    partitions: dict[TopicPartition, None] = field(default_factory=dict)
    """Those that were added and have no marker yet, the group's among them."""
    offsets: dict[tuple[str, TopicPartition], OffsetAndMetadata] = field(default_factory=dict)
    began: int = 0
    fenced: bool = False
    """True after the epoch was raised to fence a producer, until somebody takes it over."""


class Kafka:
    """All partitions and transactions; `now` gives milliseconds since the epoch."""

    def __init__(self, now: Callable[[], int]) -> None:
        self.now = now
        self.logs: dict[TopicPartition, Log] = {}
        self.transactions: dict[str, Transaction] = {}
        self.groups: dict[tuple[str, TopicPartition], OffsetAndMetadata] = {}
        self.ids: dict[str, str] = {}
        """The id of each topic."""
        self._pids, self._made = 1_000, 0

    def create(self, topic: str, partitions: int) -> None:
        """Makes a topic."""
        self._name(topic)
        for number in range(partitions):
            self.logs[TopicPartition(topic, number)] = Log(topic, number)

    def make_again(self, topic: str) -> dict[TopicPartition, list[ConsumerRecord]]:
        """Deletes a topic and makes another one of its name; returns the records that are lost."""
        self._name(topic)
        lost = {tp: log.put_back(0) for tp, log in self.logs.items() if tp.topic == topic}
        for tp in lost:
            self.logs[tp].begin = 0
            self.logs[tp].writers.clear()
        return lost

    def _name(self, topic: str) -> None:
        self._made += 1
        self.ids[topic] = str(uuid5(NAMESPACE_DNS, f"{topic}/{self._made}"))

    def init(self, name: str, timeout: int) -> Identity:
        """Gives a producer its id and a new epoch, and fences whoever had the old one (InitProducerId).

        Refused with CONCURRENT_TRANSACTIONS as long as its last transaction is not settled.
        """
        found = self.transactions.get(name)
        if found is None:
            self._pids += 1
            found = self.transactions[name] = Transaction(self._pids, -1, timeout)
        if found.state in ("prepare_commit", "prepare_abort"):
            raise Refusal("CONCURRENT_TRANSACTIONS")
        if found.state == "ongoing":
            self._fence(found)
            raise Refusal("CONCURRENT_TRANSACTIONS")
        found.epoch += 1
        found.state, found.timeout, found.fenced = "empty", timeout, False
        return Identity(found.pid, found.epoch)

    def add(self, name: str, who: Identity, partitions: Iterable[TopicPartition]) -> None:
        """Takes partitions into the producer's transaction, which begins with the first (AddPartitionsToTxn)."""
        found = self._owned(name, who)
        if found.state in ("prepare_commit", "prepare_abort"):
            raise Refusal("CONCURRENT_TRANSACTIONS")
        if found.state != "ongoing":
            found.state, found.began = "ongoing", self.now()
            found.partitions.clear()
            found.offsets.clear()
        found.partitions.update(dict.fromkeys(partitions))

    def add_offsets(self, name: str, who: Identity, group: str) -> None:
        """Takes a group's offsets into the transaction (AddOffsetsToTxn)."""
        self.add(name, who, [_of_group(group)])

    def produce(
        self, name: str | None, who: Identity | None, tp: TopicPartition, rows: Sequence[Row], sequence: int = 0
    ) -> int:
        """Appends a batch and returns its first offset; without `name` it belongs to no transaction (Produce)."""
        log = self.logs[tp]
        if name is None or who is None:
            return log.append(rows, self.now())
        log.may_write(*who)
        if who.pid not in log.open:
            self._verified(name, who, tp)
        return log.append(rows, self.now(), pid=who.pid, epoch=who.epoch, sequence=sequence)

    def commit_offsets(
        self, name: str, who: Identity, group: str, offsets: Mapping[TopicPartition, OffsetAndMetadata]
    ) -> None:
        """Lets the group's offsets move with the transaction (TxnOffsetCommit)."""
        found = self._verified(name, who, _of_group(group))
        found.offsets.update({(group, tp): offset for tp, offset in offsets.items()})

    def end(self, name: str, who: Identity, *, commit: bool) -> None:
        """Decides the transaction, and answers before any marker is written (EndTxn)."""
        found = self._owned(name, who)
        wanted = "commit" if commit else "abort"
        if found.state == "ongoing":
            found.state = "prepare_commit" if commit else "prepare_abort"
        elif found.state == f"prepare_{wanted}":
            raise Refusal("CONCURRENT_TRANSACTIONS")
        elif found.state != f"complete_{wanted}":
            raise Refusal("INVALID_TXN_STATE")
        self._maybe_complete(found)

    def pending(self, name: str) -> list[TopicPartition]:
        """Returns where markers are to be written."""
        found = self.transactions[name]
        return list(found.partitions) if found.state.startswith("prepare") else []

    def mark(self, name: str, tp: TopicPartition) -> None:
        """Writes one marker (WriteTxnMarkers); with the last one the transaction is settled."""
        found = self.transactions[name]
        if not found.state.startswith("prepare") or tp not in found.partitions:
            return
        del found.partitions[tp]
        kind: Literal["commit", "abort"] = "commit" if found.state == "prepare_commit" else "abort"
        if tp.topic == OFFSETS:
            mine = {place: offset for place, offset in found.offsets.items() if _of_group(place[0]) == tp}
            if kind == "commit":
                self.groups.update(mine)
        else:
            self.logs[tp].mark(found.pid, found.epoch, kind)
        self._maybe_complete(found)

    def settle(self, name: str) -> None:
        """Writes all markers that are left."""
        for tp in self.pending(name):
            self.mark(name, tp)

    def expire(self) -> list[str]:
        """Aborts the transactions that are open for longer than they may be; returns whose."""
        over = [
            name
            for name, one in self.transactions.items()
            if one.state == "ongoing" and self.now() - one.began > one.timeout
        ]
        for name in over:
            self._fence(self.transactions[name])
        return over

    def offset(self, group: str, tp: TopicPartition) -> OffsetAndMetadata | None:
        """Returns a group's committed offset (OffsetFetch)."""
        return self.groups.get((group, tp))

    def _fence(self, found: Transaction) -> None:
        if not found.fenced:
            found.epoch, found.fenced = found.epoch + 1, True
        found.state = "prepare_abort"
        self._maybe_complete(found)

    def _owned(self, name: str, who: Identity) -> Transaction:
        found = self.transactions.get(name)
        if found is None or found.pid != who.pid:
            raise Refusal("INVALID_PRODUCER_ID_MAPPING")
        if found.epoch != who.epoch:
            raise Refusal("INVALID_PRODUCER_EPOCH")
        return found

    def _verified(self, name: str, who: Identity, tp: TopicPartition) -> Transaction:
        found = self._owned(name, who)
        if found.state != "ongoing" or tp not in found.partitions:
            raise Refusal("INVALID_TXN_STATE")
        return found

    def _maybe_complete(self, found: Transaction) -> None:
        if found.state.startswith("prepare") and not found.partitions:
            found.state = "complete_commit" if found.state == "prepare_commit" else "complete_abort"


def _of_group(group: str) -> TopicPartition:
    return TopicPartition(OFFSETS, hash_of(group))


def hash_of(group: str) -> int:
    """Returns a number for a group, the same in every process."""
    return sum(group.encode()) % 50
