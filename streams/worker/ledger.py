"""Our decisions that still matter, by partition: written in the partition's transactions, read whole after fencing.

The topic `salts` holds the salts of people (`gatekeeper.ledger.salts`), and the topic `ledger` all else.
Entries of the compacted topic `ledger`: `head` has the position, and the last manifest's hash and instant.
`dead/TOPIC/PARTITION/OFFSET` is an unreadable fact that has its dead letter. The other kinds, about people, are in
`gatekeeper.ledger.entries`. An unknown kind was written by a newer engine, whose work must not be undone.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from aiokafka import TopicPartition

from gatekeeper.errors import IntegrityError
from gatekeeper.ledger.head import HEAD, Head
from gatekeeper.ledger.state import LedgerState
from gatekeeper.settings import Settings
from streams.client.batches import refusal
from streams.worker import offsets

_DEAD = b"dead/"


@dataclass(slots=True)
class Ledger:
    """The ledger of one owned partition, discarded with the partition's task."""

    written: bytes | None = None
    """The bytes of the head's entry."""
    dead: set[bytes] = field(default_factory=set)
    state: LedgerState = field(default_factory=LedgerState)

    @property
    def head(self) -> Head | None:
        """The head, None without one; raises IntegrityError (4) if this engine did not write it."""
        return None if self.written is None else Head.decode(self.written)

    def apply(self, key: bytes, value: bytes | None) -> None:
        """Applies one entry as read back; raises IntegrityError (4) for an entry that this engine did not write."""
        if key == HEAD:
            self.written = value
        elif key.startswith(_DEAD):
            self.dead.add(key)
        else:
            self.state.take(key, value)


def dead_key(topic: str, partition: int, offset: int) -> bytes:
    """The ledger key that records the dead letter of an unreadable fact."""
    return b"%b%b/%d/%d" % (_DEAD, topic.encode(), partition, offset)


async def read(probe: offsets.Probe, settings: Settings, number: int) -> Ledger:
    """Reads a partition of `ledger` and of `salts`; call it once the former owner is fenced.

    Raises IntegrityError (4) for a record that this engine did not write.
    """
    ledger = Ledger()
    for name, take in (("ledger", ledger.apply), ("salts", ledger.state.salts.take)):
        tp = TopicPartition(settings.topic(name), number)
        async for record in offsets.read(probe, tp, *await offsets.bounds(probe, tp)):
            if (refused := refusal(record.headers)) and refused.what != "headers":
                place = f"{tp.topic}/{tp.partition}/{record.offset}"
                raise IntegrityError("error.ledger_spoilt", place=place, sha256=refused.sha256)
            take(record.key or b"", record.value)
    return ledger
