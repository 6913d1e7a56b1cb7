"""What became of one record, and what its audit record is about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gatekeeper.audit.records.record import did
from gatekeeper.ledger.entries import Entry
from schemas.audit import Stage
from schemas.record import Output, Record


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of one record: its outputs, and the one audit record that every record gets.

    `verdict`: None where nothing was told, as of an act that only closes an item. `entries`: what is to be remembered.
    `misplaced`: Kafka's own partitioner would have put its recipient elsewhere. `failed`: a defect of ours withheld it.
    """

    outputs: tuple[Output, ...]
    audit: bytes
    did: str
    verdict: str | None = None
    codes: tuple[str, ...] = ()
    dead: bool = False
    misplaced: bool = False
    failed: bool = False
    entries: tuple[Entry, ...] = ()


@dataclass(frozen=True, slots=True)
class Cause:
    """The input that an audit record is about, and at which stage.

    `id`: the decision's. `origin`: where the input stands. `raw`: its bytes, None where they are not at hand.
    """

    id: str
    stage: Stage
    origin: dict[str, Any]
    raw: bytes | None = None

    @classmethod
    def of(cls, record: Record, stage: Stage, which: str = "") -> Cause:
        """The cause that a record is; `which`: what it is about, where one record leads to many decisions."""
        id_ = did(record.topic, record.partition, record.offset, stage, which)
        return cls(id_, stage, origin(record), record.value)


def origin(record: Record) -> dict[str, Any]:
    """Where a record stands, as its audit record says it."""
    return {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": max(record.timestamp, 0),
    }
