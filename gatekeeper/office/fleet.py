"""The fleet: which workers there are, which partitions each owns, how far these are, and what needs a person."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from gatekeeper.audit.log.seal import Seal
from gatekeeper.ledger.head import Head
from gatekeeper.ledger.refused import Refused

PATIENCE_MS = 5_000
"""How much longer than its session time-out an owner may write nothing while sends wait.

Kafka takes the session time-out to notice a dead worker, so nobody can tell it from a slow one before that. The rest
is for the rebalance and the take-over. A worker that waits for late facts is reported as well: it decides nothing.
"""

SHARING_OUT = ("PreparingRebalance", "CompletingRebalance")
"""States in which Kafka names no owners, because the members are about to be given their partitions."""

Trouble = Literal["no_owner", "refused", "not_deciding", "log_unreadable"]
"""What needs a person: a partition without an owner, one that its owner refuses, an owner that is silent while sends
wait, an unreadable log."""


@dataclass(frozen=True, slots=True)
class Member:
    """One member of the workers' consumer group, as Kafka describes it.

    `worker`: its GATEKEEPER_WORKER, "" where it has none; `id`: Kafka's own name for it. `partitions`: of `sends`.
    """

    worker: str
    id: str
    host: str
    partitions: tuple[int, ...]

    @property
    def name(self) -> str:
        """How people name it."""
        return self.worker or self.id


@dataclass(frozen=True, slots=True)
class ConsumerGroup:
    """The workers' consumer group: Kafka's word for its state, and its members."""

    state: str
    members: tuple[Member, ...] = ()


@dataclass(frozen=True, slots=True)
class LastWrite:
    """The newest manifest of a partition: its writer, and the broker's time stamp in milliseconds."""

    writer: str
    at: int


@dataclass(frozen=True, slots=True)
class InputPartition:
    """What Kafka holds of one partition of `sends`.

    `start`, `end`: its first offset and its end. `waiting_since`: the broker's time stamp of the oldest send that is
    not decided, in milliseconds, None where no send waits: an end can also lie behind transaction markers alone.
    `refused`: why the owner does not go on, None where nothing holds it up.
    """

    start: int
    end: int
    head: Head | None = None
    waiting_since: int | None = None
    written: LastWrite | None = None
    refused: Refused | None = None

    @property
    def lag(self) -> int:
        """How many offsets are not decided; an upper bound for the sends among them."""
        return max(0, self.end - (self.head.sends if self.head else self.start))


@dataclass(frozen=True, slots=True)
class Partition:
    """One partition of `sends`, and the member that owns it, None where nobody does."""

    number: int
    place: InputPartition
    owner: Member | None

    @property
    def silent_since(self) -> int | None:
        """Since when sends wait and the owner has written nothing (milliseconds); None where none waits."""
        if self.place.waiting_since is None:
            return None
        written = self.place.written
        own = written is not None and self.owner is not None and written.writer == self.owner.worker
        return max(self.place.waiting_since, written.at) if written and own else self.place.waiting_since


@dataclass(frozen=True, slots=True)
class Worker:
    """One worker: its partitions, and when it last wrote a manifest (milliseconds, None: none is the newest anywhere).

    `host` is None for a worker that wrote the newest manifest of a partition and is no longer in the group.
    """

    name: str
    host: str | None
    partitions: tuple[int, ...]
    written_at: int | None


@dataclass(frozen=True, slots=True)
class Fleet:
    """All that is known of the workers at the instant `at` (milliseconds).

    `patience_ms`: how long an owner may write nothing while sends wait. `seal`: None without a log on this machine.
    """

    at: int
    state: str
    partitions: tuple[Partition, ...]
    workers: tuple[Worker, ...]
    seal: Seal | None
    patience_ms: int

    @property
    def lag(self) -> int:
        """How many sends are not decided, at most."""
        return sum(each.place.lag for each in self.partitions)

    @property
    def sharing_out(self) -> bool:
        """Tells whether the partitions are being given to the members, so that nobody owns one at the moment."""
        return self.state in SHARING_OUT

    @property
    def unowned(self) -> tuple[Partition, ...]:
        """The partitions that no member owns."""
        return tuple(each for each in self.partitions if each.owner is None)

    @property
    def refused(self) -> tuple[Partition, ...]:
        """The partitions that wait for a person to look."""
        return tuple(each for each in self.partitions if each.place.refused)

    @property
    def undecided(self) -> tuple[Partition, ...]:
        """The partitions whose owner has written nothing for longer than `patience_ms` while sends wait.

        Without those that are refused: their owner says why it writes nothing.
        """
        return tuple(
            each
            for each in self.partitions
            if each.owner and each.silent_since is not None and self.at - each.silent_since > self.patience_ms
            if each.place.refused is None
        )

    @property
    def troubles(self) -> tuple[Trouble, ...]:
        """Returns what needs a person, gravest first; nothing where every partition is decided."""
        found: list[tuple[Trouble, object]] = [
            ("no_owner", self.unowned),
            ("refused", self.refused),
            ("not_deciding", self.undecided),
            ("log_unreadable", self.seal and self.seal.error),
        ]
        return tuple(trouble for trouble, there in found if there)


def fleet(
    group: ConsumerGroup, places: Mapping[int, InputPartition], *, at: int, session_ms: int, seal: Seal | None = None
) -> Fleet:
    """The fleet as the group, the partitions (by number) and the seal show it.

    `at`: when the heads were read, or earlier; what came later counts as not waiting. `session_ms`: the session
    time-out of the group. Both in milliseconds.
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
            # members without a name all write under the same one
            _last((one for n, one in written.items() if member.worker or n in member.partitions), member.worker),
        )
        for member in members
    ]
    gone = {each.writer for each in written.values()} - {member.worker for member in members} - {""}
    return (
        *sorted(there, key=lambda each: each.name),
        *(Worker(name, None, (), _last(written.values(), name)) for name in sorted(gone)),
    )


def _last(written: Iterable[LastWrite], writer: str) -> int | None:
    return max((each.at for each in written if each.writer == writer), default=None)
