"""The decisions on sends as workers commit them, for whoever waits for one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import msgspec
import structlog
from aiokafka import ConsumerRecord, TopicPartition

from gatekeeper.settings import Settings
from schemas.audit import Mode, Stage
from schemas.decision import Verdict
from schemas.topics import logical_name
from streams.worker.clients import Clients
from streams.worker.log_follower import LogFollower

log = structlog.get_logger(__name__)

SendPlace = tuple[int, int]
"""Partition and offset of a send."""


class _DecidedSend(msgspec.Struct):
    topic: str
    partition: int
    offset: int


class _ReasonCode(msgspec.Struct):
    code: str


class CommittedDecision(msgspec.Struct):
    """The fields of an audit record that say how a send was decided.

    `clearance`: the earlier decision that cleared the same piece; None if there is none.
    """

    did: str
    src: _DecidedSend
    verdict: Verdict | None
    reasons: list[_ReasonCode]
    stage: Stage
    at: str
    mode: Mode = "live"
    clearance: str | None = None


_READER = msgspec.json.Decoder(CommittedDecision)


class DecisionFeed(LogFollower):
    """Follows `audit` from its end. It keeps decisions only while somebody waits for one."""

    def __init__(self, settings: Settings, clients: Clients) -> None:
        super().__init__(settings, clients, ("audit",))
        self._waiting = 0
        self._found: dict[SendPlace, CommittedDecision] = {}

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Keeps all decisions that come meanwhile. Begin before the send is written, so that none is missed."""
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1
            if not self._waiting:
                self._found.clear()

    async def decisions(self, places: Sequence[SendPlace], *, seconds: float) -> dict[SendPlace, CommittedDecision]:
        """The decisions on these sends that were committed within so many seconds; call it inside of `kept`."""
        wanted = set(places)
        try:
            async with asyncio.timeout(seconds), self._moved:
                while not wanted <= self._found.keys():
                    await self._moved.wait()
        except TimeoutError:
            pass
        return {place: self._found[place] for place in wanted & self._found.keys()}

    async def _starts(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        return await self.ends.stable(partitions)

    def _apply(self, tp: TopicPartition, record: ConsumerRecord) -> None:
        """Keeps the decision on a send. Strange records are passed over: they decide nothing."""
        if not self._waiting:
            return
        try:
            found = _READER.decode(record.value or b"")
        except msgspec.DecodeError:
            log.warning("audit_record_strange", partition=tp.partition, offset=record.offset)
            return
        if found.stage == "intake" and logical_name(found.src.topic) == "sends":
            self._found.setdefault((found.src.partition, found.src.offset), found)
