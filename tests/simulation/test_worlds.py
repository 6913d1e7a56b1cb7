"""Worlds of one worker to which one thing happens that the drawn ones seldom meet."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from itertools import pairwise, takewhile
from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest
from aiokafka import TopicPartition

from gatekeeper.engine.sends import Judge
from gatekeeper.ledger import entries
from gatekeeper.ledger.entries import Entry
from schemas.topics import DAY_MS
from streams.worker import batch
from tests.simulation.log import Refusal
from tests.simulation.loop import EPOCH_MS, run
from tests.simulation.simulation import Simulation, replaced, until
from tests.support.clearances import cleared

PAUSE_SECONDS = 4.0
REFUSED_SECONDS = 60
NUMBER = 1
TRIED_AGAIN_SECONDS = 130
ENDED = [cleared(until=EPOCH_MS - 2 * DAY_MS, recipient_id=f"E-{number}") for number in range(40)]
KEPT = [entries.ask(f"K-{number}", "Q", {"request_id": "Q"}) for number in range(40)]
Lived = Callable[[Callable[[Simulation], Awaitable[None]]], None]


@pytest.fixture
def lived(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Lived:
    """Has something happen in a world of one worker, which has not begun."""
    monkeypatch.setattr("tests.simulation.simulation.WORKERS", 1)

    def live(happens: Callable[[Simulation], Awaitable[None]]) -> None:
        async def work() -> None:
            await happens(Simulation(1, tmp_path))

        with replaced(1):
            run(work, Random(1))

    return live


def test_ended_entries_and_no_sends_then_all_go_in_a_minute_but_none_at_first(lived: Lived) -> None:
    async def happens(it: Simulation) -> None:
        tp = TopicPartition(it.settings.topic("ledger"), 0)
        log = it.kafka.logs[tp]
        for one in (*ENDED, *KEPT):
            it.kafka.produce(None, None, tp, [(one.key, one.value, ())])
        begin = log.end
        it.begin()
        await asyncio.sleep(60)
        written = [entry for entry in log.entries[begin:] if entry is not None]
        first = [one.record for one in takewhile(lambda one: one.kind == "data", written)]
        assert [one.key for one in first if one] == [b"head"], "its time alone shows how old the ledger's copy is"
        gone = [Entry(one.record.key or b"", None) for one in written if one.record and one.record.value is None]
        assert sorted(gone) == sorted(Entry(one.key, None) for one in ENDED)

    lived(happens)


def test_a_leader_that_refuses_records_and_markers_then_the_other_partition_goes_on(
    lived: Lived, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has too few replicas for one partition."""

    async def happens(it: Simulation) -> None:
        it.begin()
        await asyncio.sleep(10)
        loop, kafka, refusing = asyncio.get_running_loop(), it.kafka, True
        hurt, other = (TopicPartition(it.settings.topic("audit"), number) for number in (1, 0))
        append, mark = kafka.logs[hurt].append, kafka.mark

        def refused(*what: Any, **more: Any) -> Any:
            if refusing:
                raise Refusal("NOT_ENOUGH_REPLICAS")
            return append(*what, **more)

        def marked(name: str, tp: TopicPartition) -> None:
            if tp == hurt and refusing:
                loop.call_later(1.0, marked, name, tp)  # the coordinator asks again, without end
            else:
                mark(name, tp)

        monkeypatch.setattr(kafka.logs[hurt], "append", refused)
        monkeypatch.setattr(kafka, "mark", marked)
        written = [loop.time()]
        for _ in range(REFUSED_SECONDS * 2):
            before = kafka.logs[other].end
            it.company.write("sends", it.company.sends(4))
            await asyncio.sleep(0.5)
            if kafka.logs[other].end > before:
                written.append(loop.time())
        assert max(later - first for first, later in pairwise([*written, loop.time()])) < PAUSE_SECONDS
        refusing = False
        await asyncio.sleep(100)
        assert it.left() == []
        assert not any(worker.ended for worker in it.workers)

    lived(happens)


@pytest.mark.parametrize("topic", ["sends", "acts"])
def test_a_record_that_is_a_defect_then_its_partition_alone_stands_until_two_pass_it(
    topic: str, lived: Lived, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Our own code raises on it, whatever is done."""
    poison = b'{"a defect": true}'

    def raising(right: Any, of: Any) -> Any:
        def judged(*what: Any, **more: Any) -> Any:
            if of(what).value == poison:
                raise ZeroDivisionError
            return right(*what, **more)

        return judged

    monkeypatch.setattr(Judge, "judge", raising(Judge.judge, lambda what: what[1]))
    monkeypatch.setattr(batch, "handling", raising(batch.handling, lambda what: what[0]))

    async def happens(it: Simulation) -> None:
        company = it.company
        stands = TopicPartition(it.settings.topic(topic), NUMBER)

        def word(by: str) -> None:
            act = company.resumption(NUMBER, by)
            assert act is not None
            company.put(act[0], [act[1]])

        it.begin()
        await asyncio.sleep(10)
        company.write("sends", company.sends(8))
        company.put(stands, [(b"P-1" if topic == "sends" else None, poison, ())])
        company.write("sends", company.sends(8))
        await until(lambda: (found := company.note(NUMBER)) is not None and found.record is not None)
        offset = next(one.offset for one in it.kafka.logs[stands].committed() if one.value == poison)
        found = company.note(NUMBER)
        assert found is not None
        assert (found.key, found.record) == ("error.partition_defect", (stands.topic, offset))
        await asyncio.sleep(30)
        assert all(f"/{NUMBER}/" in place for place in it.left()), "the other one goes on"
        for _ in range(2):
            word("hanako")
            for _ in range(TRIED_AGAIN_SECONDS * 20):
                await asyncio.sleep(0.05)
                assert company.note(NUMBER) is not None, "one person is not enough, and the note stays all the time"
        word("taro")
        await until(lambda: company.note(NUMBER) is None and not it.left())
        await asyncio.sleep(30)
        it.check()
        (skipped,) = (
            one
            for each in it.kafka.logs[TopicPartition(it.settings.topic("manifests"), NUMBER)].committed()
            for one in orjson.loads(each.value or b"").get("skipped", ())
        )
        assert (skipped["topic"], skipped["to"], skipped["by"]) == (stands.topic, offset + 1, "taro")
        assert not any(worker.ended for worker in it.workers)

    lived(happens)
