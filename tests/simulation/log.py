"""One partition of the model: records, markers, who may write, what is stable, what is compacted or deleted.

It is a state machine without time. What it answers is held against a real Kafka by test_model.py.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from aiokafka import ConsumerRecord, TopicPartition

Headers = Sequence[tuple[str, bytes]]
Row = tuple[bytes | None, bytes | None, Headers]
"""Key, value and headers, as a producer gives them."""
Place = tuple[int, int]
"""A record's era and offset: each time that a log is put back, a new era begins."""
BROKERS = (0, 1, 2)
NOBODY = -1
"""The producer id of whoever writes without one."""


class Refusal(Exception):
    """An answer that is an error, by Kafka's own name for it."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


@dataclass(slots=True)
class Entry:
    """The entry at one offset: a record, or the marker that ends a transaction (`record` is None)."""

    record: ConsumerRecord | None
    kind: Literal["data", "commit", "abort"]
    pid: int
    aborted: bool = False
    cleaned: int = 0
    """The instant (milliseconds) when a compaction first found it to be a deletion."""


@dataclass(slots=True)
class Writer:
    """A leader's state of a producer: its epoch, and its last five batches by sequence numbers and offset."""

    epoch: int
    batches: deque[tuple[int, int, int]] = field(default_factory=lambda: deque(maxlen=5))


@dataclass(frozen=True, slots=True)
class Deposed:
    """A leader that was replaced and has not heard of it: it answers from its old log."""

    end: int
    stable: int


class Log:
    """A partition, as its leader has it."""

    def __init__(self, topic: str, partition: int) -> None:
        self.tp = TopicPartition(topic, partition)
        self.entries: list[Entry | None] = []
        self.begin = 0
        self.open: dict[int, int] = {}
        """By producer id, where its open transaction begins."""
        self.writers: dict[int, Writer] = {}
        self.leader_epoch = 0
        self.deposed: Deposed | None = None
        self.losses: list[tuple[int, list[ConsumerRecord]]] = []
        """Each time that the log was put back: to which end, and the records that were lost."""

    @property
    def leader(self) -> int:
        """The broker that leads."""
        return BROKERS[(len(self.tp.topic) + self.tp.partition + self.leader_epoch) % len(BROKERS)]

    @property
    def end(self) -> int:
        """The offset of the next record."""
        return len(self.entries)

    @property
    def stable(self) -> int:
        """The last stable offset: where the first open transaction begins, or the end."""
        return min(self.open.values(), default=self.end)

    def may_write(self, pid: int, epoch: int) -> None:
        """Refuses a producer whose epoch is over."""
        writer = self.writers.get(pid)
        if writer is not None and epoch < writer.epoch:
            raise Refusal("INVALID_PRODUCER_EPOCH")

    def append(self, rows: Sequence[Row], now: int, *, pid: int = NOBODY, epoch: int = 0, sequence: int = 0) -> int:
        """Appends a batch and returns its first offset; a batch that is there already is not appended again."""
        if pid != NOBODY:
            self.may_write(pid, epoch)
            last = sequence + len(rows) - 1
            writer = self.writers.get(pid)
            if writer is None or epoch > writer.epoch:
                if sequence != 0 and writer is not None:
                    raise Refusal("OUT_OF_ORDER_SEQUENCE_NUMBER")
                writer = self.writers[pid] = Writer(epoch)
            for first, end, offset in writer.batches:
                if (first, end) == (sequence, last):
                    return offset
            if writer.batches and sequence != writer.batches[-1][1] + 1:
                raise Refusal("OUT_OF_ORDER_SEQUENCE_NUMBER")
            writer.batches.append((sequence, last, self.end))
            self.open.setdefault(pid, self.end)
        base, (topic, partition) = self.end, self.tp
        for offset, (key, value, headers) in enumerate(rows, start=base):
            sizes = len(key or b""), len(value or b"")
            record = ConsumerRecord(topic, partition, offset, now, 1, key, value, None, *sizes, tuple(headers))
            self.entries.append(Entry(record, "data", pid))
        return base

    def mark(self, pid: int, epoch: int, kind: Literal["commit", "abort"]) -> None:
        """Appends the marker that ends a producer's transaction here."""
        writer = self.writers.setdefault(pid, Writer(epoch))
        if epoch > writer.epoch:
            self.writers[pid] = Writer(epoch)
        first = self.open.pop(pid, None)
        if kind == "abort" and first is not None:
            for entry in self.entries[first:]:
                if entry is not None and entry.pid == pid:
                    entry.aborted = True
        self.entries.append(Entry(None, kind, pid))

    def fetch(
        self, offset: int, most: int, *, committed: bool = True, stale: bool = False
    ) -> tuple[list[ConsumerRecord], int]:
        """Returns at most so many records from `offset` on, and the offset to go on from."""
        old = self.deposed if stale else None
        end = old.end if old else self.end
        if not self.begin <= offset <= end:
            raise Refusal("OFFSET_OUT_OF_RANGE")
        bound = (old.stable if old else self.stable) if committed else end
        found: list[ConsumerRecord] = []
        while offset < bound and len(found) < most:
            entry = self.entries[offset]
            offset += 1
            if entry is not None and entry.record is not None and not (committed and entry.aborted):
                found.append(entry.record)
        return found, offset

    def committed(self, begin: int = 0) -> list[ConsumerRecord]:
        """Returns all committed records from `begin` on, those that were deleted since included: for the checker."""
        bound = self.stable
        return [e.record for e in self.entries[begin:bound] if e is not None and e.record and not e.aborted]

    def compact(self, upto: int, now: int, retention: int) -> None:
        """Forgets below `upto`, and below the stable end, what a later record of the same key there replaces.

        A deletion that a compaction found is forgotten by one `retention` milliseconds later, as in Kafka.
        """
        upto = min(upto, self.stable)
        newest: dict[bytes, int] = {}
        for offset in range(self.begin, upto):
            entry = self.entries[offset]
            if entry is not None and entry.record is not None and not entry.aborted:
                newest[entry.record.key or b""] = offset
        for offset in range(self.begin, upto):
            entry = self.entries[offset]
            if entry is None:
                continue
            if entry.record is None or entry.aborted or newest[entry.record.key or b""] != offset:
                self.entries[offset] = None
            elif entry.record.value is None:
                entry.cleaned = entry.cleaned or now
                if now - entry.cleaned >= retention:
                    self.entries[offset] = None

    def delete(self, upto: int) -> None:
        """Deletes what stands below `upto`, as retention or DeleteRecords does."""
        self.begin = max(self.begin, min(upto, self.end))

    def ends(self, first: int, last: int) -> list[int]:
        """Returns the offsets of these to which the log can be put back: no transaction is lost in part."""
        spans: dict[int, tuple[int, int]] = {}
        for offset, entry in enumerate(self.entries):
            if entry is not None and entry.pid != NOBODY:
                spans[entry.pid] = spans.get(entry.pid, (offset, 0))[0], offset
        inside = {one for begin, end in spans.values() for one in range(begin + 1, end + 1)}
        return [one for one in range(first, last + 1) if one not in inside]

    def put_back(self, end: int) -> list[ConsumerRecord]:
        """Puts the log back to its state when it ended there; returns the records that are lost.

        Nothing tells it: the leader's epoch is the same again, as the broker counts anew.
        """
        lost = self.committed(end)
        del self.entries[end:]
        self.hear()
        self.losses.append((end, lost))
        return lost

    def written(self, *, lost: bool = True) -> dict[Place, ConsumerRecord]:
        """Returns all committed records by their places; `lost`: those that were lost, too."""
        found: dict[Place, ConsumerRecord] = {}
        for number, (_, gone) in enumerate(self.losses if lost else ()):
            found |= {self.place(one, number): one for one in gone}
        return found | {self.place(one): one for one in self.committed()}

    def place(self, one: ConsumerRecord, losses: int | None = None) -> Place:
        """Returns the place of a record that is there, or that was there after the first so many losses."""
        ends = [end for end, _ in self.losses[:losses]]
        return max((era for era, end in enumerate(ends, 1) if one.offset >= end), default=0), one.offset

    def depose(self) -> None:
        """Elects another leader; the old one goes on answering from what it has, until `hear`."""
        self.deposed = Deposed(self.end, self.stable)
        self.leader_epoch += 1

    def hear(self) -> None:
        """Lets the old leader know that it is none."""
        self.deposed = None
