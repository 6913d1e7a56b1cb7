"""Our decisions that still matter, by partition: written in the partition's transactions, read back after fencing.

The topic `salts` holds the salts of people (`gatekeeper.ledger.salts`), and the topic `ledger` all else.
Entries of the compacted topic `ledger`: `head` has the position, and the last manifest's hash and instant.
`dead/TOPIC/PARTITION/OFFSET` is an unreadable fact that has its dead letter. The other kinds, about people, are in
`gatekeeper.ledger.entries`. An unknown kind was written by a newer engine, whose work must not be undone.
"""

from __future__ import annotations

from gatekeeper.ground.tables import MemoryTables, Tables
from gatekeeper.ledger.head import HEAD, Head
from gatekeeper.ledger.state import LedgerState

_DEAD = b"dead/"


class Ledger:
    """The memory of one owned partition, discarded with the partition's task; `tables` as of `LedgerState`."""

    def __init__(self, tables: Tables | None = None) -> None:
        tables = tables or MemoryTables()
        self.written: bytes | None = None
        """The bytes of the head's entry."""
        self.state = LedgerState(tables)
        self._dead = tables.journal("dead")
        self.dead = {key.encode() for key, _ in self._dead.items()}
        """The keys of the unreadable facts that have their dead letter."""

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
            self._dead[key.decode(errors="replace")] = b"{}"
        else:
            self.state.take(key, value)


def dead_key(topic: str, partition: int, offset: int) -> bytes:
    """The ledger key that records the dead letter of an unreadable fact."""
    return b"%b%b/%d/%d" % (_DEAD, topic.encode(), partition, offset)
