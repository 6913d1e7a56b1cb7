"""A partition's ledger read from Kafka, whole or from where the copy on the disk ends."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256

import structlog
from aiokafka import TopicPartition

from gatekeeper.disk.disk_table import SpoiltError
from gatekeeper.errors import IntegrityError
from gatekeeper.ledger.head import Head
from gatekeeper.settings import Settings
from streams.client.batches import refusal
from streams.worker import offsets
from streams.worker.kept_ledger import KeptLedger, Misfit
from streams.worker.ledger import Ledger

log = structlog.get_logger(__name__)


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
        copied = copy.demand_copied(*await offsets.bounds(probe, tp))
        known = (await offsets.some(probe, manifests, [copied.manifest])).get(copied.manifest)
        if known is None or sha256(known.value or b"").hexdigest() != copied.head.prev:
            raise Misfit("manifest")
        copy.demand_young(known.timestamp, now)
        await copy.demand_whole()
        found = Ledger(copy.tables)
        await _read(probe, tp, copied.ledger, found.apply, copy)
        _demand_same_history(found.written, copied.head)
        if copy.tables.spoilt:
            raise Misfit("spoilt")
    except (Misfit, SpoiltError) as why:
        await copy.anew(str(why))
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
