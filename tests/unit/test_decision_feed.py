"""Decisions for those who wait for them: of the send itself, and of no other stage."""

from __future__ import annotations

import asyncio
import json

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


def test_records_of_other_stages_and_strange_ones_then_nobody_is_answered_by_them() -> None:
    async def run() -> None:
        settings = Settings(broker="127.0.0.1:1")
        feed = DecisionFeed(settings, Clients(settings))
        with feed.kept():
            for one in (record(1, stage="handoff"), record(1, b"{"), record(1, b'{"did":1}')):
                feed._apply(AUDIT, one)
            assert await feed.decisions([(0, 1)], seconds=0) == {}
            feed._apply(AUDIT, record(1))
            assert (await feed.decisions([(0, 1)], seconds=0))[0, 1].verdict == "clear"

    asyncio.run(run())
