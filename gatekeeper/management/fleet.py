"""The fleet: the workers, their partitions with the lag, and the troubles that need a person."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from gatekeeper.audit.log.seal_status import SealStatus
from gatekeeper.ledger.head import Head
from gatekeeper.ledger.refused import Refused

PATIENCE_MS = 5_000
"""Time beyond the session time-out that an owner may write nothing while sends wait, in milliseconds.

Kafka needs the session time-out to notice a dead worker; until then a dead worker looks like a slow one. The rest is
for the rebalance and the take-over. A worker that waits for late facts is reported as well, since it decides nothing.
"""

SHARING_OUT = ("PreparingRebalance", "CompletingRebalance")
"""Group states of a rebalance, in which Kafka reports no owners of partitions."""

Trouble = Literal["no_owner", "refused", "not_deciding", "partitions_added", "log_unreadable", "sealing_held"]
"""Troubles that need a person. A partition has no owner or is refused, an owner writes nothing while sends wait, or
a log is unreadable. Somebody added partitions. Or the sealing of a partition waits for the choice of a branch."""


@dataclass(frozen=True, slots=True)
class Member:
    """One member of the workers' consumer group, as Kafka describes it.

    `worker`: its GATEKEEPER_WORKER, "" without one; `id`: Kafka's member id. `partitions`: its partitions of `sends`.
    """

    worker: str
    id: str
    host: str
    partitions: tuple[int, ...]

    @property
    def name(self) -> str:
        """The name for people: the worker's, else Kafka's member id."""
        return self.worker or self.id


@dataclass(frozen=True, slots=True)
class ConsumerGroup:
    """The workers' consumer group: its state in Kafka's terms, and its members."""

    state: str
    members: tuple[Member, ...] = ()


@dataclass(frozen=True, slots=True)
class LastWrite:
    """The newest manifest of a partition: its writer, and the broker's time stamp in milliseconds."""

    writer: str
    at: int


@dataclass(frozen=True, slots=True)
class InputPartition:
    """State of one partition of `sends`, as Kafka holds it.

    `start`, `end`: its first offset and its end offset. `waiting_since`: the broker's time stamp of the oldest
    undecided send, in milliseconds. None where no send waits, since only transaction markers may lie before `end`.
    `refused`: the cause for which the owner has stopped, None without one.
    """

    start: int
    end: int
    head: Head | None = None
    waiting_since: int | None = None
    written: LastWrite | None = None
    refused: Refused | None = None

    @property
    def lag(self) -> int:
        """The number of undecided offsets, an upper bound for undecided sends."""
        return max(0, self.end - (self.head.sends if self.head else self.start))


@dataclass(frozen=True, slots=True)
class Partition:
    """One partition of `sends` and its owner, None without one."""

    number: int
    place: InputPartition
    owner: Member | None

    @property
    def silent_since(self) -> int | None:
        """The start of the owner's silence while sends wait, in milliseconds; None where no send waits."""
        if self.place.waiting_since is None:
            return None
        written = self.place.written
        own = written is not None and self.owner is not None and written.writer == self.owner.worker
        return max(self.place.waiting_since, written.at) if written and own else self.place.waiting_since


@dataclass(frozen=True, slots=True)
class Worker:
    """One worker: its partitions, and the time of its last manifest.

    `written_at`: in milliseconds; None where no partition's newest manifest is this worker's.
    `host`: None for a worker that wrote the newest manifest of a partition and is no longer in the group.
    """

    name: str
    host: str | None
    partitions: tuple[int, ...]
    written_at: int | None


@dataclass(frozen=True, slots=True)
class AddedPartitions:
    """Partitions that somebody added to a topic of a fixed number, and the most records that there are on them."""

    topic: str
    partitions: range
    records: int


@dataclass(frozen=True, slots=True)
class Fleet:
    """State of all workers at the instant `at` (milliseconds).

    `patience_ms`: the time that an owner may write nothing while sends wait. `seal`: None without a log on this
    machine. `added`: the partitions on which the gate does not work.
    """

    at: int
    state: str
    partitions: tuple[Partition, ...]
    workers: tuple[Worker, ...]
    seal: SealStatus | None
    patience_ms: int
    added: tuple[AddedPartitions, ...] = ()

    @property
    def lag(self) -> int:
        """The highest possible number of undecided sends."""
        return sum(partition.place.lag for partition in self.partitions)

    @property
    def sharing_out(self) -> bool:
        """Tells whether a rebalance is under way, in which no partition has an owner."""
        return self.state in SHARING_OUT

    @property
    def unowned(self) -> tuple[Partition, ...]:
        """The partitions that no member owns."""
        return tuple(partition for partition in self.partitions if partition.owner is None)

    @property
    def refused(self) -> tuple[Partition, ...]:
        """The refused partitions, which wait for a person."""
        return tuple(partition for partition in self.partitions if partition.place.refused)

    @property
    def undecided(self) -> tuple[Partition, ...]:
        """The partitions whose owner has written nothing for longer than `patience_ms` while sends wait.

        Refused partitions are left out, because their owner has stated the cause.
        """
        return tuple(
            partition
            for partition in self.partitions
            if partition.owner
            and partition.silent_since is not None
            and self.at - partition.silent_since > self.patience_ms
            if partition.place.refused is None
        )

    @property
    def troubles(self) -> tuple[Trouble, ...]:
        """The troubles that need a person, the gravest first; empty if the fleet is well."""
        troubles: list[tuple[Trouble, object]] = [
            ("no_owner", self.unowned),
            ("refused", self.refused),
            ("not_deciding", self.undecided),
            ("partitions_added", self.added),
            ("log_unreadable", self.seal and self.seal.error),
            ("sealing_held", self.seal and self.seal.held),
        ]
        return tuple(trouble for trouble, there in troubles if there)


def fleet(
    group: ConsumerGroup,
    places: Mapping[int, InputPartition],
    *,
    at: int,
    session_ms: int,
    seal: SealStatus | None = None,
) -> Fleet:
    """The fleet, computed from the group, the partitions (by number) and the seal.

    `at`: the time when the heads were read, or earlier; sends that came later do not count as waiting. `session_ms`:
    the session time-out of the group. Both in milliseconds.
    """
    owners = {number: member for member in group.members for number in member.partitions}
    partitions = tuple(Partition(number, place, owners.get(number)) for number, place in sorted(places.items()))
    return Fleet(at, group.state, partitions, _workers(group.members, places), seal, session_ms + PATIENCE_MS)


def _workers(members: Sequence[Member], places: Mapping[int, InputPartition]) -> tuple[Worker, ...]:
    written = {number: place.written for number, place in places.items() if place.written}
    there = [
        Worker(
            member.name,
            member.host,
            member.partitions,
            # members without a name all write under "", so only their own partitions count
            _last((write for n, write in written.items() if member.worker or n in member.partitions), member.worker),
        )
        for member in members
    ]
    gone = {write.writer for write in written.values()} - {member.worker for member in members} - {""}
    return (
        *sorted(there, key=lambda worker: worker.name),
        *(Worker(name, None, (), _last(written.values(), name)) for name in sorted(gone)),
    )


def _last(written: Iterable[LastWrite], writer: str) -> int | None:
    return max((write.at for write in written if write.writer == writer), default=None)
