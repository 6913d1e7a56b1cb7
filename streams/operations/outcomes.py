"""The worker's answer to an act that stands beside a fact: recorded, or refused, on each partition of the act."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic

import orjson

from gatekeeper.audit.records import record as audit
from gatekeeper.settings import Settings
from streams.client.publisher import RecordMetadata
from streams.client.reader import Reader

TICK_SECONDS = 0.25
GOOD = "recorded"


@dataclass(slots=True)
class Outcome:
    """The answers to one act.

    `waiting`: the ids of the audit records that have not come, with their partitions. `refused`: the code of a refusal,
    or of a failure; None without one. `id`: the id of one of these records, by which it can be explained.
    """

    waiting: dict[str, int]
    id: str = ""
    refused: str | None = None
    seen: set[str] = field(default_factory=set)

    def take(self, value: bytes | None) -> None:
        """Takes in a record of `audit`."""
        with suppress(*audit.FOREIGN):
            found = orjson.loads(value or b"")
            act, did = found["act"], found["did"]
            if did in self.waiting:
                del self.waiting[did]
                self.seen.add(act["outcome"])
                if act["outcome"] != GOOD:
                    self.refused, self.id = str(act["code"]), did


def ends(settings: Settings) -> Mapping[int, int]:
    """The ends of `audit`, to be read before the act is written: its answer comes after them."""
    with Reader(settings) as reader:
        return reader.ends("audit")


def of(settings: Settings, places: list[RecordMetadata], starts: Mapping[int, int], *, seconds: float) -> Outcome:
    """The answers to the act at these places, as far as they come within `seconds` after the last one.

    `starts`: the result of `ends` before the act was written.
    """
    waiting = {audit.did(settings.topic("acts"), one.partition, one.offset, "act"): one.partition for one in places}
    found = Outcome(waiting, id=next(iter(waiting), ""))
    told_at = monotonic()
    with Reader(settings) as reader:
        for records in reader.coming("audit", starts, seconds=TICK_SECONDS):
            before = len(found.waiting)
            for record in records:
                found.take(record.value)
            if len(found.waiting) != before:
                told_at = monotonic()
            if not found.waiting or monotonic() - told_at > seconds:
                break
    return found
