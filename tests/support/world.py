"""Engine tests share a campaign's world on real Kafka, workers in it, and checks of their outputs.

Its people are those of `tests.support.staff`. `World.put` lets the person in `by` sign an act or a record of
`reference` that is given as a dict; bytes are written as they are. Commands act as hanako.

The driver's producer and reader are librdkafka's, so that our own client library never judges itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import signal
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache, cached_property
from hashlib import sha256
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any, Literal

import orjson
from confluent_kafka import Producer
from kafka import TopicPartition
from kafka.admin import KafkaAdminClient
from prometheus_client.parser import text_string_to_metric_families

from gatekeeper.ground.settings import Settings
from gatekeeper.keys import ROLES, Keys, key_name
from gatekeeper.policy.packs import Packs
from gatekeeper.policy.packs import load as load_packs
from schemas.audit import Acted, Acts, AuditRecord, Mode
from schemas.codec import Unreadable, decode
from schemas.manifests import Manifest
from schemas.topics import TOPICS, logical_name
from streams.client import admin
from streams.worker.app import create_app
from streams.worker.process import start, stop
from tests.support import forked, invented, staff
from tests.support.folders import kept
from tests.support.invented import KEY, NOTICE_ITEMS, item_act, known_by, named_item
from tests.support.ledger_oracle import Implied, Piece
from tests.support.logs import Logs

Row = tuple[str | bytes | None, dict[str, Any] | bytes | None]
DEADLINE = 45.0
"""Seconds that a busy machine is given; only a failing test waits so long."""
BACK_SOON = {
    "broker.heartbeat.interval.ms": "500",
    "broker.session.timeout.ms": "4000",
}
"""Of a Kafka that a test hurts: a dead broker may come back sooner than by default."""


@cache
def key_folder() -> Path:
    """Returns the folder of the keys that worlds sign and make tokens with."""
    return Path(group_keys(kept("keys") / "keys", "gk"))


def group_keys(folder: Path, group: str) -> str:
    """Returns a folder with keys of all roles, named for a group as a sealer wants them."""
    keys = Keys(folder)
    for role in ROLES:
        keys.make(role, key_name(group, role), secret=KEY if role == "token" else None)
    return str(keys.folder)


def own_keys(folder: Path) -> str:
    """Returns a folder that has the token key of all worlds; `keys init` makes the other keys there."""
    Keys(folder).make("token", "gk/token", secret=KEY)
    return str(folder)


def day(after: int) -> str:
    """Returns the day so many days from today: a mail date that has passed is refused."""
    return (date.today() + timedelta(days=after)).isoformat()


def until(condition: Callable[[], Any], what: str, deadline: float = DEADLINE) -> Any:
    """Waits until `condition` returns something true, and returns it."""
    began = time.monotonic()
    while True:
        if found := condition():
            return found
        if (waited := time.monotonic() - began) > deadline:
            raise AssertionError(f"not within {deadline} s: {what}")
        time.sleep(_pause(waited))


async def eventually(condition: Callable[[], Any], what: str) -> Any:
    """Waits like `until`, and lets the loop run."""
    began = time.monotonic()
    while True:
        if found := condition():
            return found
        if (waited := time.monotonic() - began) > DEADLINE:
            raise AssertionError(f"not within {DEADLINE} s: {what}")
        await asyncio.sleep(_pause(waited))


def _pause(waited: float) -> float:
    """Returns how long not to look at what was waited for so long: who looks all the time slows what he waits for."""
    return min(0.25, max(0.01, waited / 10))


def controller_record(**more: Any) -> tuple[str, dict[str, Any]]:
    return "controller/C1", {"v": 1, "kind": "controller", "id": "C1", **more}


NOTICE = "notice/N1", invented.notice(id="N1")[1]
TEMPLATE = "template/T1", invented.template(id="T1", display_ok={"marketing": ["postal"]})[1]
PURPOSES = tuple(
    (f"purpose/{id_}", invented.purpose(id=id_, name_ja=ja, name_en=en, marketing=id_.startswith("mkt"))[1])
    for id_, ja, en in (("mkt.dm.own", "ご案内", "News"), ("service.orders", "ご注文のお知らせ", "Orders"))
)


@cache
def home_of(person: str) -> dict[str, Any]:
    """Returns the name and address that a send to a person prints by default; no two people have one."""
    a, b, c = (int(sha256(f"{person}/{part}".encode()).hexdigest()[:4], 16) % 990 + 1 for part in "abc")
    return {"name": "例 花子", "postcode": "100-0000", "lines": [f"見本町{a}-{b}-{c}"]}


@cache
def token_of(person: str) -> str:
    """Returns the token of a person's home."""
    return str(known_by(home_of(person))["token"])


def source_of(person: str, home: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    known = known_by(home) if home else {"token": token_of(person)}
    told = {name: known[name] for name in ("token", "beside", "further") if name in known}
    said = {"source_id": f"s-{person}", "acquired_at": "2024-05-01", "notice_id": "N1", "purposes_told": ["mkt.dm.own"]}
    value = invented.source(recipient_id=person, contact_points=(), **said)[1]
    return {**value, "contact_points": [{"id": f"cp-{person}", **told}], **more}


def consent_of(person: str, state: str = "Given", **more: Any) -> dict[str, Any]:
    no: dict[str, Any] = {"purpose": "*", **dict.fromkeys(("channels", "notice_id", "evidence_ref"))}
    said = "2024-05-01T10:00:00+09:00" if state == "Given" else "2026-01-01T10:00:00+09:00"
    kind = {"notice_id": "N1", "evidence_ref": f"form-{person}"} if state == "Given" else no
    ids = {"record_id": f"{state}-{person}", "recipient_id": person}
    value = invented.consent(**ids, state=state, event_time=said, **kind)[1]
    return {**value, "recorded_at": more.get("event_time", said), **more}


def send_to(person: str, number: int | str = 0, **more: Any) -> dict[str, Any]:
    """Returns a send of a campaign of its own: the same number again is the same piece again."""
    point = {"id": f"cp-{person}", "country": "JP"}
    named = {"event_id": f"e-{number}", "campaign_id": f"K-{number}", "template_id": "T1", "delivery": home_of(person)}
    value = {**invented.send(recipient_id=person, **named), "contact_point": point}
    del value["match"]
    return {**value, **more}


@cache
def _settings(_: frozenset[tuple[str, str]], **words: Any) -> Settings:
    """Returns the settings by these words and an environment; they take long to make."""
    return Settings(**words)


@dataclass
class World:
    """The topics of one test, a driver's producer, and all that is read back."""

    bootstrap: str
    prefix: str
    partitions: int = 1
    max_lag: float | None = None
    application: str = "gk"
    mode: Mode = "live"
    misplaced: Literal["refuse", "judge"] = "refuse"
    acts: Acts = "signed"
    keys: str = field(default_factory=lambda: str(key_folder()))
    packs: Packs = field(default_factory=lambda: load_packs("jp-pmark"))
    data: str = field(default_factory=lambda: str(kept("data")))
    """The folder of the facts of workers in processes of their own; one in this process has them in memory."""
    _producer: Producer = field(init=False)
    _names: dict[str, str] = field(init=False, default_factory=dict)
    _written: set[str] = field(init=False, default_factory=set)
    _audits: dict[tuple[int, int], AuditRecord] = field(init=False, default_factory=dict)
    _heads: dict[int, dict[str, Any]] = field(init=False, default_factory=dict)
    _pieces: dict[str, Piece] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._producer = self.producer()

    @property
    def settings(self) -> Settings:
        return _settings(
            frozenset((name, value) for name, value in os.environ.items() if name.startswith("GATEKEEPER_")),
            broker=self.bootstrap,
            prefix=self.prefix,
            partitions=self.partitions,
            application=self.application,
            keys=self.keys,
            http_port=0,
            max_lag=self.max_lag,
            mode=self.mode,
            misplaced=self.misplaced,
            acts=self.acts,
            session_timeout=6.0,
            **self._signing,
        )

    @cached_property
    def _group(self) -> str:
        """The consumer group, by which records are signed; settings take long to make."""
        return self.settings.group

    @property
    def _signing(self) -> dict[str, str]:
        """The settings by which hanako signs what commands write, and the console what its users do."""
        if self.acts == "unsigned":
            return {}
        return {"user_key": staff.key_file("hanako"), "console_key": staff.key_file("console")}

    @property
    def environment(self) -> dict[str, str]:
        found = {
            "GATEKEEPER_BROKER": self.bootstrap,
            "GATEKEEPER_PREFIX": self.prefix,
            "GATEKEEPER_PARTITIONS": str(self.partitions),
            "GATEKEEPER_APPLICATION": self.application,
            "GATEKEEPER_KEYS": self.keys,
            "GATEKEEPER_DATA": self.data,
            "GATEKEEPER_HANDOFF_DATA": str(kept("handoff")),
            "GATEKEEPER_HTTP_PORT": "0",
            "GATEKEEPER_SESSION_TIMEOUT": "6",
            "GATEKEEPER_MODE": self.mode,
            "GATEKEEPER_MISPLACED": self.misplaced,
            "GATEKEEPER_ACTS": self.acts,
            **{f"GATEKEEPER_{name.upper()}": file for name, file in self._signing.items()},
        }
        return found | ({"GATEKEEPER_MAX_LAG": str(self.max_lag)} if self.max_lag else {})

    def topic(self, name: str) -> str:
        """Returns a topic's name on the broker; it is asked in loops, and settings take long to make."""
        if name not in self._names:
            self._names[name] = self.settings.topic(name)
        return self._names[name]

    def producer(self, **more: Any) -> Producer:
        return Producer(
            {
                "bootstrap.servers": self.bootstrap,
                "enable.idempotence": True,  # or a batch that is sent again stands behind later ones
                "max.in.flight": 1,  # or a batch is lost where a new partition refuses it and takes the next one
                "partitioner": "murmur2_random",
                "queue.buffering.max.messages": 500_000,
                "log_level": 0,
                **more,
            }
        )

    def found(self) -> World:
        """Makes the topics, and registers the people of `staff`."""
        admin.create(self.settings)
        if self.acts == "signed":
            self.put("reference", staff.founding(origin=self._group))
        return self

    def create(self) -> World:
        """Makes the topics, registers the people of `staff`, and one controller with one notice."""
        self.found()
        self.put("reference", [controller_record(), *PURPOSES, NOTICE, TEMPLATE])
        return self

    def remake(self, topic: str) -> None:
        """Deletes a topic with all its records, and makes it anew; returns when it is there."""
        name = self.topic(topic)
        with KafkaAdminClient(bootstrap_servers=self.bootstrap) as client:
            client.delete_topics([name])
            until(lambda: name in admin.create(self.settings).created, "the topic is made again")
        self.__dict__.pop("_logs", None)  # which had read the old one

    def grow(self, topic: str) -> int:
        """Adds a partition to a topic by another tool than ours, and returns its number once clients know it."""
        name = self.topic(topic)
        with KafkaAdminClient(bootstrap_servers=self.bootstrap) as client:
            number = len(client.describe_topics([name])[0]["partitions"])
            client.create_partitions({name: number + 1})
        self._producer = self.producer()
        until(lambda: number in self._producer.list_topics(name, 10).topics[name].partitions, "the new partition")
        self.__dict__.pop("_logs", None)  # which had looked before
        return number

    def empty(self, topic: str) -> None:
        """Deletes all records of a topic."""
        with KafkaAdminClient(bootstrap_servers=self.bootstrap) as client:
            name = self.topic(topic)
            client.delete_records({TopicPartition(name, number): -1 for number in range(self.partitions)})
        self.__dict__.pop("_logs", None)  # which had read them

    def may_ask(self) -> World:
        """Registers what a company needs to ask people: items b to f of its notice, and a template for it."""
        shown = {"marketing": ["postal"], "confirmation": ["postal"]}
        template = {**TEMPLATE[1], "display_ok": shown, "notice_id": "N1"}
        sender = controller_record(name="みどり小売株式会社", notice_items=NOTICE_ITEMS)
        self.put("reference", [sender, (TEMPLATE[0], template)])
        return self

    def put(self, topic: str, records: Iterable[Row], producer: Producer | None = None, *, partition: int = -1) -> None:
        """Writes records and returns when all are acknowledged (or, in a transaction, sent).

        `partition`: where to, if it is not the key's.
        """
        through, name = producer or self._producer, self.topic(topic)
        self._written.add(topic)
        failed: list[Any] = []

        def delivered(error: Any, _: Any) -> None:
            if error:
                failed.append(error)

        for key, value in self._endorsed(records) if topic == "reference" and self.acts == "signed" else records:
            data = orjson.dumps(value) if isinstance(value, dict) else value
            headers = self._signed(topic, data) if isinstance(value, dict) else []
            while True:
                try:
                    through.produce(name, data, key, partition=partition, headers=headers, on_delivery=delivered)
                    break
                except BufferError:
                    through.poll(0.1)
            through.poll(0)
        left = through.flush(60)
        assert not left, f"{left} records not acknowledged"
        assert not failed, failed[:3]

    def _endorsed(self, records: Iterable[Row]) -> Iterator[Row]:
        """Records of `reference`, each with the signatures of the people in `by`, else of a manager, behind it.

        Both managers sign a record about a person. Nobody signs a record that cannot be read.
        """
        for key, value in records:
            yield key, value
            if isinstance(value, dict) and readable("reference", key, data := orjson.dumps(value)):
                by = value.get("by") or "hanako"
                people = staff.MANAGERS if value["kind"] == "staff" else (by,) if isinstance(by, str) else by
                yield from staff.signed((str(key), data), *people, origin=self._group)[1:]

    def _signed(self, topic: str, data: bytes) -> list[tuple[str, bytes]]:
        """The signature of an act by the person in `by`; none in a world whose acts are unsigned."""
        if topic != "acts" or self.acts == "unsigned":
            return []
        return staff.signature(data, origin=self._group)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Producer]:
        """Gives a foreign producer an open transaction; whoever uses it commits or aborts, which shows afterwards."""
        through = self.producer(**{"transactional.id": f"{self.prefix}foreign"})
        through.init_transactions(30)
        through.begin_transaction()
        yield through
        for topic in self._written:
            name = self.topic(topic)
            until(lambda name=name: self._logs.ends(name) == self._logs.ends(name, stable=False), "nothing is open")

    def people(self, names: Iterable[str], **more: Any) -> None:
        """Gives each a source and a consent, so that a send to them is clear; `more`: of the source, such as `home`."""
        names = list(names)
        self.put("sources", ((name, source_of(name, **more)) for name in names))
        self.put("consents", ((name, consent_of(name)) for name in names))

    def sends(self, names: Iterable[str], first: int = 0) -> None:
        self.put("sends", ((name, send_to(name, number)) for number, name in enumerate(names, first)))

    def act(self, kind: str, item: dict[str, Any], producer: Producer | None = None, **more: Any) -> None:
        """Writes an act about an item, as `items` names it, to the partition of its record on `review`."""
        value = item_act(kind, item, at=datetime.now(UTC).isoformat(), **more)
        self.put("acts", [(value["recipient_id"], value)], producer, partition=item["review"]["partition"])

    def items(self) -> dict[str, dict[str, Any]]:
        """Returns how an act names each item of the review queue, by the send's event id; the newest of each."""
        return {
            json.loads(one.value())["event_id"]: named_item(one.value(), one.headers(), one.partition(), one.offset())
            for one in self.read("review")
        }

    def outcomes(self) -> dict[str, tuple[str, str | None]]:
        """Returns outcome and code of each act that could be read, by its id."""
        return {a.act.act_id: (a.act.outcome, a.act.code) for a in self.acted().values() if a.act and a.act.act_id}

    # -- what came out ----------------------------------------------------------------------------------

    @cached_property
    def _logs(self) -> Logs:
        return Logs(self.bootstrap)

    def ends(self, topic: str) -> list[int]:
        """Returns the stable end of each partition; markers count, so it is an upper bound of the records."""
        return self._logs.ends(self.topic(topic))

    def read(self, topic: str) -> list[Any]:
        """Returns all committed records of a topic, by partition and offset."""
        compacted, name = TOPICS[topic].keep_ms is None, self.topic(topic)
        return self._logs.kept(name) if compacted else self._logs.records(name)

    def _new(self, topic: str) -> list[Any]:
        """Returns the committed records of a topic that came since this was asked last."""
        return self._logs.new(self.topic(topic))

    def audits(self) -> list[AuditRecord]:
        for message in self._new("audit"):
            record = AuditRecord.model_validate_json(message.value())
            self._audits[message.partition(), message.offset()] = record
        return [record for _, record in sorted(self._audits.items())]

    def verdicts(self) -> dict[str, tuple[str, str | None]]:
        """Returns verdict and primary reason by the send's event id, from the audit records of readable sends."""
        return {
            a.send["event_id"]: (a.verdict, a.reasons[0].code if a.reasons else None)
            for a in self.audits()
            if a.send and a.stage == "intake"
        }

    def heads(self) -> dict[int, dict[str, Any]]:
        newest = {m.partition(): m.value() for m in self._new("ledger") if m.key() == b"head"}
        self._heads |= {partition: json.loads(value) for partition, value in newest.items()}
        return dict(self._heads)

    def head(self, partition: int) -> dict[str, Any] | None:
        return self.heads().get(partition)

    def decided(self) -> int:
        """Returns how many sends have been decided, by the heads: exact where `sends` has no holes."""
        return sum(head["sends"] for head in self.heads().values())

    def await_audits(self, count: int) -> None:
        """Waits until `count` audit records are committed (markers make offsets an upper bound only)."""
        until(lambda: len(self.audits()) >= count, f"{count} audit records")

    def check(self, sent: int) -> Counter[str]:
        """Asserts one output and one audit record for each send, and manifests contiguous up to the head.

        Of acts and recalls it asserts the same, and of the ledger that it is what all of these decisions leave.
        """
        all_audits = self.audits()
        acts, audits = _acted(all_audits), [a for a in all_audits if a.stage == "intake"]
        sources = Counter((a.src.partition, a.src.offset) for a in audits)
        assert len(audits) == sent == len(sources), (
            f"{len(audits)} audit records, {len(sources)} distinct, {sent} sends"
        )
        assert len({a.did for a in all_audits}) == len(all_audits), "a decision has two audit records"
        out = {topic: self.read(topic) for topic in ("cleared", "review", "deadletter")}
        dead = [m for m in out["deadletter"] if b"sends/" in dict(m.headers())["gate-source"]]
        ids = Counter(_did(m) for m in [*out["cleared"], *out["review"], *dead])
        told = [a.did for a in acts.values() if a.act.outcome in ("cleared", "withheld")]
        assert ids == Counter([*(a.did for a in audits), *told]), "not one output for each"
        cleared = [a.did for a in audits if a.verdict == "clear"] if self.mode == "live" else []
        cleared += [a.did for a in acts.values() if a.act.outcome == "cleared"]
        assert Counter(map(_did, out["cleared"])) == Counter(cleared), "not what was decided is cleared"
        changes = [a.did for a in all_audits if a.stage in ("intake", "recall") or (a.act and _changes(a.act))]
        assert Counter(map(_did, self.read("results"))) == Counter(changes), "not one result for each change"
        self.check_manifests()
        self.check_ledger()
        return Counter(a.verdict for a in audits)

    def acted(self) -> dict[tuple[str, int, int], AuditRecord]:
        """Returns the audit records of acts in the order of the log, one each, by where the act stands.

        The gate's own redecision of a send whose person has answered stands where that send stands on `review`.
        """
        return _acted(self.audits())

    def ledger(self) -> dict[str, dict[str, Any]]:
        """Returns the entries about people as the logs of `ledger` and `salts` leave them."""
        return {key: value for entries in self._ledgers().values() for key, value in entries.items()}

    def _ledgers(self) -> dict[int, dict[str, dict[str, Any]]]:
        """Returns the same by partition."""
        found: dict[int, dict[str, dict[str, Any]]] = {partition: {} for partition in range(self.partitions)}
        for message in (*self.read("ledger"), *self.read("salts")):
            key = message.key().decode()
            assert (message.topic() == self.topic("salts")) == (key == "pulse" or key.startswith("salt/")), key
            if key in ("head", "pulse") or key.startswith("dead/"):
                continue
            if message.value() is None:
                found[message.partition()].pop(key, None)
            else:
                found[message.partition()][key] = json.loads(message.value())
        return found

    def check_ledger(self) -> None:
        """Asserts that each partition's ledger is what its committed audit records imply, no entry more or less.

        And that what they say was called back or asked is on its topic once.
        """

        def read() -> tuple[Any, ...] | None:
            """All of one moment; None where a worker wrote meanwhile."""
            before = self.ends("ledger")
            found = self.audits(), self.heads(), self._ledgers(), self.pieces(), self._asks(), self.read("recalls")
            return found if self.ends("ledger") == before else None

        audits, heads, ledgers, pieces, asks, recalls = until(read, "a moment in which no worker writes")
        for partition, ledger in ledgers.items():
            records = [a for a in audits if a.src.partition == partition]
            Implied(self.packs, pieces).take(records).check(ledger, heads[partition]["at"] if records else 0)
        by = [a.did for a in audits if a.stage == "recall" or (a.act and a.act.outcome == "recalled")]
        assert Counter(map(_did, recalls)) == Counter(by), "not one audit record for each recall"
        called_back = Counter(json.loads(m.value())["decision_id"] for m in recalls)
        assert set(called_back.values()) <= {1}, "recalled twice"
        kept = {key: value for ledger in ledgers.values() for key, value in ledger.items() if key.startswith("ask/")}
        assert {key: value["answer_code"] for key, value in kept.items()} == asks

    def pieces(self) -> dict[str, Piece]:
        """Returns whom and what each decision was about that is told."""
        for message in (*self._new("cleared"), *self._new("review")):
            self._pieces[_did(message)] = Piece.of(json.loads(message.value()), message.offset())
        return dict(self._pieces)

    def _asks(self) -> dict[str, str]:
        """Returns the answer code of each ask that went out, by its ledger key."""
        asks = self.read("confirmations")
        said = {f"ask/{m.key().decode()}/{(v := json.loads(m.value()))['request_id']}": v["answer_code"] for m in asks}
        assert len(said) == len(asks), "asked twice"
        return said

    def check_manifests(self) -> None:
        """Asserts that each partition's manifests are contiguous, chained, and end at the ledger's head."""
        until(self._manifests_end_at_heads, "manifests that end at the ledger's heads")

    def _manifests_end_at_heads(self) -> bool:
        """False also where a take-over writes both (an empty manifest, the head) between the two reads."""
        by_partition: dict[int, list[bytes]] = {}
        for message in self.read("manifests"):
            by_partition.setdefault(message.partition(), []).append(message.value())
        ends = {}
        for partition, values in by_partition.items():
            at, prev = {"sends": None, "acts": 0}, None
            for value in values:
                manifest = Manifest.model_validate_json(value)
                assert manifest.prev == prev
                assert manifest.audit.n >= sum(taken.n for taken in manifest.in_)
                for taken in manifest.in_:
                    topic = logical_name(taken.topic)
                    assert at[topic] in (None, taken.first), f"{topic}/{partition}: from {taken.first}, not {at[topic]}"
                    assert taken.n + sum(gap.n for gap in taken.gaps) == taken.to - taken.first
                    at[topic] = taken.to
                for gone in manifest.skipped:
                    topic = logical_name(gone.topic)
                    assert at[topic] in (None, gone.first), f"{topic}/{partition}: skipped from {gone.first}"
                    at[topic] = gone.to
                prev = hashlib.sha256(value).hexdigest()
            ends[partition] = (at["sends"], at["acts"], prev)
        heads = {partition: (head["sends"], head["acts"], head["prev"]) for partition, head in self.heads().items()}
        return all(heads.get(partition) == end for partition, end in ends.items())

    # -- workers ----------------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def worker(self, *, fetched: int | None = None, **parts: Any) -> AsyncIterator[Any]:
        """Runs a worker in this process; `parts` replaces what create_app lets tests replace.

        `fetched`: at most so many records a fetch, to have many of them.
        """
        failures: list[BaseException] = []
        parts.setdefault("packs", self.packs)
        app = create_app(self.settings, on_failure=failures.append, **parts)
        app.failures = failures
        if fetched is not None:
            app.conf.broker_max_poll_records = fetched
        running = await start(app)
        try:
            yield app
        finally:
            await stop(app)
            running.cancel()
        if failures:
            raise failures[0]

    @contextlib.contextmanager
    def process(self, log: Path, script: Path | None = None, *words: str, **settings: str) -> Iterator[Supervised]:
        """Runs the worker as a process of its own, and ends it; `settings` (`worker="w1"`) go over the world's.

        `words`: options of `gatekeeper worker`.
        """
        supervised = Supervised(self, log, script, settings, words)
        supervised.start()
        try:
            yield supervised
        finally:
            supervised.end()


class Supervised:
    """A worker's process, started again by whoever supervises it: this test."""

    def __init__(
        self, world: World, log: Path, script: Path | None, settings: dict[str, str], words: tuple[str, ...] = ()
    ) -> None:
        self.log, self.words = log, words
        self.environment = world.environment | {f"GATEKEEPER_{key.upper()}": value for key, value in settings.items()}
        self.process: ForkServerProcess | None = None
        self.script, self._began = script, 0

    def start(self) -> None:
        self.log.touch()
        self._began = self.log.stat().st_size
        self.process = forked.CONTEXT.Process(
            target=forked.worker, args=(self.log, os.environ | self.environment, self.script, self.words)
        )
        self.process.start()

    def kill(self) -> None:
        assert self.process
        self.process.kill()
        self.wait()

    def signal(self, number: signal.Signals) -> None:
        assert self.process
        assert self.process.pid
        os.kill(self.process.pid, number)

    def children(self) -> list[int]:
        """Returns the ids of the processes that it runs, with `--processes`."""
        assert self.process
        tasks = Path(f"/proc/{self.process.pid}/task")
        return [int(pid) for task in tasks.glob("*/children") for pid in task.read_text().split()]

    def wait(self) -> int:
        """Waits until it ends by itself, and returns its exit code."""
        assert self.process
        self.process.join(DEADLINE)
        assert self.process.exitcode is not None, f"the worker does not end: {self.tail()}"
        return self.process.exitcode

    def stop(self) -> int:
        self.signal(signal.SIGTERM)
        return self.wait()

    def end_refused(self) -> None:
        """Starts it again whenever it ends, as a supervisor does, until it ends as a person must look."""
        while (code := self.wait()) != 4:
            assert code in (2, 3, 70), self.tail()
            self.start()

    def keep_alive(self) -> int | None:
        """Starts it again if it has ended; returns the exit code it had, None while it runs."""
        assert self.process
        code = self.process.exitcode
        if code is not None:
            self.start()
        return code

    def end(self) -> None:
        if self.process and self.process.is_alive():
            self.kill()

    def events(self, *names: str) -> list[dict[str, Any]]:
        """Returns what its log says under these events since its last start; a line that is no JSON fails."""
        with self.log.open("rb") as log:
            log.seek(self._began)
            # the last line may be half written
            events = [json.loads(line) for line in log if line.endswith(b"\n")]
        return [event for event in events if event["event"] in names]

    def owned(self) -> list[int]:
        """Returns the partitions that it owns by its log, none before each of them is taken over or kept."""
        return owned_by(self.events("assigned", "partition_owned"))

    def tail(self) -> str:
        return self.log.read_text(errors="replace")[-3000:]


def owned_by(events: Iterable[dict[str, Any]]) -> list[int]:
    """Returns the partitions that a worker owns by these lines of its log."""
    assigned: list[int] = []
    owned: set[int] = set()
    for event in events:
        if event["event"] == "assigned":
            assigned, owned = event["partitions"], set(event["kept"])
        else:
            owned.add(event["partition"])
    return assigned if sorted(owned) == assigned else []


def _did(message: Any) -> str:
    """Returns the decision id in a record's headers."""
    return str(dict(message.headers())["gate-decision-id"].decode())


def _changes(act: Acted) -> bool:
    """Tells whether an act changed the outcome of a send."""
    return act.outcome in ("cleared", "withheld", "recalled") or (act.outcome == "handed" and act.code is None)


def _acted(audits: Iterable[AuditRecord]) -> dict[tuple[str, int, int], AuditRecord]:
    found = [a for a in audits if a.act and a.stage in ("act", "release")]
    by_place = {(logical_name(a.src.topic), a.src.partition, a.src.offset): a for a in found}
    assert len(by_place) == len(found), "an act has two audit records"
    return by_place


def readable(topic: str, key: str | bytes | None, value: bytes) -> bool:
    """Tells whether the gate can read a record."""
    try:
        decode(topic, key.encode() if isinstance(key, str) else key, value)
    except Unreadable:
        return False
    return True


def metrics_page(port: int) -> dict[tuple[str, ...], float]:
    """Returns the values of `/metrics`, as Prometheus's own parser reads them, by name and labels."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        families = text_string_to_metric_families(answer.read().decode())
        return {
            (one.name, *(f"{name}={value}" for name, value in sorted(one.labels.items()))): one.value
            for family in families
            for one in family.samples
        }


def health_page(port: int, page: str) -> tuple[int, dict[str, Any]]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{page}", timeout=5) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())
