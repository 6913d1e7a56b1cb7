"""Result of judging one record, and the cause of its audit record."""

from __future__ import annotations

from typing import Any

import msgspec

from gatekeeper.audit.records.record import did
from gatekeeper.ledger.entries import Entry
from schemas.audit import Stage
from schemas.record import Output, Record


class Judged(msgspec.Struct, frozen=True):
    """Result of judging one record: its outputs, and the one audit record that every record gets.

    `result`: the record of `results`, None if no outcome of a send changed.
    `verdict`: None if nothing was decided, for example if an act only closes an item. `entries`: for the ledger.
    `misplaced`: Kafka's own partitioner would have chosen another partition. `failed`: a defect of ours withheld the
    send. `channel`, `message_class`: of a send that could be read.
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
    result: Output | None = None
    channel: str = ""
    message_class: str = ""

    @property
    def written(self) -> tuple[Output, ...]:
        """The outputs with the result."""
        return self.outputs if self.result is None else (*self.outputs, self.result)


class Cause(msgspec.Struct, frozen=True):
    """Input and stage of an audit record.

    `id`: the decision's. `origin`: the place of the input. `raw`: its bytes, None if they are not available.
    """

    id: str
    stage: Stage
    origin: dict[str, Any]
    raw: bytes | None = None

    @classmethod
    def of(cls, record: Record, stage: Stage, which: str = "") -> Cause:
        """The cause that a record is. `which`: tells apart the decisions of a record that leads to several."""
        id_ = did(record.topic, record.partition, record.offset, stage, which, record.era)
        return cls(id_, stage, origin(record), record.value)


def origin(record: Record) -> dict[str, Any]:
    """The place of a record, in the form of an audit record."""
    place = {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": max(record.timestamp, 0),
    }
    return {**place, "era": record.era} if record.era else place
