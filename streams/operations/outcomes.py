"""The worker's answer to an act that stands beside a fact: recorded, or refused, on each partition of the act."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

import orjson

from gatekeeper.audit.checks.accounts import OWN
from gatekeeper.audit.records import record as audit
from gatekeeper.ground.settings import Settings
from schemas.topics import logical_name
from streams.client import progress
from streams.client.publisher import RecordMetadata
from streams.client.reader import Reader

TICK_SECONDS = 0.25
GOOD = "recorded"


@dataclass(slots=True)
class Outcome:
    """The answers to one act.

    `waiting`: the places of the act (partition and offset) whose audit record has not come. `refused`: the code of a
    refusal, or of a failure; None without one. `id`: the id of one of these records, by which it can be explained.
    """

    waiting: set[tuple[int, int]]
    id: str = ""
    refused: str | None = None
    seen: set[str] = field(default_factory=set)

    def take(self, value: bytes | None) -> None:
        """Takes in a record of `audit`."""
        with suppress(*audit.FOREIGN):
            record = orjson.loads(value or b"")
            act, place = record["act"], answered(record)
            if place in self.waiting:
                self.waiting.remove(place)
                self.seen.add(act["outcome"])
                self.id = self.id or record["did"]
                if act["outcome"] != GOOD:
                    self.refused, self.id = str(act["code"]), record["did"]


def answered(record: Mapping[str, Any]) -> tuple[int, int] | None:
    """The place (partition and offset) of the act whose own audit record this is; None for any other record."""
    src = record["src"]
    own = record["stage"] in OWN["acts"] and logical_name(src["topic"]) == "acts"
    return (src["partition"], src["offset"]) if own else None


def ends(settings: Settings) -> Mapping[int, int]:
    """The ends of `audit`, to be read before the act is written: its answer comes after them."""
    with Reader(settings) as reader:
        return reader.ends("audit")


def of(settings: Settings, places: list[RecordMetadata], starts: Mapping[int, int], *, seconds: float) -> Outcome:
    """The answers to the act at these places, as far as they come within `seconds` after the last one.

    `starts`: the result of `ends` before the act was written.
    """
    outcome = Outcome({(place.partition, place.offset) for place in places})
    told_at = monotonic()
    with Reader(settings) as reader:
        for records in reader.coming("audit", starts, seconds=TICK_SECONDS):
            before = len(outcome.waiting)
            for record in records:
                outcome.take(record.value)
            if len(outcome.waiting) != before:
                told_at = monotonic()
            if not outcome.waiting or monotonic() - told_at > seconds:
                break
        if outcome.waiting and not outcome.id:
            number, offset = min(outcome.waiting)
            head = progress.read(reader).get(number)
            era = head.era("acts") if head else 0
            outcome.id = audit.did(settings.topic("acts"), number, offset, "act", era=era)
    return outcome
