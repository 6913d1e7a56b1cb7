"""The topic `asked` cannot be read in time: its questions wait, nothing else does, and they go on by themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from gatekeeper.ledger import entries
from streams.worker import batch_input
from streams.worker.releases import Asked
from tests.simulation.loop import run
from tests.simulation.simulation import Simulation, replaced
from tests.support import invented

UNREAD_SECONDS = 40
PAUSE_SECONDS = 4.0
"""Seconds between two decisions on ordinary sends, at most, while somebody writes two a second."""
Work = Callable[[Simulation], Coroutine[Any, Any, None]]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[Work], None]:
    """Runs a work in a world of one worker. Somebody of another id was asked there before."""
    monkeypatch.setattr("tests.simulation.simulation.WORKERS", 1)

    def ran(work: Work) -> None:
        async def whole() -> None:
            simulation = Simulation(1, tmp_path)
            said = entries.question(
                "P-99", "Q", [invented.token("cp-9")], controller_id="C1", at="2026-11-01T10:00:00Z"
            )
            for number in range(2):
                tp = TopicPartition(simulation.settings.topic("asked"), number)
                simulation.kafka.produce(None, None, tp, [(said.key, said.value, ())])
            simulation.begin()
            await asyncio.sleep(10)
            await work(simulation)

        with replaced(1):
            run(whole, Random(1))

    return ran


def questions(simulation: Simulation, number: int) -> list[tuple[bytes, bytes, tuple[()]]]:
    """Returns a question by post of a platform to each person of whom data were bought."""
    bought = [person.id for person in simulation.company.people.values() if person.kind == "bought"]
    more = {"message_class": "confirmation", "source_id": "S-1", "campaign_id": f"K-ask-{number}"}
    return [
        (
            name.encode(),
            orjson.dumps(
                invented.send(event_id=f"ask-{number}-{name}", recipient_id=name, request_id=f"Q-{number}", **more)
            ),
            (),
        )
        for name in bought
    ]


def told(simulation: Simulation) -> dict[str, list[dict[str, Any]]]:
    """Returns the audit records of each send, by its event id."""
    found: dict[str, list[dict[str, Any]]] = {}
    for number in range(2):
        log = simulation.kafka.logs[TopicPartition(simulation.settings.topic("audit"), number)]
        for one in log.committed():
            said = orjson.loads(one.value or b"")
            if said.get("send"):
                found.setdefault(said["send"]["event_id"], []).append(said)
    return found


def waits(records: list[dict[str, Any]]) -> bool:
    """Tells whether the last decision on a question waits for the topic."""
    return "unread/asked" in records[-1]["facts"]["unreadable"]


async def sent(simulation: Simulation, seconds: int) -> float:
    """Writes ordinary sends for so long; returns the longest time in which none was decided on a partition."""
    loop = asyncio.get_running_loop()
    logs = [simulation.kafka.logs[TopicPartition(simulation.settings.topic("audit"), number)] for number in range(2)]
    ends, written = [log.end for log in logs], [[loop.time()] for _ in logs]
    for _ in range(seconds * 2):
        simulation.company.write("sends", simulation.company.sends(8))
        await asyncio.sleep(0.5)
        for number, log in enumerate(logs):
            if log.end > ends[number]:
                ends[number] = log.end
                written[number].append(loop.time())
    return max(later - first for times in written for first, later in pairwise([*times, loop.time()]))


def test_topic_unread_then_questions_alone_wait_and_go_on_by_themselves(
    world: Callable[[Work], None],
) -> None:
    async def work(simulation: Simulation) -> None:
        worker, topic = simulation.workers[0], simulation.settings.topic("asked")
        simulation.network.withhold(worker.name, topic, UNREAD_SECONDS)
        paused = 0.0
        for number in range(3):
            simulation.company.write("sends", questions(simulation, number))
            paused = max(paused, await sent(simulation, 10))
        asked = {name: records for name, records in told(simulation).items() if name.startswith("ask-")}
        assert paused < PAUSE_SECONDS
        assert len(asked) == len(questions(simulation, 0)) * 3
        assert all(map(waits, asked.values()))
        await asyncio.sleep(60)
        asked = {name: records for name, records in told(simulation).items() if name.startswith("ask-")}
        assert not any(map(waits, asked.values()))
        assert {records[-1]["act"]["by"] for records in asked.values()} == {"gatekeeper"}

    world(work)


@pytest.mark.parametrize("failing", [False, True])
def test_each_reading_is_slow_or_fails_at_first_then_it_counts_once_it_is_there(
    world: Callable[[Work], None], monkeypatch: pytest.MonkeyPatch, *, failing: bool
) -> None:
    right, tries = Asked._read, list[float]()

    async def slow(self: Asked) -> float:
        tries.append(0.0)
        if failing and len(tries) < 9:
            raise KafkaError
        begun = await right(self)
        await asyncio.sleep(2.0)
        return begun

    monkeypatch.setattr(Asked, "_read", slow)

    async def work(simulation: Simulation) -> None:
        simulation.company.write("sends", questions(simulation, 0))
        await asyncio.sleep(30)
        asked = [records for name, records in told(simulation).items() if name.startswith("ask-")]
        assert len(asked) == len(questions(simulation, 0))
        assert any(waits(records[:1]) for records in asked), "the first one was late"
        assert not any(map(waits, asked))

    world(work)


def test_no_send_asks_by_post_then_nobody_reads_the_topic(
    world: Callable[[Work], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(self: Asked) -> float:
        pytest.fail("somebody reads it")

    async def work(simulation: Simulation) -> None:
        monkeypatch.setattr(Asked, "known", never)
        named = {"campaign_id": "confirmation-1", "recipient_id": "P-1"}
        by_mail = {"message_class": "confirmation", "channel": "email", "source_id": "S-1", "request_id": "Q"}
        rows = [invented.send(event_id="advert", **named), invented.send(event_id="mail", **{**named, **by_mail})]
        simulation.company.write("sends", [(b"P-1", orjson.dumps(row), ()) for row in rows])
        await asyncio.sleep(5)
        assert {"advert", "mail"} <= told(simulation).keys()
        assert not any(worker.ended for worker in simulation.workers)

    world(work)


def test_our_own_code_raises_on_a_question_then_it_waits_and_the_batch_goes_on(
    world: Callable[[Work], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_input, "taken", lambda *_: 1 / 0)

    async def work(simulation: Simulation) -> None:
        simulation.company.write("sends", questions(simulation, 0))
        assert await sent(simulation, 5) < PAUSE_SECONDS
        asked = [records for name, records in told(simulation).items() if name.startswith("ask-")]
        assert len(asked) == len(questions(simulation, 0))
        assert all(map(waits, asked))

    world(work)


def test_the_topic_lost_its_end_then_what_comes_there_now_is_read(world: Callable[[Work], None]) -> None:
    async def work(simulation: Simulation) -> None:
        tp = TopicPartition(simulation.settings.topic("asked"), 1)
        log, index = simulation.kafka.logs[tp], simulation.workers[0].gate.context.asked.questions
        simulation.company.write("sends", questions(simulation, 0))
        await asyncio.sleep(5)
        said = log.committed()[0].value or b""
        log.put_back(0)
        simulation.company.put(tp, [(b"asked/P-98/Q", said, ())])
        await asyncio.sleep(5)
        simulation.company.write("sends", questions(simulation, 1))
        await asyncio.sleep(5)
        found = index.naming(orjson.loads(said)["tokens"], "C1", "P-1")
        assert "P-98" in {one.recipient_id for one in found}

    world(work)
