"""All facts read again once a week, slowly, and compared with those that this worker applied.

A worker goes on from its files. So it would not see that a compaction took a record in the middle of a topic.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from threading import Event

import structlog

from gatekeeper.ground.errors import GatekeeperError
from gatekeeper.ground.settings import Settings
from schemas.topics import DAY_MS
from streams.client import fact_reading
from streams.client.read_log import ReadLog
from streams.client.reader import Reader
from streams.worker.facts import Followers

log = structlog.get_logger(__name__)

EVERY_MS = 7 * DAY_MS
"""Milliseconds from one reading to the next."""
LOOK_SECONDS = 60.0
RECORDS_A_SECOND = 1_000
"""Records that are read, at most, so that decisions are not held up: ten million in three hours."""
STEP = 100


class _StoppedError(Exception):
    """Raised in the thread when the worker ends."""


async def run(settings: Settings, followers: Followers) -> None:
    """Reads all facts again when it is time, until cancelled; a difference ends the process as `Followers.lose` does.

    The time of the last reading is kept with the facts, so a restart does not put it off.
    """
    stopped = Event()
    try:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if not followers.as_of or followers.as_of < followers.reread_at + EVERY_MS:
                continue
            began, logs = followers.as_of, followers.logs()
            try:
                other = await asyncio.to_thread(_other, settings, logs, stopped)
            except GatekeeperError as error:
                log.warning("facts_unread", reason=str(error))
            else:
                if other is not None:
                    return await followers.lose(*other)
                followers.reread(began)
                log.info("facts_reread", n=sum(read_log.content.records for of in logs.values() for read_log in of))
    finally:
        stopped.set()


def _other(settings: Settings, logs: Mapping[str, Sequence[ReadLog]], stopped: Event) -> tuple[str, int] | None:
    """Topic and partition of the first log that no longer holds what was read of it; None if all do."""
    done = 0

    def passed(count: int) -> None:
        nonlocal done
        done += count
        if done % STEP == 0 and stopped.wait(STEP / RECORDS_A_SECOND):
            raise _StoppedError

    with Reader(settings) as reader:
        reading = fact_reading.read(
            reader, {topic: [(read_log.position,) for read_log in of] for topic, of in logs.items()}, passed
        )
    places = ((topic, number, read_log) for topic, of in logs.items() for number, read_log in enumerate(of))
    return next(
        ((topic, number) for topic, number, read_log in places if not reading.holds(topic, number, read_log)), None
    )
