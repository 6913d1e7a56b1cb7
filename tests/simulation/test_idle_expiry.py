"""Ended entries of a partition to which nothing is sent: deleted before long, and none before the first commit."""

from __future__ import annotations

import asyncio
from itertools import takewhile
from pathlib import Path
from random import Random

import pytest
from aiokafka import TopicPartition

from gatekeeper.ledger import entries
from gatekeeper.ledger.entries import Entry
from schemas.topics import DAY_MS
from tests.simulation.loop import EPOCH_MS, run
from tests.simulation.simulation import Simulation, replaced
from tests.support.clearances import cleared

ENDED = [cleared(until=EPOCH_MS - 2 * DAY_MS, recipient_id=f"E-{number}") for number in range(40)]
KEPT = [entries.ask(f"K-{number}", "Q", {"request_id": "Q"}) for number in range(40)]


def test_ended_entries_and_no_sends_then_all_go_in_a_minute_but_none_at_first(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tests.simulation.simulation.WORKERS", 1)

    async def work() -> None:
        simulation = Simulation(1, tmp_path)
        tp = TopicPartition(simulation.settings.topic("ledger"), 0)
        log = simulation.kafka.logs[tp]
        for one in (*ENDED, *KEPT):
            simulation.kafka.produce(None, None, tp, [(one.key, one.value, ())])
        begin = log.end
        simulation.begin()
        await asyncio.sleep(60)
        written = [entry for entry in log.entries[begin:] if entry is not None]
        first = [one.record for one in takewhile(lambda one: one.kind == "data", written)]
        assert [one.key for one in first if one] == [b"head"], "its time alone shows how old the ledger's copy is"
        gone = [Entry(one.record.key or b"", None) for one in written if one.record and one.record.value is None]
        assert sorted(gone) == sorted(Entry(one.key, None) for one in ENDED)

    with replaced(1):
        run(work, Random(1))
