"""Decisions for those who wait for them: none is missed, and nothing is kept for nobody."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

from aiokafka import ConsumerRecord, TopicPartition

from gatekeeper.ground.settings import Settings
from streams.serving.decision_feed import DecisionFeed
from streams.worker.clients import Clients

AUDIT = TopicPartition("mail.audit.v1", 0)


def record(offset: int, value: bytes | None = None, **more: str) -> ConsumerRecord:
    """An audit record of the send at this offset of partition 0."""
    source = {"topic": "mail.sends.v1", "partition": 0, "offset": offset, "timestamp": 1}
    fields = {"did": "D", "src": source, "verdict": "clear", "reasons": [], "stage": "intake", "at": "now", **more}
    given = json.dumps(fields).encode() if value is None else value
    return ConsumerRecord(AUDIT.topic, 0, offset, 1, 1, b"D", given, None, 1, len(given), ())


def tried(test: Callable[[DecisionFeed], Awaitable[None]]) -> None:
    async def run() -> None:
        settings = Settings(broker="127.0.0.1:1")
        await test(DecisionFeed(settings, Clients(settings)))

    asyncio.run(run())


def test_records_of_other_stages_and_strange_ones_then_nobody_is_answered_by_them() -> None:
    async def test(feed: DecisionFeed) -> None:
        with feed.kept():
            feed._apply(AUDIT, record(1, stage="handoff"))
            feed._apply(AUDIT, record(1, b"{"))
            feed._apply(AUDIT, record(1, b'{"did":1}'))
            assert await feed.decisions([(0, 1)], seconds=0) == {}

    tried(test)
