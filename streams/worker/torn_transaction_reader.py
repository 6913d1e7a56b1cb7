"""A partition's last transaction, read at a take-over: checked for completeness, and its entries rebuilt if torn."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

import structlog
from aiokafka import TopicPartition

from gatekeeper.audit.checks.accounts import put_out, resulted
from gatekeeper.audit.tlog.notes import Vkey
from gatekeeper.engine.implied import InputIndex, InputKey, MissingInput, implied, items, places
from gatekeeper.engine.judged import Judged
from gatekeeper.engine.settlement import Settled, lacking
from gatekeeper.engine.tail import Tail, WrittenRecord, said, written
from gatekeeper.ground.settings import Settings
from gatekeeper.ledger.entries import Entry
from gatekeeper.ledger.head import Head
from gatekeeper.ledger.state import LedgerState
from schemas.record import Output, Record
from streams.client.batches import as_record
from streams.worker import offsets
from streams.worker.worker_context import WorkerContext

log = structlog.get_logger(__name__)

ID = "gate-decision-id"
"""The header with the id of a record of `confirmations`."""
STRETCH = {"manifests": 20, "audit": 1_500}
"""Offsets read of a topic at first; each further read takes four times as many."""
ENOUGH = {"manifests": 1_000, "audit": 20_000}
"""Records that reach far behind any last transaction; a record not among them does not exist."""
PAUSE = 100
"""Records after which other tasks get a turn."""


async def tail(probe: offsets.Probe, settings: Settings, number: int, head: Head, *, keys: Sequence[Vkey]) -> Tail:
    """The last records on `manifests` and `audit` of a partition; call it once the former owner is fenced.

    `keys`: the public keys of the workers.
    """
    logs = {
        name: await _Backwards.of(probe, TopicPartition(settings.topic(name), number), STRETCH[name])
        for name in STRETCH
    }
    manifests, audit = await logs["manifests"].more(), said(await logs["audit"].more(), partition=number)
    while True:
        last = Tail(
            written(manifests, audit, partition=number, keys=keys, head=head),
            audit,
            cut=logs["audit"].begin > 0,
            all_manifests=logs["manifests"].ended or len(manifests) >= ENOUGH["manifests"],
        )
        more = lacking(head, last)
        if more is None or logs[more].ended or (more == "audit" and len(audit) >= ENOUGH["audit"]):
            return last
        if more == "manifests":
            manifests = [*await logs[more].more(), *manifests]
        else:
            audit = [*said(await logs[more].more(), partition=number), *audit]


class _Backwards:
    """Reader of a log backwards from its end, one stretch after the other."""

    def __init__(self, probe: offsets.Probe, tp: TopicPartition, begin: int, end: int, step: int) -> None:
        self.begin = begin
        self._probe, self._tp, self._at, self._step = probe, tp, end, step

    @classmethod
    async def of(cls, probe: offsets.Probe, tp: TopicPartition, step: int) -> _Backwards:
        """A reader that begins at the stable end."""
        return cls(probe, tp, *await offsets.bounds(probe, tp), step)

    @property
    def ended(self) -> bool:
        """Tells whether everything that is kept was read."""
        return self._at <= self.begin

    async def more(self) -> list[Record]:
        """The stretch before the last one read, in order."""
        start, end = max(self.begin, self._at - self._step), self._at
        self._at, self._step = start, self._step * 4
        records = []
        async for record in offsets.read(self._probe, self._tp, start, end):
            records.append(as_record(record))
            if len(records) % PAUSE == 0:
                await asyncio.sleep(0)
        return records


async def anew(
    probe: offsets.Probe, context: WorkerContext, number: int, settled: Settled, ledger: LedgerState
) -> list[Entry]:
    """The entries of a torn transaction, rebuilt from its audit records and put into the ledger's state.

    An input of a record may have expired. Its entry cannot be rebuilt then, and the log names the decision.
    """
    topics = {name: TopicPartition(context.settings.topic(name), number) for name in ("sends", "acts", "review")}
    records = await _some(probe, topics, places(settled.again))
    records |= await _some(probe, topics, items(records.values()))
    asks = TopicPartition(context.settings.topic("confirmations"), number)
    begin, end = await offsets.bounds(probe, asks)
    asked = [record.said["did"] for record in settled.again if (record.said.get("act") or {}).get("outcome") == "asked"]
    confirmations = await offsets.named(probe, asks, ID, dict.fromkeys(asked, max(begin, end - offsets.REACH)))
    inputs = InputIndex(records, {as_record(record).header(ID): as_record(record) for record in confirmations})
    if context.settings.mode == "live":
        begin, end = await offsets.bounds(probe, topics["review"])
        ledger.review = max(begin, end - offsets.REACH // 2)
    made: list[Entry] = []
    for record in settled.again:
        try:
            entries = implied(record, inputs, context.judge, context.followers.store, ledger)
        except MissingInput:
            log.warning("entry_unmade", partition=number, decision=record.said["did"])
            continue
        for entry in entries:
            ledger.put(entry)
        made += entries
    return made


def taken_in(records: Iterable[WrittenRecord]) -> list[Judged]:
    """Audit records without a manifest, as the next manifest counts them; their outputs are not written."""
    judged = []
    for record in records:
        out, act = put_out(record.said), record.said.get("act") or {}
        has_verdict = record.said["stage"] == "intake" or act.get("outcome") in ("cleared", "withheld")
        judged.append(
            Judged(
                outputs=(Output(out[0], None, None, ()),) if out else (),
                audit=record.value,
                did=record.said["did"],
                verdict=record.said["verdict"] if has_verdict else None,
                codes=tuple(reason["code"] for reason in record.said["reasons"]),
                dead=out is not None and out[0] == "deadletter",
                misplaced=False,
                failed=False,
                result=Output("results", None, None, ()) if resulted(record.said) else None,
            )
        )
    return judged


async def _some(
    probe: offsets.Probe, topics: dict[str, TopicPartition], wanted: Iterable[InputKey]
) -> dict[InputKey, Record]:
    by_topic: dict[str, set[int]] = {}
    for topic, offset in wanted:
        by_topic.setdefault(topic, set()).add(offset)
    return {
        (topic, offset): as_record(record)
        for topic, which in by_topic.items()
        if topic in topics
        for offset, record in (await offsets.some(probe, topics[topic], which)).items()
    }
