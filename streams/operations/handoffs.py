"""Acts about a campaign on Kafka: one on each partition, and the answers of the partitions' owners."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

import orjson

from gatekeeper.audit.records import record as audit
from gatekeeper.engine.handoffs import CALLED_OFF, PIECES_WAIT
from gatekeeper.ground.settings import Settings
from schemas.codec import Unreadable, decode, encode
from schemas.events import CampaignAct
from schemas.topics import subject_key
from streams.client import fact_with_act
from streams.client.outgoing import Outgoing
from streams.client.publisher import settle, transact
from streams.client.reader import Reader
from streams.operations import outcomes

TICK_SECONDS = 0.25
CLOCKS_MS = 60_000
"""Milliseconds by which the clocks of two brokers may differ; each dates the records that it stores."""


@dataclass(slots=True)
class Run:
    """One act, its place on each partition, and the answers to it so far.

    `waiting`: the places of the act (partition and offset) on partitions that are not reported as done. `handed`: the
    clearances handed off, True if they had been handed off before. `recalled`: the clearances recalled. `refused`: the
    code of a refusal. `called_off`: a later act cancelled the campaign. `pieces_wait`: some are left for the next
    hand-off. `resumed`: the act was written by an earlier call.
    """

    act: CampaignAct
    waiting: set[tuple[int, int]]
    starts: dict[int, int]
    handed: dict[str, bool] = field(default_factory=dict)
    recalled: set[str] = field(default_factory=set)
    refused: str | None = None
    called_off: bool = False
    pieces_wait: bool = False
    resumed: bool = False

    def take(self, value: bytes | None) -> None:
        """Takes in a record of `audit`."""
        with suppress(*audit.FOREIGN):
            record = orjson.loads(value or b"")
            if (act := record.get("act")) and act["act_id"] == self.act.act_id:
                self._take(act, outcomes.answered(record))

    def _take(self, act: dict[str, Any], place: tuple[int, int] | None) -> None:
        if place in self.waiting:
            self.waiting.remove(place)
            self.called_off |= act["code"] == CALLED_OFF
            self.pieces_wait |= act["code"] == PIECES_WAIT
            if act["outcome"] == "refused":
                self.refused = str(act["code"])
        elif act["kind"] == self.act.kind and act["outcome"] == "handed":
            self.handed[act["item"]] = act["code"] == "again"
        elif act["kind"] == self.act.kind and act["outcome"] == "recalled":
            self.recalled.add(act["item"])

    def confirm(self, anew: Run) -> None:
        """Takes the answers to a campaign's later act as final, and keeps the first answer for each piece."""
        ours = {did for did, again in anew.handed.items() if did in self.handed or not again or self.act.again}
        self.handed = {did: self.handed.get(did, anew.handed[did]) for did in ours}
        self.recalled |= anew.recalled
        self.called_off |= anew.called_off
        self.pieces_wait |= anew.pieces_wait


def begin(settings: Settings, reader: Reader, act: CampaignAct) -> Run:
    """Writes the act to every partition, or to none, dated now. The result is its run, still without answers.

    Raises as `streams.client.publisher.transact` does.
    """
    starts = reader.ends("audit")  # an answer comes after its act
    act = act.model_copy(update={"at": fact_with_act.now()})
    key, value = subject_key("acts", act).encode(), encode(act)
    records = [Outgoing("acts", key, value, number) for number in reader.numbers("acts")]
    places = transact(settings, records, name=act.act_id)
    return Run(act, {(place.partition, place.offset) for place in places}, starts)


def resume(settings: Settings, reader: Reader, act_id: str) -> Run | None:
    """The run whose act has this id, None if none was written.

    A commit without an answer is settled first, or it could still appear after a second one.
    """
    settle(settings, act_id)
    places: dict[int, int] = {}
    first: tuple[CampaignAct, int] | None = None
    for record in reader.read("acts"):
        try:
            act = decode("acts", record.key, record.value)
        except Unreadable:
            continue
        if isinstance(act, CampaignAct) and act.act_id == act_id:
            first = first or (act, record.timestamp)
            places.setdefault(record.partition, record.offset)
    if first is None:
        return None
    starts = reader.since("audit", first[1] - CLOCKS_MS)
    return Run(first[0], {*places.items()}, starts, resumed=True)


def answers(reader: Reader, run: Run, *, seconds: float) -> Iterator[Run]:
    """Yields the run after each new answer; ends when every partition is done, or after `seconds` of silence."""
    told_at = monotonic()
    for records in reader.coming("audit", run.starts, seconds=TICK_SECONDS):
        before = len(run.waiting), len(run.handed), len(run.recalled)
        for record in records:
            run.take(record.value)
        if (len(run.waiting), len(run.handed), len(run.recalled)) != before:
            told_at = monotonic()
            yield run
        if not run.waiting or (not records and monotonic() - told_at > seconds):
            return
