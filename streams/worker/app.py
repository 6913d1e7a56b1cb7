"""The composition root: from settings to a Faust app with its agent and all parts that the agent needs.

Faust does four things here:

* group: it keeps this worker in the consumer group of `sends`, by heartbeats from a thread of its own
* assignment: it shares out the partitions, and awaits `revoked` and `assigned` below
* agent: its fetcher hands each chunk of records to the one agent, `gate`
* life cycle: it starts transport, fetcher and agent in order, and stops them

It decodes no record, has no table, writes no output, commits no offset and restarts no agent. Stock Faust commits a
record on which an agent raised, and an agent's outputs lie outside its transactions. So a send could be lost or
doubled. Positions and transactions are ours (docs/explanation/faust-and-kafka.md, docs/adr/0001-engine.md).
"""

from __future__ import annotations

import asyncio
import secrets
import tempfile
from pathlib import Path
from typing import Any

import faust
import structlog
from faust.tables.manager import TableManager
from faust.types import TP

from gatekeeper.audit.records.pseudonym import Subjects
from gatekeeper.engine.sends import Judge
from gatekeeper.ground.errors import RestartError, UsageError
from gatekeeper.ground.mac import fingerprint
from gatekeeper.ground.metrics_page import Metrics
from gatekeeper.ground.settings import Settings
from gatekeeper.identity import open_tokens
from gatekeeper.keys import Keys
from gatekeeper.knowledge.store import FactStore
from gatekeeper.policy.packs import Packs, load
from streams.client.connection import reached
from streams.worker.chunks import CREDIT_RECORDS, Credit, Schema, Transport
from streams.worker.clients import Clients
from streams.worker.clock import Clock
from streams.worker.commit_pacing import CommitPacing
from streams.worker.facts import Followers
from streams.worker.gate import Gate, OnFailure
from streams.worker.intake import Pace
from streams.worker.kept_facts import KeptFacts
from streams.worker.kept_ledger import KeptLedgers
from streams.worker.process_exit import fail
from streams.worker.releases import Asked, Releases
from streams.worker.worker_context import WorkerContext

log = structlog.get_logger(__name__)

METADATA_MS = 2_000
"""Milliseconds after which the fetch asks for leaders again: a silent leader does not report its own end."""


class NoTables(TableManager):
    """Table manager that starts at once: Faust waits a second for tables to be declared, and the gate has none."""

    async def on_start(self) -> None:
        """Does what Faust does after its second."""
        await self._update_channels()
        await self.recovery.start()


def _credentials(settings: Settings) -> faust.SASLCredentials | faust.SSLCredentials | None:
    """Faust's credentials for the broker; None if the broker asks for none. Raises as `reached` does."""
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
    kept: KeptFacts | None = None,
    ledgers: KeptLedgers | None = None,
) -> faust.App:
    """The app, not started: `app.gate` holds the worker's state and `app.followers` the facts.

    `kept`, `ledgers`: the facts and the ledger on the disk; without them they are in memory alone.
    The app takes nothing from the environment except by `settings`. `app.scratch` is a new folder, deleted after the
    start. Tests replace the other arguments: a transport that loses records, facts without barrier, an `on_failure`
    that records. Raises UsageError (2) for a policy or a key that cannot be loaded. Call it in a running loop.
    """
    packs = packs or load(settings.policy)
    if settings.max_lag is not None:
        packs = packs.with_max_lag(int(settings.max_lag * 1000))
    keys = Keys(Path(settings.keys))
    masters = keys.masters()
    token_keys = keys.tokens()
    tokens = open_tokens(token_keys)
    if tokens is None:
        raise UsageError("error.worker_keyless")
    if settings.misplaced == "judge":
        log.warning("misplaced_sends_judged")
    clock, clients = Clock(), Clients(settings)
    scratch = Path(tempfile.mkdtemp(prefix="gatekeeper-faust-"))
    app = faust.App(
        settings.group,
        broker="kafka://" + settings.bootstrap.replace(",", ";"),
        broker_credentials=_credentials(settings),
        store="memory://",
        env={},  # else Faust would prefer environment variables, such as APP_DATADIR, to our arguments
        datadir=scratch,  # Faust requires one; it stays empty
        web_enabled=False,
        topic_partitions=settings.partitions,
        topic_disable_leader=True,
        topic_allow_declare=False,
        consumer_auto_offset_reset="earliest",
        consumer_group_instance_id=settings.worker or None,
        consumer_max_fetch_size=1 << 20,
        consumer_metadata_max_age_ms=METADATA_MS,
        broker_max_poll_records=CREDIT_RECORDS,
        broker_session_timeout=settings.session_timeout,
        broker_heartbeat_interval=min(1.0, settings.session_timeout / 3),
        broker_rebalance_timeout=max(10.0, settings.session_timeout),
        broker_request_timeout=2 * max(10.0, settings.session_timeout),  # Faust requires a value above the session's
        stream_wait_empty=False,
        worker_redirect_stdouts=False,
        TableManager=NoTables,
    )
    app.scratch = scratch
    app.loop = asyncio.get_running_loop()
    app.transport = transport(app.conf.broker, app, loop=app.loop)
    app.credit = Credit()
    measured = Metrics()
    store = None
    if kept is None:
        store = FactStore(settings.group, settings.founder, ours=tokens.prints, pair_key=tokens.pair_key)
    app.followers = followers(settings, store, clients, clock, kept, measured)
    sends = settings.topic("sends")

    async def seek(partition: int, offset: int) -> None:
        await app.consumer.seek_wait({TP(sends, partition): offset})

    app.gate = Gate(
        app,
        WorkerContext(
            settings=settings,
            judge=Judge(
                packs,
                settings.partitions,
                settings.mode,
                tokens=tokens,
                subjects=Subjects(masters, secrets.token_bytes),
                judge_misplaced=settings.misplaced == "judge",
                acts=settings.acts,
            ),
            followers=app.followers,
            releases=Releases(settings, clients, app.followers.ends),
            asked=Asked(settings, clients, app.followers.ends),
            credit=app.credit,
            clock=clock,
            clients=clients,
            seek=seek,
            signer=keys.signer("worker"),
            masters={number: fingerprint(key) for number, key in masters.items()},
            tokens={number: fingerprint(key, "token") for number, key in token_keys.items()},
            writers=keys.public("worker"),
            pace=Pace(),
            commit_pacing=CommitPacing(),
            ledgers=ledgers,
            metrics=measured,
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
                app.gate.transport_ended(RestartError("error.faust_stopped"))

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
