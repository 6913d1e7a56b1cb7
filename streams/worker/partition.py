"""One owned partition of `sends`, and the acts of its number, from assignment to revocation: turn after turn.

A failure is of a partition and of a turn. What is not certain ends the turn, and the next one reads back what was
committed. What the log contradicts refuses the partition until it is mended or a person says how to go on, and the
others are judged meanwhile. Only what is common to all partitions ends the process.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable

import structlog
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    KafkaError,
    ProducerFenced,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)

from gatekeeper.errors import GatekeeperError, IntegrityError, RestartError, UsageError
from gatekeeper.ledger.refused import Refused
from streams.worker.batch import Tools
from streams.worker.chunks import Chunk
from streams.worker.turn import Turn

log = structlog.get_logger(__name__)

FORBIDDEN = (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)
"""What Kafka raises where the worker's user lacks a right; aiokafka gives them no class of their own."""
COMMON = ("error.ledger_of_other_mode", "error.master_missing", "error.master_differs", "error.shadow_sends")
"""What contradicts the settings or the keys, which all partitions share: the process ends with it."""
AGAIN_SECONDS = (0.1, 5.0)
"""The next turn begins so soon after a failure; each failed one without a commit doubles it, up to the second."""
REFUSED_SECONDS = 10.0
"""A refused partition is looked at again this often: what hung may have ended, or a person has said how to go on."""


class Partition:
    """Owns one partition from `start` to `stop`; `pause` and `start` again go on where it was, if that is certain."""

    def __init__(
        self,
        number: int,
        tools: Tools,
        *,
        on_failure: Callable[[BaseException], None],
        on_refusal: Callable[[IntegrityError], None],
    ) -> None:
        """`on_failure` hears of what is none of this partition alone, `on_refusal` of what refuses it."""
        self.number = number
        self.refused: Refused | None = None
        """Why nothing of it is judged until it is mended, or a person says how to go on."""
        self._tools, self._on_failure, self._on_refusal = tools, on_failure, on_refusal
        self._turn: Turn | None = None
        self._noted = ""
        self._task: asyncio.Task[None] | None = None

    @property
    def waits_for(self) -> str | None:
        """Why nothing is judged at the moment; None when all is well."""
        return self._turn.waits_for if self._turn is not None else "take_over"

    @property
    def failing(self) -> bool:
        """Tells whether so many of the last decisions failed that somebody should look."""
        return self._turn is not None and self._turn.failing

    def start(self) -> None:
        """Begins to own the partition, or goes on."""
        self._task = asyncio.create_task(self._live(), name=f"partition-{self.number}")
        self._task.add_done_callback(self._heed)

    def offer(self, chunk: Chunk) -> None:
        """Takes a chunk of the current assignment; without a turn it is left, and read again."""
        if self._turn is not None:
            self._turn.offer(chunk)
        else:
            self._tools.credit.give(chunk.partition, len(chunk.records), chunk.size)

    async def pause(self) -> None:
        """Judges nothing more; the commit in flight gets a moment to finish. What is not certain then is forgotten."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._turn is not None and not self._turn.clean:
            await self._end()

    async def stop(self) -> None:
        """Gives the partition up."""
        await self.pause()
        await self._end()

    async def _live(self) -> None:
        least, most = AGAIN_SECONDS
        wait = least
        while True:
            try:
                turn = self._turn or Turn(self.number, self._tools)
                if self._turn is None:
                    self._turn = turn
                    await turn.begin()
                    self.refused, self._noted = None, ""
                await turn.work()
            except ProducerFenced:
                # whoever has it now is right, or Kafka ended a transaction that took too long; the group tells in time
                self._tell("turn_fenced")
                pause = self._tools.settings.session_timeout
            except Exception as error:
                if self._is_common(error):
                    raise
                if isinstance(error, KafkaError | OSError | TimeoutError | RestartError):
                    self._tell("turn_ended", error)
                    wait = least if turn.worked else min(wait * 2, most)
                    pause = wait
                elif await self._refuse(error):
                    pause = REFUSED_SECONDS
                else:
                    self._tell("turn_fenced")
                    pause = self._tools.settings.session_timeout
            await self._end()
            await asyncio.sleep(pause)

    @staticmethod
    def _is_common(error: Exception) -> bool:
        """Tells whether the error is none of this partition alone."""
        if isinstance(error, IntegrityError):
            return error.key in COMMON
        return isinstance(error, (*FORBIDDEN, UsageError)) or getattr(error, "key", "") == "error.nothing_delivered"

    async def _refuse(self, error: Exception) -> bool:
        """Refuses the partition, and says so in the log and beside the group's offset for all who look from outside.

        Returns False where it has another owner by now: then we may have read one half before it wrote, and the other
        half behind it, and nothing is refused.
        """
        refusal = error if isinstance(error, IntegrityError) else self._defect(error)
        refused = Refused.of(refusal, since=self.refused.since if self.refused else self._tools.clock.now())
        note = refused.encode()
        if self._turn is not None and note != self._noted:
            try:
                await self._turn.note(note)
            except ProducerFenced:
                return False
            except Exception as unwritten:  # the next turn tries again
                log.warning("refusal_unwritten", partition=self.number, error=type(unwritten).__name__)
            else:
                self._noted = note
        self.refused = refused
        self._tell("partition_refused", refusal)
        self._on_refusal(refusal)
        return True

    def _defect(self, error: Exception) -> IntegrityError:
        """Returns what a defect of ours is told as: its type and place, never its message, which may quote a record."""
        frame = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno}"
        topic = self._tools.settings.topic("sends")
        return IntegrityError(
            "error.partition_defect", topic=topic, partition=self.number, error=type(error).__name__, place=place
        )

    def _tell(self, event: str, error: Exception | None = None) -> None:
        """Logs where the next turn goes on: what stands there is what to look at."""
        head = self._turn.head if self._turn else None
        reason = str(error) if isinstance(error, GatekeeperError) else type(error).__name__ if error else None
        tell = log.error if event == "partition_refused" else log.warning
        for topic, offset in (("sends", head and head.sends), ("acts", head and head.acts)):
            tell(event, topic=self._tools.settings.topic(topic), partition=self.number, offset=offset, reason=reason)

    def _heed(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._on_failure(error)

    async def _end(self) -> None:
        turn, self._turn = self._turn, None
        if turn is not None:
            await turn.end()
