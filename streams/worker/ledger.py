"""Our decisions that still matter, by partition: written in the partition's transactions, read back after fencing.

The topic `salts` holds the salts of people (`gatekeeper.ledger.salts`), and the topic `ledger` all else.
Entries of the compacted topic `ledger`: `head` has the position, and the last manifest's hash and instant.
`dead/TOPIC/PARTITION/OFFSET` is an unreadable fact that has its dead letter. The other kinds, about people, are in
`gatekeeper.ledger.entries`. An unknown kind was written by a newer engine, whose work must not be undone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from hashlib import sha256

import structlog
from aiokafka import TopicPartition

from gatekeeper.disk.disk_table import SpoiltError
from gatekeeper.errors import IntegrityError
from gatekeeper.ledger.head import HEAD, Head
from gatekeeper.ledger.state import LedgerState
from gatekeeper.settings import Settings
from gatekeeper.tables import MemoryTables, Tables
from streams.client.batches import refusal
from streams.worker import offsets
from streams.worker.kept_ledger import KeptLedger, Misfit

log = structlog.get_logger(__name__)

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


async def read(
    probe: offsets.Probe, settings: Settings, number: int, copy: KeptLedger | None = None, *, now: int = 0
) -> Ledger:
    """Reads a partition of `ledger` and of `salts`; call it once the former owner is fenced.

    `copy`: holds the entries, and what it has need not be read. `now`: milliseconds since the epoch.
    Raises IntegrityError (4) for a record that this engine did not write.
    """
    found = await _continued(probe, settings, number, copy, now) if copy else None
    if found is None:
        found = Ledger(copy.tables if copy else None)
        await _read(probe, TopicPartition(settings.topic("ledger"), number), 0, found.apply, copy)
    await _read(probe, TopicPartition(settings.topic("salts"), number), 0, found.state.salts.take)
    return found


async def _continued(
    probe: offsets.Probe, settings: Settings, number: int, copy: KeptLedger, now: int
) -> Ledger | None:
    """The copy with all entries since; None if it does not belong to these logs, and then it is empty."""
    tp, manifests = (TopicPartition(settings.topic(name), number) for name in ("ledger", "manifests"))
    try:
        copied = copy.demand_copied(*await offsets.bounds(probe, tp), now)
        known = (await offsets.some(probe, manifests, [copied.manifest])).get(copied.manifest)
        if known is None or sha256(known.value or b"").hexdigest() != copied.head.prev:
            raise Misfit("manifest")
        await asyncio.to_thread(copy.demand_whole)
        found = Ledger(copy.tables)
        await _read(probe, tp, copied.ledger, found.apply, copy)
        _demand_same_history(found.written, copied.head)
    except (Misfit, SpoiltError) as why:
        copy.anew(str(why))
        return None
    log.info("ledger_continued", partition=number, first=copied.ledger)
    return found


def _demand_same_history(written: bytes | None, copied: Head) -> None:
    """Raises Misfit unless the log still has the copy's transaction, and no person let the partition go on since.

    `written`: the newest head that was read from the copy's transaction on. A log that has lost its end may hold other
    records at the same offsets, before those that were read. Only a person's act lets such a partition
    go on, and every later head names that act.
    """
    try:
        if written is None or Head.decode(written).resumed != copied.resumed:
            raise Misfit("head")
    except IntegrityError:
        raise Misfit("head") from None


async def _read(
    probe: offsets.Probe,
    tp: TopicPartition,
    begin: int,
    take: Callable[[bytes, bytes | None], None],
    copy: KeptLedger | None = None,
) -> None:
    """Takes all committed records from `begin` on."""
    first, end = await offsets.bounds(probe, tp)
    async for record in offsets.read(probe, tp, max(first, begin), end):
        if (refused := refusal(record.headers)) and refused.what != "headers":
            place = f"{tp.topic}/{tp.partition}/{record.offset}"
            raise IntegrityError("error.ledger_spoilt", place=place, sha256=refused.sha256)
        take(record.key or b"", record.value)
        if copy is not None:
            await copy.fill()
