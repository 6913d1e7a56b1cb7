"""A person erased on real Kafka: the salt leaves the broker's files, the proof stays whole, nobody returns unasked."""

import asyncio
import itertools
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient

from gatekeeper.ledger.salts import PULSE_MS
from schemas import topics
from streams.kafka.broker import Broker
from streams.worker import batch, intake, ownership_epoch
from tests.support import forked
from tests.support.invented import CHECK, bare, token
from tests.support.invented import written as home
from tests.support.staff import key_file
from tests.support.world import TEMPLATE, World, consent_of, eventually, own_keys, send_to, source_of, until

P, Q = "P-ERASED", "P-OTHER"
POINT, LISTED, ANEW = ({"id": name, "token": token(name)} for name in ("home", "listed", "anew"))
FACE = "template/T-FACE", {**TEMPLATE[1], "id": "T-FACE", "persons": [{}], "ask_complete": False}
LIST = "batch/B-1", {"v": 1, "kind": "batch", "id": "B-1", "name": "通販購入者名簿", "check": CHECK}
QUICK = {
    "log.cleaner.backoff.ms": "100",
    "log.segment.delete.delay.ms": "100",
    "log.initial.task.delay.ms": "100",
    "log.index.size.max.bytes": "65536",
}
"""Broker settings with which the cleaner looks again soon, and soon deletes replaced segments.

Its files are short: each of them is searched again and again.
"""
BOUGHT = {
    "source_id": "listed",
    "method": "indirect.purchased_list",
    "collected_by": "broker-a",
    "notice_id": None,
    "purposes_told": None,
    "acquired_at": "2025-03-01",
    "batch_id": "B-1",
}
ERASED = ("block", "SUBJECT_ERASED")
FORCED = {"segment.ms": "100", "min.cleanable.dirty.ratio": "0.001"}


@pytest.fixture(scope="module")
def kafka() -> Iterator[Broker]:
    with Broker(settings=QUICK) as broker:
        yield broker


@pytest.fixture
def world(kafka, prefix, tmp_path) -> World:
    found = World(kafka.bootstrap, prefix, partitions=2, keys=own_keys(tmp_path / "keys"), misplaced="judge")
    command(found, "keys", "init")
    found.create().may_ask()
    found.put("reference", [FACE, LIST])
    found.people(["r0"])
    return found


def command(world: World, *words: str, **settings: str) -> str:
    """Runs a command and returns what it puts out; `settings` go over the world's."""
    done = forked.run(*words, env=os.environ | world.environment | settings)
    assert done.returncode == 0, done
    return done.stdout


def known(world: World, person: str, point: dict, **more) -> None:
    """Gives a person a source with an address, and a consent of it."""
    world.put("sources", [(person, bare(source_of(person, contact_points=[point], **more)))])
    world.put("consents", [(person, consent_of(person))])


def sent(world: World, number: str, person: str = P, point: dict = POINT, *, partition: int = -1, **more) -> tuple:
    """Publishes a send with that event id, to its key's partition if no other is named; returns what became of it."""
    value = send_to(
        person, number, contact_point={"id": point["id"], "country": "JP"}, delivery=home(point["id"]), **more
    )
    world.put("sends", [(person, value)], partition=partition)
    return until(lambda: world.verdicts().get(f"e-{number}"), f"a decision on {number}")


def answered(world: World, act_id: str) -> tuple[str, str | None]:
    return until(lambda: world.outcomes().get(act_id), f"an answer to {act_id}")


def salts(world: World) -> set[bytes]:
    """Returns every salt of the person that can still be read."""
    values = [json.loads(m.value()) for m in world.read("salts") if m.key() == f"salt/{P}/".encode() and m.value()]
    return {bytes.fromhex(value["salt"]) for value in values}


def acted(world: World, kind: str) -> int:
    """Returns how many partitions have answered acts of that kind."""
    return [record.act.kind for record in world.acted().values()].count(kind)


def holding(kafka: Broker, secrets: set[bytes]) -> list[str]:
    """Returns the files of the broker that hold one of the salts, as hex or as it is."""
    found = []
    for path in sorted((kafka.folder / "data").rglob("*")):
        try:
            data = path.read_bytes() if path.is_file() else b""
        except FileNotFoundError:
            continue  # the cleaner has just removed it
        if any(form in data for salt in secrets for form in (salt, salt.hex().encode())):
            found.append(path.name)
    return found


def written(world: World, topic: str) -> list[bytes]:
    return [message.value() for message in world.read(topic)]


def configure(world: World, **settings: str) -> None:
    """Sets what the salts are kept by."""
    kept = ConfigResource(ConfigResourceType.TOPIC, world.topic("salts"), settings)
    with KafkaAdminClient(bootstrap_servers=world.bootstrap) as admin:
        assert set(admin.alter_configs([kept])["topic"].values()) == {"OK"}


def prove(world: World, folder: Path) -> None:
    """Asserts that the log seals, verifies and replays as it stands; `folder`: of the export."""
    settings = {"GATEKEEPER_LOG": str(folder.parent / "log")}
    command(world, "audit", "seal", "--once", **settings)
    command(world, "audit", "export", "--out", str(folder), **settings)
    command(world, "audit", "verify", str(folder))
    told = json.loads(command(world, "audit", "replay", str(folder), "--json"))
    assert told["findings"].keys() <= {"same", "silent"}, told
    assert told["records"] == len(world.read("audit"))


def test_a_person_erased_then_no_file_has_the_salt_and_only_readmission_returns_them(kafka, world, tmp_path):
    rolled = itertools.count()
    known(world, P, LISTED, **BOUGHT)
    with world.process(tmp_path / "worker.log") as worker:
        until(worker.owned, "partitions that are owned")
        assert sent(world, "asked", point=LISTED) == ("confirm", "THIRD_PARTY_UNCONFIRMED")
        asked = world.items()["e-asked"]
        home = asked["review"]["partition"]
        world.act("ask", asked, act_id="ask")
        assert answered(world, "ask") == ("asked", None)
        known(world, P, POINT)
        assert sent(world, "released", template_id="T-FACE") == ("review", "CREATIVE_PERSON_UNRELEASED")
        world.act("release", world.items()["e-released"], act_id="release")
        assert answered(world, "release") == ("cleared", None)
        assert sent(world, "cleared") == sent(world, "misplaced", partition=1 - home) == ("clear", None)
        prove(world, tmp_path / "before")
        before, named, secrets = written(world, "audit"), {a.subj for a in world.audits()} - {None}, salts(world)
        assert len(named) == len(secrets) == 2, "one name on each partition"
        assert holding(kafka, secrets)

        command(world, "erase", P, "--reason", "letter", "--by", "hanako", "--yes")
        until(lambda: acted(world, "erase") == 2, "the act on both partitions")
        until(lambda: len(world.read("recalls")) == 3, "recalls of all that was cleared")
        assert [set(value) for key, value in world.ledger().items() if P in key] == [{"at", "until", "v"}]
        configure(world, **FORCED)

        def gone() -> bool:
            names = [f"roll-{next(rolled)}" for _ in range(2)]
            for number, name in enumerate(names):  # who is new rolls the segment: the last one is never compacted
                world.put("sends", [(name, send_to(name, name))], partition=number)
            return not holding(kafka, secrets)

        until(gone, "no file with the salt")
        assert not salts(world)

        known(world, P, ANEW, source_id="anew")
        known(world, Q, POINT)
        for run in ("running", "restarted"):
            assert sent(world, f"{run}-same") == ERASED
            assert sent(world, f"{run}-anew", point=ANEW) == ERASED
            assert sent(world, f"{run}-misplaced", partition=1 - home) == ERASED
            assert sent(world, f"{run}-other", Q) == ERASED
            if run == "running":
                assert worker.stop() == 0
                worker.start()
                until(worker.owned, "partitions that are owned again")

        for number, by in enumerate(("hanako", "taro"), 1):
            why = ("--reason", "joined again", "--evidence", "form-91")
            command(world, "readmit", P, *why, "--by", by, GATEKEEPER_USER_KEY=key_file(by))
            until(lambda acts=2 * number: acted(world, "readmit") == acts, "the act on both partitions")
            if by == "hanako":
                assert sent(world, "one-manager") == ERASED
        assert sent(world, "back") == sent(world, "back-misplaced", partition=1 - home) == ("clear", None)
        assert sent(world, "back-other", Q) == ("clear", None)
    names = {a.send["event_id"]: a.subj for a in world.audits() if a.send and a.stage == "intake"}
    assert names["e-running-same"] is names["e-restarted-anew"] is names["e-restarted-misplaced"] is None
    assert not {names["e-back"], names["e-back-misplaced"]} & {*named, None}
    assert set(before) <= set(written(world, "audit")), "a record changed"
    prove(world, tmp_path / "after")
    assert len(names) == len(world.read("sends")), "one record each"


def test_given_nothing_to_do_after_an_erasure_then_the_salt_still_leaves_the_files(kafka, world, monkeypatch):
    known(world, P, POINT)
    world.put(
        "sends", [(P, send_to(P, contact_point={"id": POINT["id"], "country": "JP"}, delivery=home(POINT["id"])))]
    )
    assert PULSE_MS < ownership_epoch.SILENT_SECONDS * 1000, "an idle partition writes to `salts`, too"
    assert ownership_epoch.SILENT_SECONDS + topics.COMPACTION_LAG_MS / 1000 < 20 * 3600, (
        "within a day, and time to clean"
    )
    monkeypatch.setattr(ownership_epoch, "WRITE_DOWN_SECONDS", 0.0)
    monkeypatch.setattr(intake, "IDLE_SECONDS", 0.5)

    def settled() -> bool:
        """The heads are at the ends: of what came, nothing is left to write down."""
        heads = world.heads()
        return all([heads[n][topic] for n in sorted(heads)] == world.ends(topic) for topic in ("sends", "acts"))

    async def run() -> None:
        async with world.worker():
            await eventually(lambda: world.decided() == 1, "a decision")
            secrets = salts(world)
            await asyncio.to_thread(command, world, "erase", P, "--reason", "letter", "--by", "hanako", "--yes")
            await eventually(lambda: acted(world, "erase") == 2, "the act on both partitions")
            await eventually(settled, "heads at the ends")
            assert holding(kafka, secrets)
            configure(world, **{"max.compaction.lag.ms": "2000"})
            monkeypatch.setattr(ownership_epoch, "SILENT_SECONDS", 1.0)
            monkeypatch.setattr(batch, "PULSE_MS", 500)
            await eventually(lambda: not holding(kafka, secrets), "no file with the salt")

    asyncio.run(run())
    world.check_manifests()
