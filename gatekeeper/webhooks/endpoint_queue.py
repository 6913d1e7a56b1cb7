"""The queue of one endpoint, in which its events are delivered at its own pace. No queue waits for another."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Protocol, TypeVar

import structlog

from gatekeeper.ground.errors import UnavailableError
from gatekeeper.ground.metrics import WEBHOOKS_DELIVERED, WEBHOOKS_FAILED
from gatekeeper.ground.metrics_page import Metrics
from gatekeeper.webhooks.delivery import GONE, Answer
from gatekeeper.webhooks.outbox import Outbox, Owed
from gatekeeper.webhooks.retries import pause

AT_ONCE = 8
"""Events under way to one endpoint; one, after it has failed."""
POLL_SECONDS = 0.5
"""Seconds between two looks at the queue, which other processes may fill too."""
T = TypeVar("T")
log = structlog.get_logger("webhooks")


class Post(Protocol):
    """Posts an event once (`delivery.Deliverer.post`)."""

    async def __call__(self, id_: str, body: bytes, *, now: int) -> Answer:
        """The outcome."""


class EndpointQueue:
    """Delivers to one endpoint, and counts that in `metrics`.

    `clock`: milliseconds since the epoch; `chance`: a new number from 0 to 1 each time.
    """

    def __init__(
        self,
        endpoint: str,
        outbox: Outbox,
        post: Post,
        *,
        clock: Callable[[], int],
        chance: Callable[[], float],
        metrics: Metrics,
    ) -> None:
        self._endpoint, self._outbox, self._post, self._metrics = endpoint, outbox, post, metrics
        self._clock, self._chance = clock, chance
        self._failures = 0
        self._rests_until = 0

    async def run(self) -> None:
        """Delivers until it is cancelled."""
        while True:
            if not await self.round():
                await asyncio.sleep(POLL_SECONDS)

    async def round(self) -> bool:
        """Tries what is due, some events at once; True if it tried any.

        After a failure the endpoint rests, longer each time. Then one event tries whether it is back.
        """
        now, outbox = self._clock(), self._outbox
        if await self._noted(lambda: outbox.is_gone(self._endpoint)):
            return await self._bury(now)
        if now < self._rests_until:
            return False
        due = await self._noted(lambda: outbox.due(self._endpoint, now, 1 if self._failures else AT_ONCE))
        answers = await asyncio.gather(*(self._post(owed.id, owed.body, now=now) for owed in due))
        asked = 0.0
        for owed, answer in zip(due, answers, strict=True):
            self._metrics.count(WEBHOOKS_DELIVERED if answer.delivered else WEBHOOKS_FAILED, self._endpoint)
            if answer.delivered:
                await self._noted(partial(outbox.delivered, owed))
            elif answer.said == GONE:
                await self._noted(lambda: outbox.leave(self._endpoint, now=self._clock()))
                return await self._bury(self._clock())
            else:
                asked = max(asked, answer.asked_seconds)
                await self._fail(owed, answer)
        if any(answer.delivered for answer in answers):
            self._failures, self._rests_until = 0, 0
        elif due:
            self._failures += 1
            seconds = max(pause(self._failures, self._chance()), asked)
            self._rests_until = self._clock() + int(seconds * 1000)
        return bool(due)

    async def _fail(self, owed: Owed, answer: Answer) -> None:
        now = self._clock()
        seconds = max(pause(owed.tries + 1, self._chance()), answer.asked_seconds)
        next_ = now + int(seconds * 1000)
        dead = await self._noted(lambda: self._outbox.failed(owed, answer.said, now=now, next_=next_))
        about = {"endpoint": self._endpoint, "webhook": owed.id, "answer": answer.said, "tries": owed.tries + 1}
        log.log(40 if dead else 30, "webhook_dead" if dead else "webhook_failed", **about)

    async def _bury(self, now: int) -> bool:
        """Moves a part of the waiting events to the dead letters; True if there was any."""
        n = await self._noted(lambda: self._outbox.give_up(self._endpoint, GONE, now=now))
        if n:
            log.error("webhook_gone", endpoint=self._endpoint, n=n)
            await asyncio.sleep(0)
        return n > 0

    async def _noted(self, act: Callable[[], T]) -> T:
        """The result of an act on the outbox. Waits for it while the disk refuses, or another process holds the file.

        So an event that the endpoint has taken is not posted once more.
        """
        logged = False
        while True:
            try:
                return act()
            except UnavailableError as error:
                if not logged:
                    log.warning("webhooks_wait", endpoint=self._endpoint, error=error.key)
                logged = True
                await asyncio.sleep(POLL_SECONDS)
