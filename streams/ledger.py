"""What we decided and still matters, by partition: written in the partition's transactions, read whole after fencing.

Entries of the compacted topic `ledger`: `head` (the position, the last manifest's hash and instant),
`dead/TOPIC/PARTITION/OFFSET` (an unreadable fact that has its dead letter), and those about people, whose kinds
`gatekeeper.entries` knows. A kind that nobody knows was written by a newer engine, which must not be undone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition

from gatekeeper.errors import IntegrityError
from gatekeeper.memory import Memory
from schemas.audit import Mode
from schemas.codec import canonical
from streams import offsets

HEAD = b"head"
_DEAD = b"dead/"


@dataclass(frozen=True, slots=True)
class Head:
    """Where a partition stands: written in every transaction, and the only position that is trusted.

    `sends` and `acts` are the next offsets to take; `prev` is the SHA-256 (hex) of the last manifest's value, None
    before the first; `at` is the last instant given to decide(), in milliseconds; `mode` is that of
    the gate, which never changes: a shadow's decisions are none of a live gate. `asked` is how many items wait for the
    answer of a person who was asked. `masters` are the fingerprints of its owner's master keys by number, where the
    engine that wrote it knew of them.
    """

    sends: int
    acts: int = 0
    prev: str | None = None
    at: int = 0
    mode: Mode = "live"
    asked: int = 0
    masters: dict[str, str] = field(default_factory=dict)

    def encode(self) -> bytes:
        """Returns the entry's value."""
        return canonical({"v": 1, **asdict(self)})

    def other_master(self, numbers: Iterable[int], ours: Mapping[int, str]) -> int | None:
        """Returns which of these numbers of master keys is that of another key with us, None where none is.

        `ours`: the fingerprints of our master keys.
        """
        return next((n for n in sorted(numbers) if self.masters.get(str(n), ours[n]) != ours[n]), None)

    @classmethod
    def decode(cls, value: bytes) -> Head:
        """Reads the entry's value; raises IntegrityError (4) for anything that this engine did not write."""
        try:
            found = orjson.loads(value)
            if found.pop("v") != 1:
                raise ValueError("version")
            return cls(**found)
        except (ValueError, TypeError, KeyError, AttributeError):
            raise IntegrityError("error.ledger_unreadable") from None


@dataclass(slots=True)
class Ledger:
    """The memory of one owned partition; it dies with the partition's task."""

    head: Head | None = None
    dead: set[bytes] = field(default_factory=set)
    memory: Memory = field(default_factory=Memory)

    def apply(self, key: bytes, value: bytes | None) -> None:
        """Takes one entry as read back; raises IntegrityError (4) for what this engine did not write."""
        if key == HEAD:
            self.head = Head.decode(value) if value is not None else None
        elif key.startswith(_DEAD):
            self.dead.add(key)
        else:
            self.memory.take(key, value)


def dead_key(topic: str, partition: int, offset: int) -> bytes:
    """Returns the ledger key that remembers a dead letter for an unreadable fact."""
    return b"%b%b/%d/%d" % (_DEAD, topic.encode(), partition, offset)


async def read(consumer: AIOKafkaConsumer, tp: TopicPartition) -> Ledger:
    """Reads one ledger partition to its end; call it after the transactional producer has fenced the former owner."""
    ledger = Ledger()
    async for record in offsets.read(consumer, tp, *await offsets.bounds(consumer, tp)):
        ledger.apply(record.key or b"", record.value)
    return ledger
