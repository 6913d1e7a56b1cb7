"""The partitions that a worker owns, and its readiness."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import faust
import structlog
from aiokafka import ConsumerRecord
from aiokafka.errors import KafkaError
from faust.types import TP

from gatekeeper.audit.log.branch_files import held
from gatekeeper.ground import metrics
from gatekeeper.ground.atomic_store import AtomicStore
from gatekeeper.ground.errors import GatekeeperError, IntegrityError, UnavailableError, UsageError
from gatekeeper.ground.times import day, instant
from gatekeeper.knowledge.signature_state import signature_state
from gatekeeper.knowledge.store import FactStore
from gatekeeper.knowledge.unregistered_names import ReadWide
from gatekeeper.ledger.topic_ids import INPUTS
from schemas.topics import TOPICS
from streams.client import admin, group
from streams.client.coalesced_request import CoalescedRequest
from streams.worker.chunks import Chunk
from streams.worker.log_follower import VANISHED
from streams.worker.partition import Partition
from streams.worker.send_ends import SendEnds
from streams.worker.worker_context import WorkerContext

log = structlog.get_logger(__name__)

CHECK_SECONDS = 5.0
"""Seconds between attempts to compare the topics with the registry after a failed attempt."""
LOOK_SECONDS = 5.0
"""Seconds between two looks whether a topic was made again, and for one look."""
LAST_LOOK_SECONDS = 60.0
"""Seconds in which a worker whose transport ended still looks whether facts are gone. Brokers may be starting."""
FRESH_MS = 10_000
"""The worker is ready while its facts are known to be complete up to at most this many milliseconds ago."""
PAGE_SECONDS = 1.0
"""Seconds for which a page of metrics is shown again, however many ask for it."""
UNREADABLE = 100
"""Unreadable facts that the readiness page names, at most, and stops that cannot be compared.

The page also names at most this many unregistered names in refusals.
"""
OnFailure = Callable[[BaseException], None]


class Gate:
    """The partitions that this worker owns, from assignment to revocation, fed by the agent."""

    def __init__(self, app: faust.App, context: WorkerContext, on_failure: OnFailure) -> None:
        self.context = context
        self.on_failure = on_failure
        self._app = app
        self._partitions: dict[int, Partition] = {}
        self._generation: int | None = None
        self._revoked_at: float | None = None
        self._checking: asyncio.Task[None] | None = None
        self._looking: asyncio.Task[None] | None = None
        self._losing: asyncio.Task[None] | None = None
        self._ending: asyncio.Task[None] | None = None
        self._lost = asyncio.Event()
        context.followers.ends.watch([context.settings.topic(name) for name in INPUTS])
        self._ends = SendEnds(context.settings, context.clients, lambda: self._partitions.keys())
        self._pages = CoalescedRequest(self._page)
        self._shown: tuple[float, bytes] | None = None

    async def start(self) -> None:
        """Connects what its pages need, and begins to look whether topics were made again."""
        await self._ends.start()
        self._looking = asyncio.create_task(self._look(), name="topics")

    async def assigned(self, assigned: set[TP]) -> None:
        """Takes over the new partitions, continues with those kept, and compares the topics with the registry again."""
        await self.revoked()
        settings, loop = self.context.settings, asyncio.get_running_loop()
        self._generation = self._app.consumer_generation_id
        self.context.credit.reset()
        ours = {tp.partition for tp in assigned if tp.topic == settings.topic("sends")} & {*range(settings.partitions)}
        kept = sorted(ours & self._partitions.keys())
        gone = [self._partitions.pop(number) for number in self._partitions.keys() - ours]
        for number in sorted(ours):
            if number not in self._partitions:
                self._partitions[number] = Partition(
                    number, self.context, on_failure=self.on_failure, on_refusal=self._refused
                )
            self._partitions[number].start()
        seconds = round(loop.time() - (self._revoked_at or loop.time()), 3)
        log.info("assigned", partitions=sorted(ours), kept=kept, generation=self._generation, seconds=seconds)
        self._revoked_at = None
        self._check()
        await asyncio.gather(*(partition.stop() for partition in gone))

    async def revoked(self) -> None:
        """Stops judging. Awaited before the group rebalances, so that nothing of ours runs after it."""
        if self._revoked_at is None:
            self._revoked_at = asyncio.get_running_loop().time()
        await asyncio.gather(*(partition.pause() for partition in self._partitions.values()))
        self.context.credit.reset()

    async def stop(self) -> None:
        """Releases all partitions."""
        for task in (self._checking, self._looking):
            if task is not None:
                task.cancel()
        partitions, self._partitions = list(self._partitions.values()), {}
        await asyncio.gather(*(partition.stop() for partition in partitions), self._pages.stop(), self._ends.stop())
        await self.context.releases.stop()
        await self.context.asked.stop()

    def _refused(self, error: IntegrityError) -> None:
        """Ends the process once every existing partition is refused, because there is nothing left to judge."""
        refused = [partition for partition in self._partitions.values() if partition.refused]
        if len(refused) == self.context.settings.partitions:
            self.on_failure(error)

    def facts_ended(self, error: BaseException) -> None:
        """Ends the process for an error of the facts.

        If facts are gone from their log, its partitions are refused first. The next process could not tell by itself.
        """
        if getattr(error, "key", "") != VANISHED:
            self.on_failure(error)
        elif self._losing is None:
            self._losing = asyncio.create_task(self._lose(error), name="loss")
            self._losing.add_done_callback(self._heed)
            self._lost.set()

    def transport_ended(self, error: BaseException) -> asyncio.Task[None]:
        """Ends the process in a task, for an error of the transport, which hands on no sends any more.

        Judging stops, and the facts are compared with their log once more. Brokers that were put back to an older state
        may be the cause. The next process could not tell that by itself.
        """
        if self._ending is None:
            self._ending = asyncio.create_task(self._end(error), name="end")
            self._ending.add_done_callback(self._heed)
        return self._ending

    async def _end(self, error: BaseException) -> None:
        await self.revoked()
        looks = [self.context.followers.barrier(LAST_LOOK_SECONDS), self._lost.wait()]
        tasks = [asyncio.ensure_future(look) for look in looks]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._losing is not None:
            await asyncio.wait({self._losing})
        self.on_failure(error)

    async def _lose(self, error: BaseException) -> None:
        noted = await asyncio.gather(*(partition.lose() for partition in self._partitions.values()))
        kept = await self.context.followers.keep_loss()
        assert isinstance(error, GatekeeperError)
        # without a note and without files the next process would believe what is left: a person must look
        self.on_failure(error if kept or any(noted) else IntegrityError(VANISHED, **error.values))

    def _check(self) -> None:
        """Compares the topics with the registry again, in the background: Kafka may have been changed."""

        async def compared() -> None:
            while True:
                try:
                    added = await asyncio.to_thread(admin.demand, self.context.settings)
                except UnavailableError as error:
                    log.warning("topics_unchecked", reason=str(error))
                    await asyncio.sleep(CHECK_SECONDS)
                except UsageError:
                    # else it would get its partitions of now again after a restart: none, while `sends` is missing
                    await asyncio.to_thread(group.leave, self.context.settings)
                    raise
                else:
                    for difference in added:
                        log.error("partitions_added", topic=difference.topic, reason=str(difference))
                    return

        if self._checking is not None:
            self._checking.cancel()
        self._checking = asyncio.create_task(compared())
        self._checking.add_done_callback(self._heed)

    async def _look(self) -> None:
        """Has a broker tell the ids of all topics every LOOK_SECONDS; the partitions compare what was told.

        Those of `sends` and `acts` come with each barrier.
        """
        topics = [self.context.settings.topic(name) for name in TOPICS]
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            with suppress(TimeoutError, KafkaError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self.context.followers.ends.ids(topics)

    def _heed(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self.on_failure(error)

    def feed(self, chunk: Chunk[ConsumerRecord]) -> None:
        """Hands a chunk to its partition; a chunk of an older assignment is left for its owner to read again."""
        partition = self._partitions.get(chunk.partition)
        if partition is None or chunk.generation != self._generation:
            self.context.credit.give(chunk.partition, len(chunk.records), chunk.size)
        else:
            partition.offer(chunk)

    def readiness(self) -> dict[str, Any]:
        """The readiness report: True under `ready` if sends are judged at the moment, else the cause of the wait.

        A policy that nobody knows withholds all sends, so the worker is then not ready either. So does a token key that
        the worker lacks, if a suppression under it may concern anybody.
        """
        followers = self.context.followers
        refused = {str(p.number): p.refused.sentence for p in self._partitions.values() if p.refused}
        waits = {str(p.number): p.waits_for for p in self._partitions.values() if p.waits_for and not p.refused}
        now = self.context.clock.now()
        fresh = now - followers.as_of < FRESH_MS
        packs = self.context.packs
        barred = {bar.id: bar.what for bar in packs.barring(now)}
        keys = self._token_keys()
        return {
            "ready": fresh
            and bool(self._partitions)
            and not waits
            and not refused
            and not barred
            and not followers.store.key_missing,
            "mode": self.context.settings.mode,
            "facts_fresh": fresh,
            "facts_reading": self._first_reading(),
            "partitions": sorted(self._partitions),
            "waiting": waits,
            "refused": refused,
            "sealing_held": self._sealing_held(),
            "decisions_failing": sorted(p.number for p in self._partitions.values() if p.failing),
            "people": followers.store.people,
            "facts_spoilt": followers.kept.spoilt if followers.kept else [],
            "withholding": [withholding.told for withholding in followers.store.withholding(UNREADABLE)],
            "nos_without_token": followers.store.nos_without_token,
            "people_of_another": followers.store.people_of_another,
            "stop_rows": dict(followers.store.row_counts),
            "corrections": dict(followers.store.corrections),
            "read_wide": [wide._asdict() for wide in _read_wide(followers.store)],
            "unread_flags": sorted(followers.store.reference.flagged),
            "token_keys": keys,
            "signatures": signature_state(followers.store.log, self.context.settings.acts),
            "policy": self.context.policy.name,
            "policy_unknown": barred,
            "policy_ignored": {ignored.place: f"{ignored.name}: {ignored.what}" for ignored in packs.ignored},
            "policy_later": {policy.name: list(policy.later) for policy in packs.of_other_rules(now) if policy.later},
            "policy_carried": {
                policy.name: list(policy.unknown) for policy in packs.of_other_rules(now) if policy.unknown
            },
            "policy_provisional": {
                policy.name: day(policy.since, policy.timezone) for policy in packs.provisional(now)
            },
        }

    def _first_reading(self) -> dict[str, Any] | None:
        reading = self.context.followers.first_reading
        return reading._asdict() | {"until": reading.until and instant(reading.until)} if reading else None

    async def measured(self) -> bytes:
        """The page of the worker's metrics, at most PAGE_SECONDS old.

        Lags are left out if no broker tells the ends of `sends` in time.
        """
        now = asyncio.get_running_loop().time()
        if self._shown is None or now - self._shown[0] >= PAGE_SECONDS:
            self._shown = now, await self._pages.answer()
        return self._shown[1]

    async def _page(self) -> bytes:
        context, followers, partitions = self.context, self.context.followers, self._partitions
        own, now = context.metrics, context.clock.now()
        records, seconds = await self._lags()
        turns = {str(number): partition.turn for number, partition in partitions.items() if partition.turn is not None}
        own.set(metrics.READY, self.readiness()["ready"])
        own.set(metrics.FACTS_AGE, (now - followers.as_of) / 1000 if followers.as_of else math.inf)
        own.replace(metrics.FACTS_WITHHOLDING, {(whom,): n for whom, n in followers.store.withholding_counts.items()})
        own.set(metrics.PEOPLE, followers.store.people)
        own.set(metrics.PEOPLE_OF_ANOTHER, followers.store.people_of_another)
        own.set(metrics.CORRECTIONS, followers.store.taken_back)
        own.replace(metrics.STOP_ROWS, {(row,): n for row, n in followers.store.row_counts.items()})
        own.set(metrics.CLOCK_OFF, context.clock.off_by / 1000)
        own.replace(metrics.PARTITION_OWNED, {(str(number),): 1 for number in partitions})
        own.replace(
            metrics.PARTITION_REFUSED, {(str(p.number), p.refused.key): 1 for p in partitions.values() if p.refused}
        )
        own.replace(
            metrics.PARTITION_WAITING,
            {(str(p.number), p.waits_for): 1 for p in partitions.values() if p.waits_for and not p.refused},
        )
        people = {(number,): turn.people for number, turn in turns.items()}
        own.replace(metrics.LEDGER_PEOPLE, {number: n for number, n in people.items() if n is not None})
        own.replace(metrics.SENDS_LAG, {(number,): n for number, n in records.items()})
        own.replace(metrics.SENDS_LAG_SECONDS, {(number,): age for number, age in seconds.items()})
        return own.page()

    async def lag(self) -> dict[str, Any]:
        """The worker's lag over all partitions, these, and the people of whom facts are known, for the log.

        Without a lag if no broker tells the ends of `sends` in time.
        """
        records, seconds = await self._lags()
        fields: dict[str, Any] = {"partitions": sorted(self._partitions), "people": self.context.followers.store.people}
        if records:
            fields["lag_records"] = sum(records.values())
        return fields | ({"lag_seconds": round(max(seconds.values()), 3)} if seconds else {})

    async def _lags(self) -> tuple[dict[str, int], dict[str, float]]:
        """By partition, the sends that wait, and the age of the oldest one in the worker in seconds."""
        ends = await self._ends.read()  # a turn can end meanwhile, so the turns are looked at after it
        now = self.context.clock.now()
        turns = {
            str(number): partition.turn for number, partition in self._partitions.items() if partition.turn is not None
        }
        reached = {number: turn.head.sends + turn.passed for number, turn in turns.items() if turn.head is not None}
        records = {number: max(0, ends[number] - offset) for number, offset in reached.items() if number in ends}
        seconds = {
            number: max(0, now - (turn.oldest or now)) / 1000
            for number, turn in turns.items()
            if turn.waits_for != "take_over"  # else nothing has come that could wait
        }
        return records, seconds

    def _sealing_held(self) -> dict[str, str]:
        """The partitions whose sealing waits for a person, if the log is on this machine, and the command to run."""
        try:
            waiting = held(AtomicStore(self.context.settings.log_folder))
        except UnavailableError:
            return {}
        return {str(hold.partition): f"gatekeeper audit branch {hold.partition}" for hold in waiting}

    def _token_keys(self) -> list[dict[str, Any]]:
        """The token keys that facts name, with the number of these facts; `held`: the worker has the key."""
        tokens = self.context.judge.tokens
        held = frozenset() if tokens is None else tokens.keys
        return [{**use._asdict(), "held": use.key in held} for use in self.context.followers.store.token_keys.uses()]


def _read_wide(store: FactStore) -> list[ReadWide]:
    return store.named_by_refusals.unregistered(store.reference)[:UNREADABLE]
