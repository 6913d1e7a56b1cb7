"""Several workers on one machine, each in a process of its own, and one health page that sums them up.

Each has a member id, facts on the disk and clients of its own, as if alone on its machine.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping, Sequence
from functools import partial, reduce
from typing import Any

import structlog
from aiohttp import ClientError, ClientSession, ClientTimeout

from gatekeeper.ground import log as logs
from gatekeeper.ground.metrics import PROCESS_RESTARTS
from gatekeeper.ground.metrics_page import joined, page
from gatekeeper.ground.settings import Settings
from streams.worker import process
from streams.worker.health import BACKLOG, listen, port_of, serve_health
from streams.worker.supervisor import CAUSES, Signs, supervise

log = structlog.get_logger(__name__)

ANSWER_SECONDS = 1.0
"""Seconds that a worker has to answer; whoever asks all of them waits no longer."""
LOOPBACK = "127.0.0.1"
_OWN = ("partitions", "facts_fresh", "waiting", "refused")
"""Of a worker's answer, the parts that say for which process they are."""


def run(settings: Settings, count: int) -> int:
    """Runs `count` workers until a signal; the result is the exit code, as of `supervise`.

    The member id of each is GATEKEEPER_WORKER with a dot and its number, from 0 on.
    Raises UnavailableError (3) if it cannot listen.
    """
    listening = asyncio.run(listen(settings))
    own = [socket.create_server((LOOPBACK, 0), backlog=BACKLOG) for _ in range(count)]
    signs = Signs(count + 1)
    works = [partial(_work, settings, signs, number, listener) for number, listener in enumerate(own)]
    ports = [port_of([listener]) for listener in own]
    log.info("workers_started", n=count, port=port_of(listening))
    return supervise([*works, partial(_answer, signs, listening, ports, settings)], signs)


def _work(settings: Settings, signs: Signs, number: int, listening: socket.socket) -> None:
    logs.configure(settings.log_level, process=number)
    named = settings.model_copy(update={"worker": settings.worker and f"{settings.worker}.{number}"})
    process.run(named, listening=[listening], begin=partial(signs.give, number))


def _answer(signs: Signs, listening: Sequence[socket.socket], ports: Sequence[int], settings: Settings) -> None:
    """Answers the health page for all workers; its own number is the one after theirs."""

    async def answered() -> None:
        signs.give(len(ports))
        async with ClientSession(timeout=ClientTimeout(total=ANSWER_SECONDS)) as session:

            async def readiness() -> dict[str, Any]:
                answers = await asyncio.gather(*(_asked(session, port) for port in ports))
                numbers = range(len(ports))
                return summed(answers, [*map(signs.pid, numbers)], [*map(signs.code, numbers)])

            measured = partial(joined_metrics, session, ports, signs)
            await serve_health(settings, readiness, metrics=measured, listening=listening)
            await asyncio.Event().wait()

    logs.configure(settings.log_level, process=len(ports))
    asyncio.run(answered())


async def _asked(session: ClientSession, port: int) -> dict[str, Any] | None:
    """The answer of a worker's own page, None without one in time."""
    try:
        async with session.get(f"http://{LOOPBACK}:{port}/readyz") as answer:
            report: dict[str, Any] = await answer.json()
            return report
    except (ClientError, TimeoutError, OSError, ValueError):
        return None


async def joined_metrics(session: ClientSession, ports: Sequence[int], signs: Signs) -> bytes:
    """The metrics of the workers on these ports as one page, with their restarts.

    A worker that does not answer is left out, but for its restarts.
    """
    pages = await asyncio.gather(*(_read(session, port) for port in ports))
    answered = [(str(number), content) for number, content in enumerate(pages) if content is not None]
    return joined([*answered, *((str(number), _restarts(signs, number)) for number in range(len(ports) + 1))])


def _restarts(signs: Signs, number: int) -> str:
    """The page about a process that the supervisor knows; a cause begins at 0, so that its first restart counts."""
    counted = dict.fromkeys(CAUSES, 0) | signs.restarts(number)
    return page({PROCESS_RESTARTS: {(cause,): n for cause, n in counted.items()}}).decode()


async def _read(session: ClientSession, port: int) -> str | None:
    """The metrics of a worker's own page, None without an answer in time."""
    try:
        async with session.get(f"http://{LOOPBACK}:{port}/metrics") as answer:
            return await answer.text() if answer.status == 200 else None
    except (ClientError, TimeoutError, OSError, ValueError):
        return None


def summed(
    answers: Sequence[Mapping[str, Any] | None], pids: Sequence[int | None], codes: Sequence[int | None]
) -> dict[str, Any]:
    """The answer for all workers, in the form of one worker's, with `processes`. All must be ready.

    `answers`: by process, None without one. `pids`, `codes`: as of `Signs`.
    """
    rows = []
    for number, (answer, pid, code) in enumerate(zip(answers, pids, codes, strict=True)):
        row = {"process": number, "pid": pid, "code": code, "ready": None if answer is None else answer["ready"]}
        rows.append(row if answer is None else row | {name: answer[name] for name in _OWN})
    merged: dict[str, Any] = reduce(_joined, (answer for answer in answers if answer is not None), {})
    return {**merged, "ready": all(row["ready"] for row in rows), "processes": rows}


def _joined(one: Any, other: Any) -> Any:
    """Two values of one place as one: all true, the greater number, all in order, else the first. None is none."""
    if one is None or other is None:
        return other if one is None else one
    if isinstance(one, bool):
        return one and other
    if isinstance(one, int):
        return max(one, other)
    if isinstance(one, Mapping):
        return {**one, **{name: _joined(one[name], value) if name in one else value for name, value in other.items()}}
    if isinstance(one, list):
        values = [*one, *(value for value in other if value not in one)]
        return values if any(isinstance(value, Mapping) for value in values) else sorted(values)
    return one
