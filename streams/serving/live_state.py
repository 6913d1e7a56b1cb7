"""The state by which `gatekeeper serve` answers: the worker's own facts and barrier, the ledger, and the decisions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from gatekeeper.engine.evaluation import Moment
from gatekeeper.engine.evaluator import Evaluator
from gatekeeper.ground.errors import UnavailableError, UsageError
from gatekeeper.ground.mac import fingerprint
from gatekeeper.ground.metrics_page import Metrics
from gatekeeper.ground.settings import Settings
from gatekeeper.identity import open_tokens
from gatekeeper.keys import Keys
from gatekeeper.knowledge.store import FactStore
from gatekeeper.policy.packs import load
from schemas.events import Send
from schemas.topics import FACT_TOPICS
from streams.client import admin, progress, topic_settings
from streams.client.coalesced_request import CoalescedRequest
from streams.client.restore_mark import Mark
from streams.serving.decision_feed import DecisionFeed
from streams.serving.ledger_copy import LedgerCopy
from streams.serving.result_feed import ResultFeed
from streams.serving.writer import Writer
from streams.worker.clients import Clients, started
from streams.worker.clock import Clock
from streams.worker.facts import Followers
from streams.worker.kept_facts import KeptFacts
from streams.worker.log_follower import LogFollower

BARRIER_SECONDS = 5.0
"""Seconds to wait for the facts; a caller gives up soon after, and FACTS_STALE is an answer."""
LEDGER_SECONDS = 15.0
"""Seconds that the ledger may be old, at most, before every evaluation is withheld."""


class LiveState:
    """Facts, ledger and decisions of one system, and a writer to it.

    `kept`: the facts on the disk; without it they are in memory. `measured`: takes the metrics of the facts. Call it
    in a running loop.
    Raises UsageError (2) for a policy or keys that cannot be loaded, or without a token key.
    """

    def __init__(self, settings: Settings, *, kept: KeptFacts | None = None, measured: Metrics | None = None) -> None:
        packs = load(settings.policy)
        if settings.max_lag is not None:
            packs = packs.with_max_lag(int(settings.max_lag * 1000))
        token_keys = Keys(Path(settings.keys)).tokens()
        tokens = open_tokens(token_keys)
        if tokens is None:
            raise UsageError("error.serve_keyless")
        self.settings, self.tokens = settings, tokens
        self.evaluator = Evaluator(packs, settings.mode, tokens=tokens, acts=settings.acts)
        self.clock, clients = Clock(), Clients(settings)
        store = None
        if kept is None:
            store = FactStore(settings.group, settings.founder, ours=tokens.prints, pair_key=tokens.pair_key)
        self.facts = Followers(settings, store, clients, self.clock, kept, measured)
        prints = {number: fingerprint(key, "token") for number, key in token_keys.items()}
        self.ledger = LedgerCopy(settings, clients, prints)
        self.decisions = DecisionFeed(settings, clients)
        self.results = ResultFeed(settings, clients)
        self.writer = Writer(settings, clients)
        self._undecided = CoalescedRequest(self._waiting)
        self._mark = CoalescedRequest(lambda: asyncio.to_thread(topic_settings.mark, settings))
        self._open = False

    async def start(self, on_failure: Callable[[BaseException], None]) -> None:
        """Connects and begins to read; `on_failure` is called with any error that ends the reading.

        It is called, too, if acts may be unsigned by the settings and the first person is registered.
        Raises UsageError (2) amid a restore.
        """
        if await self._shut() == "restoring":
            raise UsageError("error.topic_restoring_differs", topic=self.settings.topic(FACT_TOPICS[0]))
        self.ledger.topics = await asyncio.to_thread(admin.topic_ids, self.settings, (*FACT_TOPICS, "ledger"))
        self.facts.expected = await asyncio.to_thread(progress.of_mode, self.settings)
        await started(self.writer)
        await asyncio.gather(*(follower.start(on_failure) for follower in self._followers))
        if self.settings.acts == "unsigned":
            self._end_with_people(on_failure)

    def _end_with_people(self, on_failure: Callable[[BaseException], None]) -> None:
        """Calls `on_failure` when the first person is registered: a service for unsigned acts must not go on then."""
        store = self.facts.store

        def look(_: str = "") -> None:
            if person := store.log.roster.first:
                on_failure(UsageError("error.acts_unsigned", person=person))

        store.listeners.append(look)
        look()

    async def stop(self) -> None:
        """Stops reading and writing."""
        await asyncio.gather(self._undecided.stop(), self._mark.stop())
        await asyncio.gather(*(follower.stop() for follower in self._followers), self.writer.stop())

    @property
    def _followers(self) -> tuple[LogFollower, ...]:
        return self.facts, self.ledger, self.decisions, self.results

    @property
    def ready(self) -> bool:
        """True once facts and ledger were read to the ends that they had at the start."""
        return self.facts.as_of > 0 and self.ledger.age < float("inf")

    async def confirmed(self) -> bool:
        """True once every fact is applied that Kafka acknowledged before this call; False if that takes too long."""
        return await self.facts.barrier(BARRIER_SECONDS)

    async def moment(self) -> Moment:
        """The inputs of an evaluation now: every fact is in them that Kafka acknowledged before this call.

        If that cannot be confirmed in time, each evaluation is withheld as FACTS_STALE. So it is while facts may be
        missing, after a restore or when a topic of facts was made again. Evaluate before you await.
        Raises UnavailableError (3) before `ready`.
        """
        self.demand_ready()
        passed = not await self._shut() and await self.confirmed() and self.ledger.age < LEDGER_SECONDS
        passed = passed and not self.ledger.facts_gone(self.facts, self.facts.lost_at)
        at = self.clock.now()
        lag = max(policy.max_lag_ms for policy in self.evaluator.holding(self.facts.store).every)
        as_of = None if passed else min(self.facts.as_of, at - lag - 1)
        return Moment(self.evaluator, self.facts.store, self.ledger.state, at, as_of)

    def cleared_as(self, send: Send, ids: Sequence[str]) -> str | None:
        """The one of these event ids under which this very piece was cleared; None if it was under none."""
        at, ledger = self.clock.now(), self.ledger.state
        for id_ in ids:
            before = ledger.about(send.model_copy(update={"event_id": id_}), at).clearance
            if before is not None and before.send.event_id == id_:
                return id_
        return None

    async def undecided(self) -> int:
        """The most sends that wait for their decision, of all campaigns. Offsets without a record count, too.

        It waits for Kafka's answer as long as that takes: give it a deadline.
        """
        return await self._undecided.answer()

    async def _waiting(self) -> int:
        ends = self.results.ends  # not the ledger's: its age would grow while many ask
        stable = await ends.stable(await ends.listed(self.settings.topic("sends")))
        return sum(max(0, end - self._decided(tp.partition)) for tp, end in stable.items())

    def _decided(self, partition: int) -> int:
        """The next offset of `sends` to decide."""
        head = self.ledger.heads.get(partition)
        return head.sends if head else 0

    async def _shut(self) -> Mark | None:
        """The mark that a restore left; it is looked for until the gate was seen open."""
        mark = None if self._open else await self._mark.answer()
        self._open = mark is None
        return mark

    def demand_ready(self) -> None:
        """Raises UnavailableError (3) before `ready`."""
        if not self.ready:
            raise UnavailableError("error.serve_starting")
