"""Pieces missing from `cleared`, requested by acts: cleared according to the audit, not present and not recalled."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from time import monotonic, sleep
from typing import Any

import orjson

from gatekeeper.audit.checks.accounts import put_out
from gatekeeper.audit.records.record import FOREIGN
from gatekeeper.ground.errors import UnavailableError
from gatekeeper.ground.settings import Settings
from schemas.codec import Unreadable, decode, encode
from schemas.decision import DID_PATTERN
from schemas.events import Reemission, Send
from schemas.events.acts import SourcePlace
from schemas.topics import CLEARED_DAYS, DAY_MS, logical_name
from schemas.values import ID_PATTERN
from streams.client import fact_with_act
from streams.client.publisher import Publisher
from streams.client.reader import Reader

WINDOW = 500
"""Acts written at once, at most."""
TICK_SECONDS = 0.25


@dataclass(slots=True)
class Missing:
    """A clearance that is not on `cleared`: its partition, its bytes' place, and the last act that rewrote it.

    `item`: the decision that a release cleared, whose record on `review` holds the bytes. `offset`: the offset on
    `sends`.
    """

    partition: int
    offset: int | None
    item: str | None
    after: str | None = None
    source: SourcePlace | None = None
    send: Send | None = None


@dataclass(slots=True)
class LostRecords:
    """Missing pieces, by decision id; `present`: number of pieces that are there."""

    present: int = 0
    missing: dict[str, Missing] = field(default_factory=dict)

    @property
    def gone(self) -> list[str]:
        """The decision ids whose bytes are nowhere any more."""
        return sorted(did for did, piece in self.missing.items() if piece.source is None)

    @property
    def askable(self) -> int:
        """The number of pieces that can be written again."""
        return sum(piece.source is not None and piece.send is not None for piece in self.missing.values())


def find(reader: Reader, *, now: int, taken: Callable[[], object] = lambda: None) -> LostRecords:
    """The pieces cleared within the retention of `cleared` that are neither there nor recalled.

    `now`: milliseconds. `taken`: called for each record of `audit` and `cleared`.
    """
    since = now - CLEARED_DAYS * DAY_MS
    expected: dict[str, Missing] = {}
    for record in reader.read("audit", since=since):
        taken()
        with suppress(*FOREIGN):
            _cleared(expected, record.partition, orjson.loads(record.value or b""))
    for record in reader.read("recalls"):
        with suppress(*FOREIGN):
            expected.pop(str(orjson.loads(record.value or b"")["decision_id"]), None)
    # records on their way must have arrived, or they would be written twice
    ends, lost = reader.settled("cleared"), LostRecords()
    for number, start in reader.starts("cleared").items():
        for record in reader.between("cleared", partition=number, start=start, end=ends[number]):
            taken()
            lost.present += expected.pop(record.header("gate-decision-id"), None) is not None
    lost.missing = expected
    _sources(reader, lost)
    return lost


def _cleared(expected: dict[str, Missing], partition: int, audited: dict[str, Any]) -> None:
    """Takes in an audit record that cleared a piece, or had it written again; ignores other records.

    Raises one of FOREIGN for a record not signed by a worker: no act may hold its ids.
    """
    out = put_out(audited)
    if out is None or out[0] != "cleared":
        return
    act, src = audited.get("act"), audited["src"]
    _demand(DID_PATTERN, out[1])
    if act is not None and act["outcome"] == "reemitted":
        _demand(ID_PATTERN, act["act_id"])
        if out[1] in expected:
            expected[out[1]].after = act["act_id"]
        return
    item = act["item"] if act else None
    if logical_name(src["topic"]) == "sends":
        _demand("[0-9]+", str(src["offset"]))
        expected[out[1]] = Missing(partition, src["offset"], item)
    else:
        _demand(ID_PATTERN, item)
        expected[out[1]] = Missing(partition, None, item)


def _demand(form: str, value: Any) -> None:
    if not re.fullmatch(form, value):
        raise ValueError("not of a worker")


def _sources(reader: Reader, lost: LostRecords) -> None:
    """Looks for the bytes of missing pieces."""
    by_place = {(piece.partition, piece.offset): piece for piece in lost.missing.values() if piece.offset is not None}
    by_item = {piece.item: piece for piece in lost.missing.values() if piece.offset is None}
    for topic in ("sends", "review") if by_item else ("sends",) if by_place else ():
        for record in reader.read(topic):
            place, item = (record.partition, record.offset), record.header("gate-decision-id")
            piece = by_place.get(place) if topic == "sends" else by_item.get(item)
            if piece is None or piece.partition != record.partition:
                continue
            try:
                piece.send = decode(topic, record.key, record.value)
            except Unreadable:
                continue
            piece.source = SourcePlace(topic=topic, partition=record.partition, offset=record.offset)


def demand(*, by: str, reason: str) -> None:
    """Raises UsageError (2) with the option whose value no act may hold, never with the value."""
    place = SourcePlace(topic="sends", partition=0, offset=0)
    named = {"recipient_id": "any", "campaign_id": "any", "channel": "postal", "decision_id": "any"}
    fact_with_act.made(Reemission, "reemit", by=by, reason=reason, source=place, **named)


def acts(
    lost: LostRecords, *, by: str, run: str, reason: str = "", clock: Callable[[], str] = fact_with_act.now
) -> Iterator[Reemission]:
    """Yields the acts that request all pieces that can be written again; their ids begin with `run`.

    Each act is dated when it is taken, because the gate refuses one that arrives ten minutes after its date. `clock`:
    gives the present instant.
    """
    for number, (did, piece) in enumerate(sorted(lost.missing.items())):
        if piece.source is None or piece.send is None:
            continue
        yield Reemission(
            v=1,
            kind="reemit",
            act_id=f"{run}.{number}",
            at=clock(),
            by=by,
            recipient_id=piece.send.recipient_id,
            campaign_id=piece.send.campaign_id,
            channel=piece.send.channel,
            decision_id=did,
            source=piece.source,
            after=piece.after,
            reason=reason,
        )


def answers(
    settings: Settings, reader: Reader, asked: Iterator[Reemission], *, rate: int, seconds: float
) -> Iterator[tuple[str, str | None]]:
    """Writes acts, at most `rate` a second, and yields outcome and code of each as the worker answers.

    `asked`: taken window by window, as they are written. Ends when all are answered, or after `seconds` of silence.
    Raises UnavailableError (3) if the broker accepts no more.
    """
    ends, waiting = reader.ends("audit"), set[str]()
    size = max(1, min(WINDOW, rate))  # no more at once than in a second
    with Publisher(settings, "acts") as out:
        while window := list(islice(asked, size)):
            begun = monotonic()
            waiting |= {act.act_id for act in window}
            places = out.write(
                [(act.recipient_id.encode(), encode(act)) for act in window],
                [act.source.partition for act in window],
            )
            if None in places:
                raise UnavailableError("error.broker_unreachable", broker=settings.bootstrap, detail="acts")
            sleep(max(0.0, len(window) / rate - (monotonic() - begun)))
    told_at = monotonic()
    for records in reader.coming("audit", ends, seconds=TICK_SECONDS):
        for record in records:
            try:
                act = orjson.loads(record.value or b"")["act"]
                ours = act["kind"] == "reemit" and act["act_id"] in waiting
                id_, answer = act["act_id"], (act["outcome"], act["code"])
            except FOREIGN:
                continue
            if ours:
                waiting.remove(id_)
                told_at = monotonic()
                yield answer
        if not waiting or monotonic() - told_at > seconds:
            return
