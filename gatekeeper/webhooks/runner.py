"""Runs `gatekeeper webhooks run`: one thread looks for events, and the loop delivers them by a queue each."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import random
from time import monotonic, time
from typing import Any

import structlog

from gatekeeper.ground.atomic_store import AtomicStore
from gatekeeper.ground.errors import GatekeeperError, UnavailableError
from gatekeeper.ground.metrics import LOG_READABLE, READY, WEBHOOKS_DEAD, WEBHOOKS_OLDEST, WEBHOOKS_WAITING, Values
from gatekeeper.ground.metrics_page import Metrics
from gatekeeper.ground.settings import Settings
from gatekeeper.http import metrics_server
from gatekeeper.webhooks.delivery import Deliverer
from gatekeeper.webhooks.endpoint_queue import EndpointQueue
from gatekeeper.webhooks.endpoints import Endpoint
from gatekeeper.webhooks.outbox import KEPT_MS, Backlog, Outbox
from gatekeeper.webhooks.watch import Watch
from streams.client.reader import Reader
from streams.operations import fleet
from streams.worker.health import serve_health
from streams.worker.process_exit import fail

LOOK_SECONDS = 1.0
STOP_SECONDS = 30.0
PAUSE_SECONDS = 2.0
LATE_MS = 60_000
"""Milliseconds since the last complete look up to which /readyz answers 200."""
FORGET_MS = 3_600_000
BUSY_SECONDS = 0.1
"""Seconds for which the loop waits for a transaction of another process. Then queues wait, and the loop goes on."""
TOLD_SECONDS = 5.0
"""Seconds for which pages tell the same numbers, because counting a long queue takes time."""
log = structlog.get_logger("webhooks")


def now_ms() -> int:
    """Milliseconds since the epoch."""
    return int(time() * 1000)


class Watcher(threading.Thread):
    """Thread that looks for events. It goes on after an error that may pass; any other error is its `end`."""

    def __init__(self, settings: Settings, endpoints: Sequence[Endpoint], *, since: int | None) -> None:
        super().__init__(name="webhooks-watch", daemon=True)
        self.end: Exception | None = None
        self.read_at = 0
        """The time when a look last found nothing left to read, in milliseconds."""
        self._settings, self._endpoints = settings, endpoints
        self._outbox = Outbox(Path(settings.webhooks_data))
        self._watch = Watch(settings, self._outbox, endpoints, now_ms, since=since)
        self._over = threading.Event()
        self._forgot_at = 0

    def stop(self) -> None:
        """Stops the thread, and waits until it has ended, for STOP_SECONDS at most: it ends with the process."""
        self._over.set()
        if self.is_alive():
            self.join(STOP_SECONDS)
            if self.is_alive():
                log.warning("webhooks_watch_silent", seconds=STOP_SECONDS)

    def run(self) -> None:
        """Looks until it is stopped."""
        while not self._over.is_set() and self.end is None:
            try:
                self._follow()
            except UnavailableError as error:
                log.warning("webhooks_wait", error=error.key)
                self._over.wait(PAUSE_SECONDS)
            except Exception as error:  # the process ends with it
                self.end = error
        self._outbox.close()

    def _follow(self) -> None:
        with Reader(self._settings) as reader:
            self._watch.begin(reader)
            while not self._over.is_set():
                if self._watch.look(reader):
                    self.read_at = now_ms()
                    self._over.wait(LOOK_SECONDS)
                self._forget(now_ms())

    def _forget(self, now: int) -> None:
        """Forgets what is old, a part after each look until nothing is left, and then again after FORGET_MS."""
        if now - self._forgot_at < FORGET_MS:
            return
        for endpoint in self._endpoints:
            if n := self._outbox.give_up(endpoint.id, now=now, before=now - KEPT_MS):
                log.error("webhook_old", endpoint=endpoint.id, n=n)
                return
        if self._outbox.forget(now, [endpoint.id for endpoint in self._endpoints]):
            self._forgot_at = now

    @property
    def ready(self) -> bool:
        """True if it found nothing left to read a short while ago."""
        return self.is_alive() and now_ms() - self.read_at < LATE_MS


class Backlogs:
    """The backlog of each endpoint, counted at most every TOLD_SECONDS, however many ask for pages."""

    def __init__(self, folder: Path, endpoints: Sequence[Endpoint]) -> None:
        self._folder, self._endpoints = folder, endpoints
        self._backlogs: Mapping[str, Backlog] = {}
        self._until = 0.0
        self._lock = threading.Lock()

    def read(self) -> Mapping[str, Backlog]:
        """The backlogs by endpoint; any thread may ask. Raises as `Outbox` does."""
        with self._lock:
            if monotonic() >= self._until:
                outbox = Outbox(self._folder)
                try:
                    self._backlogs = {endpoint.id: outbox.backlog(endpoint.id) for endpoint in self._endpoints}
                finally:
                    outbox.close()
                self._until = monotonic() + TOLD_SECONDS
            return self._backlogs

    def told(self) -> Mapping[str, Any]:
        """The part of /readyz about each endpoint; raises as `Outbox` does."""
        return {
            id_: {
                "waiting": backlog.waiting,
                "tried": backlog.tried,
                "dead": backlog.dead,
                "gone": backlog.gone is not None,
            }
            for id_, backlog in self.read().items()
        }


def run(
    settings: Settings, endpoints: Sequence[Endpoint], *, since: int | None, started: Callable[[int], None]
) -> None:
    """Delivers until SIGTERM or Ctrl-C; calls `started` with the port of its health page.

    Raises UnavailableError (3) if another process has the folder, the port is taken, or no broker answers at the start.
    Raises UsageError (2) for a folder of other topics.
    """
    metrics = metrics_server.measured(settings)
    with AtomicStore(Path(settings.webhooks_data)).alone():
        with Reader(settings) as reader:
            reader.ends("recalls")  # report an unreachable broker at once
        watcher = Watcher(settings, endpoints, since=since)
        backlogs = Backlogs(Path(settings.webhooks_data), endpoints)
        metrics.find(lambda: queues(endpoints, backlogs))
        metrics.find(lambda: ready(watcher.ready, backlogs))
        metrics.find(lambda: log_readable(settings, endpoints))
        try:
            number = asyncio.run(_deliver(settings, endpoints, watcher, started, metrics, backlogs))
        except GatekeeperError:
            raise
        except Exception as error:
            fail(error)  # a traceback could quote a record
    if number == signal.SIGINT:
        raise KeyboardInterrupt


def ready(looks: bool, backlogs: Backlogs) -> Values:
    """The metric of readiness, 0 if the outbox cannot be read. `looks`: the watcher is up to date."""
    try:
        backlogs.read()
    except Exception:  # the queues' own metrics log it
        looks = False
    return {READY: {(): float(looks)}}


def log_readable(settings: Settings, endpoints: Sequence[Endpoint]) -> Values:
    """The metric of the sealed log, 0 if it cannot be read here. None if no endpoint asks about its seal."""
    if not any(endpoint.wants("seal.late", None) for endpoint in endpoints):
        return {}
    seal = fleet.seal(settings)
    return {LOG_READABLE: {(): float(seal is None or seal.error is None)}}


def queues(endpoints: Sequence[Endpoint], backlogs: Backlogs) -> Values:
    """The metrics of the queues; any thread may ask. Raises as `Backlogs.read` does."""
    now, states = now_ms(), backlogs.read()
    return {
        WEBHOOKS_WAITING: {
            (endpoint.id, kind): float(states[endpoint.id].types.get(kind, 0))
            for endpoint in endpoints
            for kind in {*endpoint.events, *states[endpoint.id].types}
        },
        WEBHOOKS_OLDEST: {
            (id_,): (now - backlog.oldest) / 1000 for id_, backlog in states.items() if backlog.oldest is not None
        },
        WEBHOOKS_DEAD: {(id_,): float(backlog.dead) for id_, backlog in states.items()},
    }


async def _ended(watcher: Watcher) -> None:
    while watcher.is_alive():
        await asyncio.to_thread(watcher.join, LOOK_SECONDS)


async def _deliver(
    settings: Settings,
    endpoints: Sequence[Endpoint],
    watcher: Watcher,
    started: Callable[[int], None],
    metrics: Metrics,
    backlogs: Backlogs,
) -> int:
    """Delivers until a signal comes, and returns its number; raises the error that ended watcher or queue."""
    loop = asyncio.get_running_loop()
    over: asyncio.Queue[int] = asyncio.Queue()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, over.put_nowait, number)
    outbox = Outbox(Path(settings.webhooks_data), busy=BUSY_SECONDS)

    async def readiness() -> Mapping[str, Any]:
        return {"ready": watcher.ready, "endpoints": await asyncio.to_thread(backlogs.told)}

    port = await serve_health(settings.model_copy(update={"http_port": settings.webhooks_port}), readiness)
    watcher.start()
    started(port)
    async with contextlib.AsyncExitStack() as opened:
        posts = {endpoint.id: (await opened.enter_async_context(Deliverer(endpoint))).post for endpoint in endpoints}
        deliveries = [
            EndpointQueue(id_, outbox, post, clock=now_ms, chance=random, metrics=metrics)
            for id_, post in posts.items()
        ]
        tasks = [asyncio.create_task(queue.run()) for queue in deliveries]
        tasks.append(asyncio.create_task(_ended(watcher)))
        ended = asyncio.create_task(over.get())
        done, _ = await asyncio.wait([*tasks, ended], return_when=asyncio.FIRST_COMPLETED)
        for task in (*tasks, ended):
            task.cancel()
        await asyncio.gather(*tasks, ended, return_exceptions=True)
    await asyncio.to_thread(watcher.stop)
    outbox.close()
    for task in done:
        task.result()  # raises the error that ended a queue
    if watcher.end is not None:
        raise watcher.end
    return ended.result()
