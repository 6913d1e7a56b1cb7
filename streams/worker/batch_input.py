"""Inputs of one batch: the records that are judged together, and the restart of a refused partition."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from aiokafka import ConsumerRecord

from gatekeeper.engine.act import ActRecord
from gatekeeper.engine.handoffs import decides
from gatekeeper.engine.judged import Judged
from gatekeeper.engine.manifest import Taken
from gatekeeper.engine.sends import taken
from gatekeeper.knowledge.meeting import POSTAL
from gatekeeper.ledger.entries import Entry
from gatekeeper.ledger.fact_logs import FactLogs
from schemas.events import CampaignAct, PairedAct
from schemas.manifests import Skipped
from schemas.record import Record
from streams.client.batches import as_record
from streams.worker.intake import InputRange

CLASS = b"confirmation"
ESCAPED = b"\\u00"
"""The beginning of an escaped Latin letter: a value that has one may say `confirmation` in other bytes."""


@dataclass(slots=True)
class BatchInput:
    """Records that are judged together.

    `touched`: people whose clearances are judged again. `waiting`: the records of `review` for waiting items of these
    people. `counted`: the releases on all partitions are known, so those among `acts` can be counted. `asked`: the
    questions on all partitions are known.
    """

    sends: InputRange[ConsumerRecord]
    acts: InputRange[ActRecord]
    touched: list[str]
    waiting: list[ConsumerRecord]
    counted: bool = False
    asked: bool = False

    @property
    def empty(self) -> bool:
        """True if there is nothing to judge."""
        return not (self.sends.records or self.acts.records or self.touched)

    @property
    def asks(self) -> bool:
        """True if a record may put a question to somebody by post, or erases somebody who may have been asked."""
        records = (as_record(one) for one in (*self.sends.records, *self.waiting) if _may_ask(one.value or b""))
        return any(map(_asks, records)) or any(map(_acts_on_asks, self.acts.records))

    def needs_facts(self, counts: Callable[[ActRecord], bool]) -> bool:
        """True if facts bear on the batch; False if the next act only cancels a campaign (`counts`: see `cancels`)."""
        if self.sends.records or self.touched:
            return True
        return bool(self.acts.records) and not cancels(self.acts, counts)


@dataclass(frozen=True, slots=True)
class Restart:
    """Restart of a refused partition, as its first transaction records it.

    `took`: the position of each input, with the offsets of records without a manifest; those `records` are already
    written. `entries`: entries that the ledger lacks according to the audit records. `skipped`: the ranges after these
    that a person leaves undecided. `facts`: the topics of facts that the head names further while another refusal
    follows, None without one.
    """

    took: Sequence[Taken]
    records: Sequence[Judged]
    entries: Sequence[Entry]
    skipped: Sequence[Skipped]
    facts: FactLogs | None = None


def cancels(acts: InputRange[ActRecord], counts: Callable[[ActRecord], bool]) -> bool:
    """Tells whether the next act cancels a campaign, or is a hand-off that a later act cancels.

    Facts do not matter then.

    `counts`: tells whether an act has a signer by the people known so far. Only such acts need no facts.
    """
    first, *behind = [record.act if bears(record, counts) else None for record in acts.records] or [None]
    return not decides(first, behind)


def _may_ask(value: bytes) -> bool:
    return CLASS in value or ESCAPED in value


def _asks(record: Record, *, anyway: bool = False) -> bool:
    """True for a question by post. `anyway`: whatever the class of the send."""
    try:
        send = taken(record, None).model
    except Exception:  # also a defect of ours, which withholds this one and must not stop the others
        return False
    return send.channel == POSTAL and (anyway or send.message_class == "confirmation")


def _acts_on_asks(asked: ActRecord) -> bool:
    if isinstance(asked.act, PairedAct):
        return asked.act.kind == "erase"
    return asked.about is not None and asked.act is not None and _asks(asked.about, anyway=asked.act.kind == "ask")


def bears(asked: ActRecord, counts: Callable[[ActRecord], bool]) -> bool:
    """True for an act that counts, or that facts bear on anyway."""
    return not isinstance(asked.act, CampaignAct) or counts(asked)
