"""The decisions on sends as workers commit them, for whoever waits for one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import msgspec
import structlog
from aiokafka import ConsumerRecord, TopicPartition

from gatekeeper.ground.settings import Settings
from schemas.audit import Mode, Stage
from schemas.decision import Verdict
from schemas.topics import logical_name
from streams.worker.clients import Clients
from streams.worker.log_follower import LogFollower

log = structlog.get_logger(__name__)

SendPlace = tuple[int, int]
"""Partition and offset of a send."""
MAX_RECENT = 50_000
"""Decisions kept for sends whose acknowledgement is still on its way."""


class _DecidedSend(msgspec.Struct):
    topic: str
    partition: int
    offset: int


class _ReasonCode(msgspec.Struct):
    code: str


class CommittedDecision(msgspec.Struct):
    """The fields of an audit record that say how a send was decided.

    `clearance`: the earlier decision that cleared the same piece, None without one. `clearance_event`: the event id of
    its send.
    """

    did: str
    src: _DecidedSend
    verdict: Verdict | None
    reasons: list[_ReasonCode]
    stage: Stage
    at: str
    mode: Mode = "live"
    clearance: str | None = None
    clearance_event: str | None = None


_READER = msgspec.json.Decoder(CommittedDecision)


class _Wait:
    """Sends of one request, and the decisions on them so far."""

    def __init__(self, places: Sequence[SendPlace]) -> None:
        self.wanted, self.found = set(places), dict[SendPlace, CommittedDecision]()
        self.complete = asyncio.Event()

    def take(self, place: SendPlace, decision: CommittedDecision) -> None:
        """Takes one decision."""
        self.found[place] = decision
        if len(self.found) == len(self.wanted):
            self.complete.set()


class DecisionFeed(LogFollower):
    """Follows `audit` from its end, for those who wait. It keeps the last decisions while somebody may wait for one."""

    def __init__(self, settings: Settings, clients: Clients) -> None:
        super().__init__(settings, clients, ("audit",))
        self._writing = 0
        self._recent: dict[SendPlace, CommittedDecision] = {}
        self._waits: dict[SendPlace, _Wait] = {}

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Keeps the decisions that come meanwhile. Begin before the send is written, so that none is missed."""
        self._writing += 1
        try:
            yield
        finally:
            self._writing -= 1
            if not self._writing:
                self._recent.clear()

    async def decisions(self, places: Sequence[SendPlace], *, seconds: float) -> dict[SendPlace, CommittedDecision]:
        """The decisions on these sends that are committed within so many seconds; call it inside of `kept`."""
        wait = _Wait(places)
        for place in places:
            if (decision := self._recent.pop(place, None)) is not None:
                wait.take(place, decision)
            else:
                self._waits[place] = wait
        try:
            async with asyncio.timeout(seconds):
                await wait.complete.wait()
        except TimeoutError:
            pass
        finally:
            for place in wait.wanted - wait.found.keys():
                self._waits.pop(place, None)
        return wait.found

    async def _starts(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        return await self.ends.stable(partitions)

    def _apply(self, tp: TopicPartition, record: ConsumerRecord) -> None:
        """Hands on the decision on a send. Strange records are passed over: they decide nothing."""
        if not self._writing:
            return
        try:
            decision = _READER.decode(record.value or b"")
        except msgspec.DecodeError:
            log.warning("audit_record_strange", partition=tp.partition, offset=record.offset)
            return
        if decision.stage != "intake" or logical_name(decision.src.topic) != "sends":
            return
        place = decision.src.partition, decision.src.offset
        if (wait := self._waits.pop(place, None)) is not None:
            wait.take(place, decision)
        else:
            self._recent[place] = decision
            if len(self._recent) > MAX_RECENT:
                del self._recent[next(iter(self._recent))]
