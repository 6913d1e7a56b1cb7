"""The composition root: settings in, a Faust app with its agent and everything it stands on out."""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import faust
import structlog
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    ProducerFenced,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)
from faust.tables.manager import TableManager
from faust.types import TP
from yarl import URL

from gatekeeper.audit.records.pseudonym import Subjects
from gatekeeper.engine.sends import Judge
from gatekeeper.errors import GatekeeperError, RestartError, UsageError
from gatekeeper.identity import open_tokens
from gatekeeper.keys import Keys, fingerprint
from gatekeeper.knowledge.store import FactStore
from gatekeeper.policy.packs import Packs, load
from gatekeeper.settings import Settings
from streams.client import admin
from streams.client.connection import reached
from streams.worker.batch import Tools
from streams.worker.chunks import CREDIT_RECORDS, Chunk, Credit, Schema, Transport
from streams.worker.clients import Clients
from streams.worker.clock import Clock
from streams.worker.facts import Followers
from streams.worker.partition import Partition

log = structlog.get_logger(__name__)

FORBIDDEN = (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)
"""What Kafka raises where the worker's user lacks a right; aiokafka gives them no class of their own."""
FRESH_MS = 10_000
"""The worker is ready while its facts are known to be complete up to at most this long ago."""

UNREADABLE = 100
"""So many unreadable facts are named by the readiness page; their dead letters name all."""

OnFailure = Callable[[BaseException], None]


class NoTables(TableManager):
    """Starts at once: Faust waits a second for tables to be declared, and the gate has none."""

    async def on_start(self) -> None:
        """Does what Faust does after its second."""
        await self._update_channels()
        await self.recovery.start()


class Gate:
    """The partitions that this worker owns, from assignment to revocation, fed by the agent."""

    def __init__(self, app: faust.App, tools: Tools, on_failure: OnFailure) -> None:
        self.tools = tools
        self.on_failure = on_failure
        self._app = app
        self._partitions: dict[int, Partition] = {}
        self._generation: int | None = None

    async def assigned(self, assigned: set[TP]) -> None:
        """Takes over the assigned partitions, after another look at the topics (Kafka may have been changed)."""
        await self.revoked()
        settings = self.tools.settings
        await asyncio.to_thread(admin.demand, settings)
        self._generation = self._app.consumer_generation_id
        self.tools.credit.reset()
        for tp in sorted(assigned):
            if tp.topic == settings.topic("sends"):
                self._partitions[tp.partition] = partition = Partition(tp.partition, self.tools)
                partition.start(self.on_failure)
        log.info("assigned", partitions=sorted(self._partitions), generation=self._generation)

    async def revoked(self) -> None:
        """Gives all partitions up: awaited before the group rebalances, so that nothing of ours runs after it."""
        partitions, self._partitions = list(self._partitions.values()), {}
        await asyncio.gather(*(partition.stop() for partition in partitions))
        self.tools.credit.reset()

    def feed(self, chunk: Chunk) -> None:
        """Hands a chunk to its partition; one of an older assignment is left for its owner to read again."""
        partition = self._partitions.get(chunk.partition)
        if partition is None or chunk.generation != self._generation:
            self.tools.credit.give(chunk.partition, len(chunk.records), chunk.size)
        else:
            partition.offer(chunk)

    def readiness(self) -> dict[str, Any]:
        """Returns whether sends are judged at the moment, and if not, what they wait for.

        A policy that nobody knows withholds them all, and that is not ready either.
        """
        followers = self.tools.followers
        waits = {str(p.number): p.waits_for for p in self._partitions.values() if p.waits_for}
        now = self.tools.clock.now()
        fresh = now - followers.as_of < FRESH_MS
        barred = {bar.id: bar.what for bar in self.tools.packs.barring(now)}
        return {
            "ready": fresh and bool(self._partitions) and not waits and not barred,
            "mode": self.tools.settings.mode,
            "facts_fresh": fresh,
            "partitions": sorted(self._partitions),
            "waiting": waits,
            "people": followers.store.people,
            "unreadable_facts": sorted("/".join(map(str, place)) for place in followers.store.unreadable)[:UNREADABLE],
            "policy": self.tools.policy.name,
            "policy_unknown": barred,
        }


def fail(error: BaseException) -> None:
    """Ends the process at once, with nothing that could commit: a restart resumes from the ledger's head.

    The log names the error's type and place, never its message unless it is one of ours: others may quote a record.
    """
    if isinstance(error, ProducerFenced):  # another worker owns the partition now, as it should
        error = RestartError("error.fenced")
    if isinstance(error, FORBIDDEN):  # a restart would change nothing
        error = UsageError("error.worker_rights", what=type(error).__name__)
    if isinstance(error, GatekeeperError):
        log.critical("stopped", error=type(error).__name__, reason=str(error), code=error.exit_code)
        code = error.exit_code
    else:
        trail = traceback.extract_tb(error.__traceback__)[-8:]
        frames = [f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno} {frame.name}" for frame in trail]
        log.critical("stopped", error=type(error).__name__, frames=frames, code=70)
        code = 70
    sys.stderr.flush()
    os._exit(code)


def _credentials(settings: Settings) -> faust.SASLCredentials | faust.SSLCredentials | None:
    """Returns as whom Faust reaches the broker; None where it asks for nothing. Raises as `reached` does."""
    how = reached(settings)
    context = how.get("ssl_context")
    if "sasl_mechanism" in how:
        user, password = how["sasl_plain_username"], how["sasl_plain_password"]
        return faust.SASLCredentials(
            username=user, password=password, mechanism=how["sasl_mechanism"], ssl_context=context
        )
    return faust.SSLCredentials(context) if context else None


def create_app(
    settings: Settings,
    *,
    packs: Packs | None = None,
    transport: type[Transport] = Transport,
    followers: type[Followers] = Followers,
    on_failure: OnFailure = fail,
) -> faust.App:
    """Returns the app, not started: `app.gate` holds the worker's state and `app.followers` the facts.

    Nothing of it comes from the environment but by `settings`. `app.scratch` is a new folder, gone once it is started.
    The others are what tests replace: a transport that loses records, facts without barrier, an end that they see.
    Raises UsageError (2) for a policy or a key that cannot be loaded. Call it in a running loop.
    """
    packs = packs or load(settings.policy)
    if settings.max_lag is not None:
        packs = packs.with_max_lag(int(settings.max_lag * 1000))
    keys = Keys(Path(settings.keys))
    masters = keys.masters()
    tokens = open_tokens(settings.token_key)
    if tokens is None:
        log.warning("no_token_key")
    if settings.misplaced == "judge":
        log.warning("misplaced_sends_judged")
    clock, clients = Clock(), Clients(settings)
    broker = "kafka://" + settings.bootstrap.replace(",", ";")
    scratch = Path(tempfile.mkdtemp(prefix="gatekeeper-faust-"))
    app = faust.App(
        settings.group,
        broker=broker,
        broker_credentials=_credentials(settings),
        store="memory://",
        env={},  # Faust would take the environment's word, APP_DATADIR and fifty more, before ours
        datadir=scratch,  # Faust wants one; nothing is ever in it
        web_enabled=False,
        topic_partitions=settings.partitions,
        topic_disable_leader=True,
        topic_allow_declare=False,
        consumer_auto_offset_reset="earliest",
        consumer_group_instance_id=settings.worker or None,
        consumer_max_fetch_size=1 << 20,
        broker_max_poll_records=CREDIT_RECORDS,
        broker_session_timeout=settings.session_timeout,
        broker_heartbeat_interval=min(1.0, settings.session_timeout / 3),
        broker_rebalance_timeout=max(10.0, settings.session_timeout),
        stream_wait_empty=False,
        worker_redirect_stdouts=False,
        TableManager=NoTables,
    )
    app.scratch = scratch
    app.loop = asyncio.get_running_loop()
    app.transport = transport([URL(url) for url in broker.split(";")], app, loop=app.loop)
    app.credit = Credit()
    app.followers = followers(settings, FactStore(), clients, clock)
    sends = settings.topic("sends")

    async def seek(partition: int, offset: int) -> None:
        await app.consumer.seek_wait({TP(sends, partition): offset})

    app.gate = Gate(
        app,
        Tools(
            settings=settings,
            judge=Judge(
                packs,
                settings.partitions,
                settings.mode,
                tokens=tokens,
                subjects=Subjects(masters, secrets.token_bytes),
                judge_misplaced=settings.misplaced == "judge",
            ),
            followers=app.followers,
            credit=app.credit,
            clock=clock,
            clients=clients,
            seek=seek,
            signer=keys.signer("worker"),
            masters={number: fingerprint(key) for number, key in masters.items()},
        ),
        on_failure,
    )
    source = app.topic(sends, schema=Schema(), acks=False, partitions=settings.partitions)

    @app.agent(source, name="gate")
    async def gate(stream: Any) -> None:
        # An exception must not reach Faust's supervisor: it would start the agent again and skip the chunk.
        try:
            async for chunk in stream.noack():
                app.gate.feed(chunk)
        except Exception as error:
            on_failure(error)
        else:
            if not app.should_stop:
                on_failure(RestartError("error.faust_stopped"))

    @app.on_partitions_assigned.connect
    async def assigned(_: Any, assigned: set[TP], **__: Any) -> None:
        try:
            await app.gate.assigned(assigned)
        except Exception as error:
            on_failure(error)

    @app.on_partitions_revoked.connect
    async def revoked(_: Any, revoked: set[TP], **__: Any) -> None:
        await app.gate.revoked()

    return app
