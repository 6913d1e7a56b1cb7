"""Each alert about restarts, console and webhooks fires for its cause, by the real pages of these processes.

Those about the worker, facts and proof are in tests/simulation. A full disk is told by others than us.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from aiohttp import ClientSession

from gatekeeper.console import queue_metrics
from gatekeeper.console.state import Console
from gatekeeper.ground.metrics import PARTITION_OWNED
from gatekeeper.ground.metrics_page import Metrics, page
from gatekeeper.ground.times import span
from gatekeeper.webhooks import runner
from gatekeeper.webhooks.endpoints import Endpoint
from gatekeeper.webhooks.outbox import Outbox
from gatekeeper.webhooks.runner import Backlogs, queues, ready
from schemas.topics import DAY_MS
from schemas.webhooks import WEBHOOK_TYPES, PartitionRefusedWebhook, RefusedPartition
from streams.worker import workers
from streams.worker.supervisor import Signs
from tests.support.desk import YOUNG, Desk
from tests.support.offline_console import offline_console
from tests.support.scrapes import Scrapes, demand_promtool

BEFORE, AFTER = 20, 22
"""Minutes before the cause, and with it."""
MAILED, HOUR_MS = "2026-12-20", 3_600_000
BESIDE = page({PARTITION_OWNED: {("0",): 1.0}})
"""The page of a worker that has all partitions."""
HOOK = Endpoint("print-house", "https://hooks.example/", WEBHOOK_TYPES, (), ("x",), allow_private=False)


def raised(process: str, shown: Callable[[], bytes | None], cause: Callable[[], object], firing: Sequence[str]) -> str:
    """Tells what is wrong, "" if none of the alerts fires before the cause, and exactly these after it."""
    demand_promtool()
    scrapes = Scrapes(began=0)
    for minute in range(BEFORE + AFTER):
        if minute == BEFORE:
            cause()
        scrapes.take({"worker": BESIDE, process: shown()})
    return scrapes.wrong({BEFORE - 1: [], BEFORE + AFTER - 1: firing})


class Held:
    """A console with one item that waits for a person, at a time that a test sets."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        desk = Desk(*YOUNG)
        desk.send(mail_date=MAILED)
        self.console = offline_console(folder, desk=desk).console
        self.end = span(MAILED, self.console.zone()).last // 1000 + 1
        self.now = self.end - 8 * DAY_MS
        self.follows = True
        """True while its model is current."""
        self.metrics = Metrics()
        self.metrics.find(lambda: queue_metrics.values(self.console))
        patch.setattr(Console, "now", lambda _: self.now)

    def page(self) -> bytes:
        """Shows its page a minute later."""
        self.now += 60_000
        if self.follows:
            self.console.feed.current_at = self.now
        return self.metrics.page()


@pytest.fixture
def held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Held:
    return Held(tmp_path, monkeypatch)


def test_a_console_whose_feed_stands_still_then_its_pages_are_old(held: Held) -> None:
    firing = ['ConsoleOld{job="gatekeeper-console",instance="console"}']
    said = raised("console", held.page, lambda: setattr(held, "follows", False), firing)
    assert not said, said


def test_an_item_that_nobody_decides_then_its_deadline_is_near(held: Held) -> None:
    near = held.end - 23 * HOUR_MS
    said = raised("console", held.page, lambda: setattr(held, "now", near), ['ReviewDeadlineNear{due="1d"}'])
    assert not said, said


class Queue:
    """The outbox of an endpoint, at a time that a test sets."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.outbox = Outbox(folder)
        self.now = 1_795_000_000_000
        patch.setattr(runner, "TOLD_SECONDS", 0.0)
        patch.setattr(runner, "now_ms", lambda: self.now)
        backlogs = Backlogs(folder, (HOOK,))
        self.metrics = Metrics()
        self.metrics.find(lambda: queues((HOOK,), backlogs))
        self.metrics.find(lambda: ready(True, backlogs))

    def put(self) -> None:
        """Queues an event."""
        at = "2026-11-28T00:00:00.000Z"
        data = RefusedPartition(partition=0, reason="error.torn", since=at, resumable=True)
        with self.outbox.change():
            event = PartitionRefusedWebhook(type="partition.refused", timestamp=at, data=data)
            self.outbox.put(event, "evt_1", (HOOK,), now=self.now)


@pytest.fixture
def queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Queue:
    return Queue(tmp_path / "outbox", monkeypatch)


def test_an_event_that_waits_for_more_than_an_hour_then_it_is_undelivered(queue: Queue) -> None:
    queue.put()
    late = queue.now + HOUR_MS + 1_000
    firing = ['WebhooksUndelivered{endpoint="print-house"}']
    said = raised("webhooks", queue.metrics.page, lambda: setattr(queue, "now", late), firing)
    assert not said, said


def test_a_worker_that_its_supervisor_starts_four_times_again_then_it_restarts_often() -> None:
    signs = Signs(2)

    async def joined() -> bytes:
        async with ClientSession() as session:
            return await workers.joined_metrics(session, [], signs)

    def silent() -> None:
        for _ in range(4):
            signs.restarted(0, "silent")

    firing = ['RestartsOften{job="gatekeeper-supervisor",instance="supervisor"}']
    said = raised("supervisor", lambda: asyncio.run(joined()), silent, firing)
    assert not said, said
