"""A partition's ledger read from Kafka, whole or from where the copy on the disk ends."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from typing import Any

import structlog
from aiokafka import ConsumerRecord, TopicPartition

from gatekeeper.ground.errors import IntegrityError
from gatekeeper.ground.settings import Settings
from gatekeeper.ground.times import instant
from gatekeeper.ledger.head import HEAD, Head
from gatekeeper.store.disk_table import SpoiltError
from streams.client.batches import refusal
from streams.worker import offsets
from streams.worker.kept_ledger import CopyPosition, KeptLedger, Misfit
from streams.worker.ledger import Ledger

log = structlog.get_logger(__name__)

GONE = "error.decisions_gone"
HEAD_WITHIN = 500
"""Offsets before the end in which the newest head is searched first. Every transaction writes one."""


class DecisionsGoneError(IntegrityError):
    """Raised if the logs lack decisions that were committed. `written`: the bytes of the head that they have now."""

    def __init__(self, written: bytes | None, **values: Any) -> None:
        super().__init__(GONE, **values)
        self.written = written


async def read(
    probe: offsets.Probe, settings: Settings, number: int, copy: KeptLedger | None = None, *, now: int = 0
) -> Ledger:
    """Reads a partition of `ledger` and of `salts`; call it once the former owner is fenced.

    `copy`: holds the entries, and what it has need not be read. `now`: milliseconds since the epoch.
    Raises IntegrityError (4) for a record that this engine did not write. Raises DecisionsGoneError if the copy knows
    decisions that the logs lack. The copy stays as it is then.
    """
    ledger = await _continued(probe, settings, number, copy, now) if copy else None
    if ledger is None:
        ledger = Ledger(copy.tables if copy else None)
        await _read(probe, TopicPartition(settings.topic("ledger"), number), 0, ledger.apply, copy)
    await _read(probe, TopicPartition(settings.topic("salts"), number), 0, ledger.state.salts.take)
    return ledger


async def _continued(
    probe: offsets.Probe, settings: Settings, number: int, copy: KeptLedger, now: int
) -> Ledger | None:
    """The copy with all entries since; None if it does not belong to these logs, and then it is empty."""
    tp = TopicPartition(settings.topic("ledger"), number)
    try:
        copied = copy.demand_copied()
        manifest = await manifest_of(probe, settings, number, copied)
        begin, end = await offsets.bounds(probe, tp)
        if not begin <= copied.ledger < end:
            raise Misfit("positions")
        copy.demand_young(manifest.timestamp, now)
        await copy.demand_whole()
        ledger = Ledger(copy.tables)
        await _read(probe, tp, copied.ledger, ledger.apply, copy)
        _demand_same_history(ledger.written, copied.head)
        if copy.tables.spoilt:
            raise Misfit("spoilt")
    except (Misfit, SpoiltError) as why:
        await copy.anew(str(why))
        return None
    log.info("ledger_continued", partition=number, first=copied.ledger)
    return ledger


async def manifest_of(probe: offsets.Probe, settings: Settings, number: int, known: CopyPosition) -> ConsumerRecord:
    """The manifest of a transaction that was committed.

    Raises DecisionsGoneError if it is not there: a broker was put back to an older state. Raises Misfit if that proves
    nothing: retention took it, or a person let the partition go on since.
    """
    tp = TopicPartition(settings.topic("manifests"), number)
    begin, _ = await offsets.bounds(probe, tp)
    if known.manifest < begin:
        raise Misfit("expired")
    manifest = (await offsets.some(probe, tp, [known.manifest])).get(known.manifest)
    if manifest is not None and sha256(manifest.value or b"").hexdigest() == known.head.prev:
        return manifest
    where = {"topic": settings.topic("sends"), "partition": number}
    gone = await gone_from(probe, settings, number, **where, decided=known.head.sends, at=instant(known.head.at))
    with suppress(IntegrityError):
        if gone.written is not None and Head.decode(gone.written).resumed != known.head.resumed:
            raise Misfit("resumed")
    raise gone


async def gone_from(probe: offsets.Probe, settings: Settings, number: int, **values: Any) -> DecisionsGoneError:
    """The error that the logs of a partition, as they are now, lack decisions."""
    return DecisionsGoneError(await _newest_head(probe, TopicPartition(settings.topic("ledger"), number)), **values)


async def _newest_head(probe: offsets.Probe, tp: TopicPartition) -> bytes | None:
    """The bytes of the newest head on a partition of `ledger`, None without one."""
    begin, end = await offsets.bounds(probe, tp)
    for start in (max(begin, end - HEAD_WITHIN), begin):
        heads = [record.value async for record in offsets.read(probe, tp, start, end) if record.key == HEAD]
        if heads or start == begin:
            return heads[-1] if heads else None
    return None


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
