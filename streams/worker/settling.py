"""The end of a partition's manifests and audit records, read at a take-over to see whether they end with the head."""

from __future__ import annotations

from collections.abc import Sequence

from aiokafka import TopicPartition

from gatekeeper.audit.verify import Vkey
from gatekeeper.engine.settlement import Tail, reaches, said, written
from gatekeeper.ledger.head import Head
from gatekeeper.settings import Settings
from schemas.record import Record
from streams.worker import offsets
from streams.worker.batch import as_record

LAST = ((20, 1_500), (5_000, 50_000))
"""So many offsets of `manifests` and `audit` are read; the second pair only where the first does not reach."""


async def tail(probe: offsets.Probe, settings: Settings, number: int, head: Head, *, keys: Sequence[Vkey]) -> Tail:
    """Returns the last that stands on `manifests` and `audit` of a partition; call it once the former owner is fenced.

    `keys`: the public keys of the workers.
    """
    ours, theirs = (TopicPartition(settings.topic(name), number) for name in ("manifests", "audit"))
    bounds = await offsets.bounds(probe, ours), await offsets.bounds(probe, theirs)
    found: Tail | None = None
    for lasts in LAST:
        starts = [max(begin, end - last) for (begin, end), last in zip(bounds, lasts, strict=True)]
        manifests = await _read(probe, ours, starts[0], bounds[0][1])
        audit = await _read(probe, theirs, starts[1], bounds[1][1])
        found = Tail(
            written(manifests, partition=number, keys=keys, head=head),
            said(audit, partition=number),
            cut=bounds[1][0] > 0,
            all_manifests=starts[0] == bounds[0][0],
        )
        if reaches(head, found) or starts == [begin for begin, _ in bounds]:
            break
    assert found is not None
    return found


async def _read(probe: offsets.Probe, tp: TopicPartition, begin: int, end: int) -> list[Record]:
    return [as_record(record) async for record in offsets.read(probe, tp, begin, end)]
