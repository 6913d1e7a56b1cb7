"""Our decisions that still matter, by partition: written with each chunk, read whole at a take-over.

The topic `salts` holds the salts of people (`gatekeeper.ledger.salts`), and the topic `ledger` all else.
Entries of the compacted topic `ledger`: `head` has the position, and the last manifest's hash and instant.
`dead/TOPIC/PARTITION/OFFSET` is an unreadable fact that has its dead letter, and `owner/ID` a claim
(`gatekeeper.ledger.claims`). The other kinds, about people, are in `gatekeeper.ledger.entries`. An unknown kind was
written by a newer engine, whose work must not be undone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from aiokafka import TopicPartition

from gatekeeper.errors import IntegrityError
from gatekeeper.ledger.claims import Claims
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
    claims: Claims = field(default_factory=Claims)
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
        elif not self.claims.take(key, value):
            self.state.take(key, value)


def dead_key(topic: str, partition: int, offset: int) -> bytes:
    """The ledger key that records the dead letter of an unreadable fact."""
    return b"%b%b/%d/%d" % (_DEAD, topic.encode(), partition, offset)


class Reading:
    """A partition of `ledger` or `salts` read from its beginning, and each time on to its stable end.

    `take`: puts in each entry. `position`: the offset up to which it was read.
    """

    def __init__(
        self,
        probe: offsets.Probe,
        settings: Settings,
        topic: str,
        number: int,
        take: Callable[[bytes, bytes | None], None],
    ) -> None:
        self.tp = TopicPartition(settings.topic(topic), number)
        self.position = 0
        self._probe, self._take = probe, take

    async def go_on(self) -> None:
        """Reads what was committed since the last call; raises IntegrityError (4) for a record that is not ours."""
        begin, end = await offsets.bounds(self._probe, self.tp)
        async for record in offsets.read(self._probe, self.tp, max(begin, self.position), end):
            if (refused := refusal(record.headers)) and refused.what != "headers":
                place = f"{self.tp.topic}/{self.tp.partition}/{record.offset}"
                raise IntegrityError("error.ledger_spoilt", place=place, sha256=refused.sha256)
            self._take(record.key or b"", record.value)
        self.position = max(end, self.position)
