"""One owned partition of `sends`, and the acts of its number, from assignment to revocation: turn after turn.

A failure belongs to one partition and one turn. An uncertain result ends the turn, and the next turn reads the
committed state back. A contradiction in the logs refuses the partition until it is repaired or a person says how to go
on. The other partitions are judged meanwhile. Only an error common to all partitions ends the process.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable

import structlog
from aiokafka import ConsumerRecord
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    KafkaError,
    ProducerFenced,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)

from gatekeeper.ground import metrics
from gatekeeper.ground.errors import GatekeeperError, IntegrityError, RestartError, UsageError
from gatekeeper.ledger.refused import SKIPPABLE, Refused
from streams.worker.chunks import Chunk
from streams.worker.ownership_epoch import Known, OwnershipEpoch
from streams.worker.worker_context import WorkerContext

log = structlog.get_logger(__name__)

FORBIDDEN = (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)
"""Errors of Kafka when the worker's user lacks a right; aiokafka gives them no common class."""
COMMON = (
    "error.ledger_of_other_mode",
    "error.master_missing",
    "error.master_differs",
    "error.token_key_differs",
    "error.shadow_sends",
)
"""Contradictions with the settings or the keys, which all partitions share: they end the process."""
OF_THE_MACHINE = ("error.disk", "error.facts_folders_taken", "error.nothing_delivered")
"""Other errors that all partitions share."""
AGAIN_SECONDS = (0.1, 5.0)
"""Seconds until the next turn after a failure; each further failure without a commit doubles it, up to the second."""
REFUSED_SECONDS = (5.0, 60.0)
"""Seconds until a refused partition is tried again, doubled each time up to the second number.

The cause may have ended, or a person may have let it go on.
"""
FRUITLESS = 8
"""Turns without a commit after which the failure is reported as a refusal, because it does not end by itself."""
NOTE_SECONDS = 5.0
LOSS_SECONDS = (0.0, 1.0, 2.0, 4.0, 8.0)
"""Seconds before each try to write down that facts are gone."""
SOUND_SECONDS = 10.0
"""Seconds after which a turn is sound, even if there was nothing to commit."""


class Partition:
    """Owner of one partition from `start` to `stop`; `start` after `pause` continues there if that is certain."""

    def __init__(
        self,
        number: int,
        context: WorkerContext,
        *,
        on_failure: Callable[[BaseException], None],
        on_refusal: Callable[[IntegrityError], None],
    ) -> None:
        """`on_failure` is called with errors that concern all partitions, `on_refusal` with the refusal of this one."""
        self.number = number
        self._context, self._on_failure, self._on_refusal = context, on_failure, on_refusal
        self._refused: Refused | None = None
        self._turn: OwnershipEpoch | None = None
        self._known: Known | None = None
        self._ending: asyncio.Task[None] | None = None
        self._task: asyncio.Task[None] | None = None
        self._paused = False

    @property
    def refused(self) -> Refused | None:
        """The refusal, until the partition is repaired or a person says how to go on; None while it goes on."""
        return None if self._turn is not None and self._turn.worked else self._refused

    @property
    def waits_for(self) -> str | None:
        """The cause why nothing is judged at the moment; None when all is well."""
        return self._turn.waits_for if self._turn is not None else "take_over"

    @property
    def turn(self) -> OwnershipEpoch | None:
        """The present turn, None between two."""
        return self._turn

    @property
    def failing(self) -> bool:
        """Tells whether so many of the last decisions failed that somebody should look."""
        return self._turn is not None and self._turn.failing

    def start(self) -> None:
        """Begins to own the partition, or continues."""
        self._paused = False
        self._task = asyncio.create_task(self._live(), name=f"partition-{self.number}")
        self._task.add_done_callback(self._heed)

    def offer(self, chunk: Chunk[ConsumerRecord]) -> None:
        """Takes a chunk of the current assignment; without a turn the chunk is dropped, and read again."""
        if self._turn is not None:
            self._turn.offer(chunk)
        else:
            self._context.credit.give(chunk.partition, len(chunk.records), chunk.size)

    async def pause(self) -> None:
        """Stops judging; the commit in flight gets a moment to finish. Uncertain results are then forgotten."""
        self._paused = True
        while self._task is not None and not self._task.done():
            self._task.cancel()  # repeated, as a library may swallow a cancellation
            await asyncio.wait({self._task}, timeout=1.0)
        if self._turn is not None and not self._turn.clean:
            self._leave()
        if self._ending is not None:
            await asyncio.gather(self._ending, return_exceptions=True)

    async def stop(self) -> None:
        """Releases the partition."""
        await self.pause()
        await self._end()

    async def _live(self) -> None:
        again, refused, fruitless = AGAIN_SECONDS[0], REFUSED_SECONDS[0], 0
        while not self._paused:
            try:
                if self._turn is None:
                    await self._taken_over()
                assert self._turn is not None
                await self._turn.work()
            except Exception as error:
                if self._is_common(error):
                    raise
                if self._turn is not None and self._turn.worked:
                    again, refused, fruitless = AGAIN_SECONDS[0], REFUSED_SECONDS[0], 0
                    self._refused = None
                fruitless += 1
                if isinstance(error, ProducerFenced):
                    # the present owner is right, or Kafka ended a slow transaction; the group decides in time
                    self._tell("turn_fenced")
                    pause = self._context.settings.session_timeout
                elif isinstance(error, KafkaError | OSError | TimeoutError | RestartError) and fruitless < FRUITLESS:
                    self._tell("turn_ended", error)
                    pause, again = again, min(again * 2, AGAIN_SECONDS[1])
                elif await self._refuse(error):
                    pause, refused = refused, min(refused * 2, REFUSED_SECONDS[1])
                else:
                    self._tell("turn_fenced")
                    pause = self._context.settings.session_timeout
            await self._end()
            await asyncio.sleep(pause)

    async def _taken_over(self) -> None:
        at_work = self._refused if self._refused and self._refused.key in SKIPPABLE else None
        self._turn = turn = OwnershipEpoch(self.number, self._context, at_work, self._known)
        await turn.begin()
        if at_work:
            asyncio.get_running_loop().call_later(SOUND_SECONDS, self._sound, turn)
        else:
            self._refused = None

    def _sound(self, turn: OwnershipEpoch) -> None:
        """Clears a refusal that showed at work, if the turn after it still goes on."""
        if self._turn is turn:
            self._refused = None

    @staticmethod
    def _is_common(error: Exception) -> bool:
        """Tells whether the error concerns all partitions."""
        if isinstance(error, IntegrityError):
            return error.key in COMMON
        return isinstance(error, (*FORBIDDEN, UsageError)) or getattr(error, "key", "") in OF_THE_MACHINE

    async def _refuse(self, error: Exception) -> bool:
        """Refuses the partition, and writes the refusal to the log and beside the group's offset for outside readers.

        False if the partition has another owner by now. We may then have read one half before it wrote and the other
        half after, so nothing is refused.
        """
        refusal = error if isinstance(error, IntegrityError) else self._defect(error)
        refused = self._note(refusal)
        if self._turn is not None:
            try:
                async with asyncio.timeout(NOTE_SECONDS):
                    await self._turn.note(refused.encode())
            except ProducerFenced:
                return False
            except Exception as unwritten:  # the next turn tries again
                log.warning("refusal_unwritten", partition=self.number, error=type(unwritten).__name__)
        self._refused = refused
        self._tell("partition_refused", refusal)
        if refusal.key not in SKIPPABLE:  # that ends with the first commit or a while later, and never the process
            self._on_refusal(refusal)
        return True

    def _note(self, refusal: IntegrityError) -> Refused:
        since = self._refused.since if self._refused else self._context.clock.now()
        return Refused.of(refusal, since=since, lost=self._context.followers.lost_at)

    async def lose(self) -> bool:
        """Releases the partition as facts are gone; True if a refusal beside the group's offset says so."""
        await self.stop()
        for pause in LOSS_SECONDS:
            await asyncio.sleep(pause)
            turn = OwnershipEpoch(self.number, self._context, known=self._known)
            try:
                if await self._noted(turn):
                    return True
            except Exception as unwritten:  # the brokers may only just have started
                log.warning("refusal_unwritten", partition=self.number, error=type(unwritten).__name__)
            finally:
                await turn.end()
        return False

    async def _noted(self, turn: OwnershipEpoch) -> bool:
        """Writes why a take-over is refused; False if it is not."""
        try:
            await turn.begin()
        except IntegrityError as refusal:
            async with asyncio.timeout(NOTE_SECONDS):
                await turn.note(self._note(refusal).encode())
            return True
        return False

    def _defect(self, error: Exception) -> IntegrityError:
        """Another error in the form of a refusal: its type and place, never its message, which may quote a record."""
        suspect = self._turn.suspect if self._turn else None
        topic, offset = suspect or (self._context.settings.topic("sends"), None)
        where = {"topic": topic, "partition": self.number, "offset": offset, "error": type(error).__name__}
        if isinstance(error, KafkaError | OSError | TimeoutError | RestartError):
            return IntegrityError("error.partition_failing", **where)
        frame = traceback.extract_tb(error.__traceback__)[-1]
        return IntegrityError(
            "error.partition_defect", place=f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno}", **where
        )

    def _tell(self, event: str, error: Exception | None = None) -> None:
        """Logs the position of the next turn, which is the place to look at."""
        self._context.metrics.count(metrics.TURNS_ENDED, event)
        head = self._turn.head if self._turn else None
        reason = str(error) if isinstance(error, GatekeeperError) else type(error).__name__ if error else None
        tell = log.error if event == "partition_refused" else log.warning
        for topic, offset in (("sends", head and head.sends), ("acts", head and head.acts)):
            tell(event, topic=self._context.settings.topic(topic), partition=self.number, offset=offset, reason=reason)

    def _heed(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._on_failure(error)

    async def _end(self) -> None:
        """Ends the turn, even if the caller is cancelled meanwhile."""
        self._leave()
        if self._ending is not None:
            await asyncio.shield(self._ending)

    def _leave(self) -> None:
        """Begins to end the turn, in a task of its own, so that none of its clients stays behind."""
        if self._turn is not None:
            self._known = self._turn.known
            self._ending = asyncio.create_task(self._turn.end())
            self._turn = None
