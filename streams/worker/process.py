"""The worker's process: starts in the right order, answers health questions, and stops without half-done work."""

from __future__ import annotations

import asyncio
import gc
import os
import shutil
import signal
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import faust
import structlog

from gatekeeper.ground.errors import RestartError
from gatekeeper.ground.settings import Settings
from gatekeeper.store.faults import Faults
from streams.client import admin, group, people, progress
from streams.worker import decided_line, open_transactions, rereading
from streams.worker.app import create_app
from streams.worker.health import serve_health
from streams.worker.kept_facts import KeptFacts
from streams.worker.kept_ledger import KeptLedgers
from streams.worker.process_exit import fail

log = structlog.get_logger(__name__)

COLLECT = 10_000, 20, 20
"""Thresholds of Python's garbage collector. The defaults run it constantly, as each send loads a person's facts."""


async def start(app: faust.App) -> asyncio.Task[None]:
    """Starts the followers and the gate's pages, then Faust. The result is the task that runs until the app stops."""
    await asyncio.gather(app.followers.start(app.gate.facts_ended), app.gate.start())
    app.telling = asyncio.create_task(open_transactions.tell(app.gate.context.settings, app.followers), name="holders")
    app.rereading = asyncio.create_task(rereading.run(app.gate.context.settings, app.followers), name="rereading")
    app.finalize()
    app.in_worker = True
    ready = asyncio.Event()

    async def started(*_: Any) -> None:
        ready.set()

    app.on_startup_finished = started

    async def run() -> None:
        await app.start()
        await app.wait_until_stopped()

    running = asyncio.create_task(run())
    waiting = asyncio.create_task(ready.wait())
    # without a time limit: a machine with a tenth of a core also starts, and /readyz shows its progress
    await asyncio.wait([running, waiting], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    shutil.rmtree(app.scratch, ignore_errors=True)
    if running.done():
        running.result()
    return running


async def stop(app: faust.App) -> None:
    """Lets the commits in flight finish, releases the partitions and leaves the group, so that others continue."""
    await app.gate.revoked()
    await app.stop()
    await asyncio.gather(asyncio.to_thread(group.leave, app.gate.context.settings), app.gate.stop())
    app.telling.cancel()
    app.rereading.cancel()
    await app.followers.stop()


async def _work(settings: Settings, listening: Sequence[socket.socket]) -> int:
    await asyncio.to_thread(admin.demand, settings)
    heads = await asyncio.to_thread(progress.of_mode, settings)
    await asyncio.to_thread(people.demand, settings)
    faults = Faults()
    kept = await asyncio.to_thread(KeptFacts.of, settings, faults) if settings.data else None
    ledgers = await asyncio.to_thread(KeptLedgers.of, settings, faults) if settings.data else None
    app = create_app(settings, kept=kept, ledgers=ledgers)
    app.followers.expected = heads

    async def readiness() -> Mapping[str, Any]:
        report: Mapping[str, Any] = app.gate.readiness()
        return report

    port = await serve_health(settings, readiness, metrics=app.gate.measured, listening=listening)
    loop = asyncio.get_running_loop()
    stopping: asyncio.Future[int] = loop.create_future()

    def asked_to_stop(code: int) -> None:
        if not stopping.done():
            stopping.set_result(code)

    loop.add_signal_handler(signal.SIGTERM, asked_to_stop, 0)
    loop.add_signal_handler(signal.SIGINT, asked_to_stop, 130)
    starting: asyncio.Future[Any] = asyncio.create_task(start(app))
    await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        starting.cancel()
        await asyncio.to_thread(group.leave, settings)  # the worker may have joined already
        return stopping.result()
    running = starting.result()
    gc.freeze()  # existing objects stay, so the collector need not look through them again
    gc.set_threshold(*COLLECT)
    log.info("worker_started", worker=settings.worker, broker=settings.bootstrap, port=port, mode=settings.mode)
    if kept is not None:
        kept.tell_unheld()
    if settings.mode == "shadow":
        log.warning("shadow_nothing_goes_out", worker=settings.worker, mode=settings.mode)
    telling = asyncio.create_task(decided_line.tell(app.gate.context.line, app.gate.lag), name="decided-line")
    await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if not stopping.done():
        await app.gate.transport_ended(running.exception() or RestartError("error.faust_stopped"))
    await stop(app)
    telling.cancel()
    await asyncio.gather(telling, return_exceptions=True)
    log.info("worker_stopped", worker=settings.worker, code=stopping.result())
    return stopping.result()


def run(
    settings: Settings, *, listening: Sequence[socket.socket] = (), begin: Callable[[], None] | None = None
) -> None:
    """Runs the worker until a signal and ends the process: 0 after SIGTERM, 130 after SIGINT, else the error's code.

    `listening`: sockets for the health page, instead of those of the settings. `begin`: called first, in the
    worker's loop.
    """

    async def to_the_end() -> None:
        if begin is not None:
            begin()
        try:
            code = await _work(settings, listening)
        except Exception as error:
            fail(error)
        os._exit(code)  # here and not after the loop, so that the rest of Faust does not delay the end

    asyncio.run(to_the_end())
