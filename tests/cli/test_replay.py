"""`gatekeeper audit replay --live` and `what-if --live`: honest workers are found right, and others are named."""

from __future__ import annotations

import base64
import json
import uuid
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import orjson
import pytest

from gatekeeper.audit.records.pseudonym import Subjects
from gatekeeper.audit.records.record import schema_hash
from gatekeeper.audit.records.releases import RULES
from gatekeeper.engine.judged import Judged
from gatekeeper.engine.manifest import Taken, manifest
from gatekeeper.engine.sends import Judge
from gatekeeper.ground.times import instant
from gatekeeper.keys import Keys
from gatekeeper.knowledge.store import FactStore
from gatekeeper.ledger.entries import release
from gatekeeper.ledger.state import LedgerState
from gatekeeper.policy.packs import load
from schemas.codec import canonical, decode
from schemas.record import Record
from schemas.topics import FACT_TOPICS
from streams.kafka.broker import Broker
from tests.cli.conftest import Run
from tests.support import staff
from tests.support.invented import KEY, TOKENS, terms
from tests.support.world import World, consent_of, home_of, send_to, source_of, until

ALL = ("audit", "replay", "--live", "--rate", "0", "--json")


@pytest.fixture(scope="module")
def history(kafka: Broker, tmp_path_factory: pytest.TempPathFactory) -> World:
    """A world in which everything happened once, without a worker any more."""
    world = World(kafka.bootstrap, f"t{uuid.uuid4().hex}.", partitions=2, max_lag=60.0).create().may_ask()
    world.people(["anna", "ben", "cora"])
    world.people(["young"], may_be_minor=True)
    world.people(["bea"], home=home_of("ben"))
    world.put("sources", [("nobody", source_of("nobody"))])
    for version in (1, 2):
        _, said = terms(version=version, published_at=f"202{version}-04-01")
        world.put("reference", [(f"joint_use_terms/{said['terms_id']}", said)])
    world.put(
        "sources", [("shared", source_of("shared", method="indirect.joint_use", collected_by="C2", terms_id="JU"))]
    )
    with world.process(tmp_path_factory.mktemp("worker") / "log"):
        names = ["anna", "ben", "cora", "young", "nobody", "stranger", "shared"]
        world.put("sends", [(name, send_to(name, f"first-{name}", campaign_id="first")) for name in names])
        world.put("sends", [("anna", b"{"), ("anna", send_to("anna", "again", campaign_id="first"))])
        world.await_audits(9)
        world.act("release", world.items()["e-first-young"])
        world.act("redecide", world.items()["e-first-nobody"], act_id="redecide-1")
        world.put("consents", [("ben", consent_of("ben", "Withdrawn"))])
        until(lambda: [a for a in world.audits() if a.stage == "recall"], "the recall")
        until(lambda: len(world.outcomes()) == 2, "the answers")
        world.put("sends", [("bea", send_to("bea", "late", delivery=home_of("ben")))])
        until(lambda: world.verdicts().get("e-late") == ("block", "CONSENT_WITHDRAWN"), "what ben said binds her mail")
        for partition in range(2):
            act = {"v": 1, "kind": "handoff", "act_id": "h-1", "at": staff.now(), "by": "hanako"}
            world.put("acts", [(None, {**act, "subject": "campaign/first"})], partition=partition)
        until(lambda: sum(a.act is not None and a.act.outcome == "done" for a in world.audits()) == 2, "hand-offs")
    return world


@pytest.fixture
def world(history: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """That world, named to the commands."""
    for name, value in history.environment.items():
        monkeypatch.setenv(name, value)
    return history


class Forger:
    """A worker of our key that writes what it likes, in transactions whose manifests fit."""

    def __init__(self, world: World, person: str) -> None:
        self.world = world
        self.person = person
        value = send_to(person, f"forged-{uuid.uuid4().hex[:8]}")
        world.put("sends", [(person, value)])
        message = next(m for m in world.read("sends") if m.value() == orjson.dumps(value))
        place = message.topic(), message.partition(), message.offset(), message.timestamp()[1]
        self.record = Record(*place, message.key(), message.value())
        self.judge = Judge(load("jp-pmark"), 2, tokens=TOKENS, subjects=Subjects({1: KEY}, lambda size: bytes(size)))

    def judged(self, *, without: str = "nothing", released: str | None = None) -> Judged:
        """Returns what an honest worker would have written, had it not known of the facts of one kind of event.

        `released`: a reason for which somebody is said to have released the piece.
        """
        store = FactStore(self.world.settings.group)
        for topic in FACT_TOPICS:
            for message in self.world.read(topic):
                if without.encode() not in message.value():
                    place = topic, message.partition(), message.offset(), message.timestamp()[1]
                    store.apply(Record(*place, message.key(), message.value()))
        state, sent = LedgerState(), decode("sends", None, self.record.value)
        if released:
            said = {"campaign_id": sent.campaign_id, "channel": "postal", "decision_id": "A" * 26, "by": "hanako"}
            said |= {"v": 1, "kind": "release", "at": instant(self.record.timestamp), "reasons": [released]}
            said |= {"had": [released], "evidence_ref": "memo-1"}
            state.put(release(sent, "A" * 26, said, until=self.record.timestamp * 2))
        return self.judge.judge(self.record, store, self.record.timestamp, ledger=state)

    def write(self, judged: Judged) -> int:
        """Writes the transaction; returns the offset of its manifest."""
        key, head = Keys(Path(self.world.keys)).signer("worker"), self.world.head(self.record.partition)
        assert head is not None
        value = manifest(
            writer="forger",
            kid=key.kid,
            partition=self.record.partition,
            taken=[Taken(self.record.topic, self.record.offset, self.record.offset + 1, 1)],
            judged=[judged],
            dead_facts=0,
            as_of={topic: self.world.ends(topic) for topic in FACT_TOPICS},
            prev=head["prev"],
            policy=load("jp-pmark").at(self.record.timestamp),
            t0=self.record.timestamp,
            t1=self.record.timestamp,
        )
        signature = [("gate-sig", base64.b64encode(key.sign(value)))]
        with self.world.transaction() as producer:
            where = {"partition": self.record.partition}
            producer.produce(self.world.topic("audit"), judged.audit, judged.did, **where)
            producer.produce(self.world.topic("manifests"), value, b"forger", headers=signature, **where)
            after = {**head, "sends": self.record.offset + 1, "prev": sha256(value).hexdigest()}
            producer.produce(self.world.topic("ledger"), canonical(after), b"head", **where)
            producer.commit_transaction(30)
        # what is committed may not be visible at once
        found = until(lambda: [m for m in self.world.read("manifests") if m.value() == value], "the manifest")
        return int(found[0].offset())


@pytest.mark.main
def test_honest_workers_then_every_decision_is_derived_again_with_its_facts(world: World, run: Run) -> None:
    done = run(*ALL)
    said = done.json
    assert (done.code, said["found"], said["troubles"]) == (0, [], [])
    assert said["records"] == len(world.audits()) == sum(said["stages"].values())
    assert set(said["stages"]) == {"intake", "release", "act", "recall", "handoff"}
    assert set(said["findings"]) == {"same", "told", "silent"}
    assert said["facts"] == {"folded": said["findings"]["same"] + said["findings"]["told"]}


def test_workers_that_lie_then_each_is_named_with_partition_and_offset(world: World, run: Run) -> None:
    expected: list[dict[str, Any]] = []

    def forged(
        person: str, place: str, *, without: str = "nothing", released: str | None = None, **changed: Any
    ) -> None:
        forger = Forger(world, person)
        judged = forger.judged(without=without, released=released)
        audit = canonical({**orjson.loads(judged.audit), **changed})
        offset = forger.write(msgspec.structs.replace(judged, audit=audit))
        expected.append({"partition": forger.record.partition, "offset": offset, "record": 0, "place": place})

    forged("cora", "nothing: this one tells the truth")
    expected.clear()
    forged("nobody", "verdict", verdict="clear", reasons=[])
    forged("ben", "facts.consents[0].arrived", without="Withdrawn")  # kept beside a refusal, which hides here
    forged("young", "facts.releases[0]", released="AGE_UNCERTAIN")
    forged("cora", "policy.id", policy=load("jp-appi").home[0].ref)
    unread = {"code": "EVENT_INVALID", "facts": [], "says": {"case": "unreadable", "fault": "not_json"}}
    empty = dict.fromkeys(("campaign", "controller", "channel", "purpose", "message_class", "send", "facts", "basis"))
    engine = {"rules": RULES, "schema": schema_hash()}
    forged("anna", "reasons[0].says", verdict="block", reasons=[unread], obligations=[], engine=engine, **empty)

    done = run(*ALL)
    found = [{name: one[name] for name in ("partition", "offset", "record", "place")} for one in done.json["found"]]
    assert done.code == 1
    assert sorted(found, key=json.dumps) == sorted(expected, key=json.dumps)
    told = run(*ALL[:-1]).out
    for one in expected:
        assert f"partition {one['partition']}, offset {one['offset']} of `manifests`, its record 0" in told
