"""`gatekeeper partition`: which partitions are refused and why, and the act by which a person lets one go on."""

from __future__ import annotations

import json
import shlex
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from kafka import TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.errors import CoordinatorNotAvailableError, NoError
from kafka.structs import OffsetAndMetadata

from gatekeeper.ground.errors import IntegrityError
from gatekeeper.ground.partitioner import partition_of
from gatekeeper.ground.texts import text
from gatekeeper.ledger.head import Head
from gatekeeper.ledger.refused import Refused
from gatekeeper.ledger.resumption import resumption
from gatekeeper.ledger.topic_ids import ORDER, differing
from schemas.codec import decode
from streams.client import admin
from streams.kafka.broker import Broker
from tests.support import staff
from tests.support.world import World, until

HEAD = Head(sends=2, acts=0, prev="0" * 64, at=1)


@pytest.fixture
def world(kafka: Broker, prefix: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> World:
    """A world of its own, which the commands of the test use; its `partitions` are the parameter."""
    world = World(kafka.bootstrap, prefix, partitions=request.param).create()
    for name, value in world.environment.items():
        monkeypatch.setenv(name, value)
    return world


@pytest.fixture
def refused(system, a_send):
    """Lets partition 1 of the system be refused: two sends are decided, two expired, three wait."""
    settings = system.settings
    for number in range(7):
        system.put("sends", json.dumps(a_send(number)).encode(), partition=1)
    system.put("ledger", HEAD.encode(), key=b"head", partition=1)
    sends = TopicPartition(settings.topic("sends"), 1)
    with KafkaAdminClient(bootstrap_servers=settings.broker) as admin:
        admin.delete_records({sends: 4})

        def note(key: str = "error.sends_expired", **more: int) -> Refused:
            where = {
                "topic": sends.topic,
                "partition": 1,
                "position": 2,
                "begin": 4,
                "error": "E",
                "place": "p",
                **more,
            }
            found = Refused.of(IntegrityError(key, **where), since=1_764_000_000_000)
            mirror = {sends: OffsetAndMetadata(2, found.encode(), -1)}

            def committed() -> bool:
                with suppress(CoordinatorNotAvailableError):  # a new broker makes its topic of offsets first
                    return {*admin.alter_group_offsets(settings.group, mirror).values()} == {NoError}
                return False

            until(committed, "a note")
            return found

        note()
        yield note


@pytest.mark.main
def test_a_record_that_is_a_defect_then_two_managers_pass_it_and_no_other_record(run, system, refused) -> None:
    refused("error.partition_defect", offset=4)
    told = run("partition", "show", "1")
    assert 'gatekeeper partition resume 1 --skip sends/4 --by ID --reason "TEXT"' in told.out
    assert text("partition.skip") in told.out
    call = ("partition", "resume", "1", "--reason", "x", "--yes", "--wait", "0.3")
    assert "stands at sends/4" in run(*call, "--by", "hanako", "--skip", "sends/5").says(2)
    assert "does not go on by this command" in run(*call, "--by", "hanako", "--from", "5").says(2)
    assert text("error.partition_one_option") in run(*call, "--by", "hanako").says(2)
    assert "--skip" in run(*call, "--by", "hanako", "--skip", "audit/4").says(2)
    assert system.records("acts") == []

    for _ in range(2):
        first = run(*call, "--by", "hanako", "--skip", "sends/4")
        assert first.code == 0, "it waits for a person, not for a worker"
        assert "A second manager must run the same command: gatekeeper partition resume 1 --skip sends/4" in first.err
    second = run(*call, "--by", "taro", "--skip", "sends/4")
    assert (second.code, "second manager" in second.err) == (5, False), "no worker is there to take it up"
    acts = [(one, decode("acts", one.key, one.value)) for one in system.records("acts")]
    why = {"partition": 1, "refused": "error.partition_defect", "head": HEAD.encode()}
    assert resumption(acts[:2], **why, counts=lambda _: True) is None
    found = resumption(acts, **why, counts=lambda _: True)
    assert found is not None
    assert (found.by, found.sends, found.acts) == ("taro", 5, 0)


def test_one_manager_is_registered_then_no_record_is_passed_and_nothing_is_written(run, system, refused) -> None:
    refused("error.partition_defect", offset=4)
    call = ("partition", "resume", "1", "--skip", "sends/4", "--by", "hanako", "--reason", "x", "--yes", "--wait", "0")
    alone, *others = staff.founding(origin=system.settings.group)
    system.put("reference", alone[1], key=alone[0].encode())
    assert text("error.partition_one_manager", managers="hanako") in run(*call).says(2)
    assert system.records("acts") == []
    for name, value in others:
        system.put("reference", value, key=name.encode())
    assert run(*call).code == 0
    assert len(system.records("acts")) == 1


@pytest.mark.main
@pytest.mark.parametrize("world", [4], indirect=True)
def test_three_of_four_partitions_refused_then_one_is_decided_and_each_is_resumed(
    run, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sends that expired while no worker ran, a ledger without its last transactions, and a head that is none."""
    monkeypatch.setenv("GATEKEEPER_LOG", str(tmp_path / "log"))
    people = {number: [] for number in range(4)}
    for name in (f"p{number}" for number in range(40)):
        people[partition_of(name.encode(), 4)].append(name)
    names = [name for each in people.values() for name in each]
    world.people(names)
    world.sends(names)
    with world.process(tmp_path / "before.log") as worker:
        world.await_audits(len(names))
        old = [m.value() for m in world.read("ledger") if (m.key(), m.partition()) == (b"head", 2)][-1]
        known = world.ledger().keys()
        world.sends(names, 1_000)
        world.await_audits(2 * len(names))
        assert worker.stop() == 0
    lost = [key for key in world.ledger().keys() - known if partition_of(key.split("/")[1].encode(), 4) == 2]
    assert len(lost) == len(people[2])
    world.put("ledger", [*((key, None) for key in lost), ("head", old)], partition=2)
    world.put("ledger", [("head", b"{}")], partition=3)
    head = world.head(1)["sends"]
    world.sends(names, 2_000)
    expired = TopicPartition(world.topic("sends"), 1)
    with KafkaAdminClient(bootstrap_servers=world.bootstrap) as admin:
        admin.delete_records({expired: head + 7})

    def refused() -> dict[int, str]:
        rows = run("status", "--json").json["partitions"]
        return {row["partition"]: row["refused"]["reason"] for row in rows if row["refused"]}

    wrong = {1: "error.sends_expired", 2: "error.torn", 3: "error.head_unreadable"}
    with world.process(tmp_path / "first.log") as worker:
        until(lambda: refused() == wrong, "every refusal, seen from outside")
        until(lambda: len(world.audits()) == 2 * len(names) + len(people[0]), "the sends of the fourth partition")
        assert worker.stop() == 0
    assert refused() == wrong, "without any worker"
    world.sends(people[0], 3_000)
    with world.process(tmp_path / "again.log") as worker:
        fourth = 2 * len(names) + 2 * len(people[0])
        until(lambda: len(world.audits()) == fourth, "the fourth partition, again", 10)
        until(lambda: len(worker.events("partition_refused")) >= 6, "each is refused again")
        assert refused() == wrong
        for number in wrong:
            call = run("partition", "show", str(number), "--json").json["refused"]["resume"]
            words = [*shlex.split(call)[1:-4], "--by", "hanako", "--reason", "looked"]
            wait = ("--wait", "0") if number < 3 else ()
            assert run(*words, "--yes", *wait).code == 0
        decided = 3 * len(names) + len(people[0]) - 7
        until(lambda: sum(a.stage == "intake" for a in world.audits()) == decided, "all that is left")
        until(lambda: sum(a.stage == "act" for a in world.audits()) == 3, "every act, in its turn")
        assert refused() == {}
        assert run("status", "--json").json["findings"] == []
        world.check(decided)
    covered = run("audit", "coverage", "--json")
    assert (covered.code, covered.json["findings"]) == (5, []), "what expired cannot be proven any more"
    (skip,) = covered.json["skipped"]
    assert (skip["partition"], skip["start"], skip["to"], skip["by"]) == (1, head, head + 7, "hanako")
    assert run("audit", "export", "--out", str(tmp_path / "out"), "--unsealed").code == 0
    verified = run("audit", "verify", str(tmp_path / "out"), "--json").json
    assert [finding["code"] for finding in verified["findings"]] == ["no_log"]
    (said,) = (one for one in verified["says"] if one["code"] == "skipped_by")
    assert (said["partition"], said["first"], said["to"], said["by"]) == (1, head, head + 7, "hanako")


def stop_of(name: str) -> tuple[str, dict[str, Any]]:
    stop = {"v": 1, "kind": "objection", "suppression_id": f"stop-{name}", "received_at": "2026-01-01"}
    return name, {**stop, "recipient_id": name}


@pytest.mark.main
@pytest.mark.parametrize("world", [1], indirect=True)
@pytest.mark.parametrize("how", ["deleted", "made_again"])
def test_stops_gone_from_their_topic_then_decisions_wait_for_two_people(
    run, world: World, tmp_path: Path, how: str
) -> None:
    kept = {"data": ""} if how == "deleted" else {}
    world.people(["anna"])
    world.put("suppressions", [stop_of("anna")])
    world.sends(["anna"])
    with world.process(tmp_path / "before.log", **kept) as worker:
        world.await_audits(1)
        assert worker.stop() == 0
    if how == "deleted":
        with KafkaAdminClient(bootstrap_servers=world.bootstrap) as client:
            client.delete_records({TopicPartition(world.topic("suppressions"), 0): -1})
    else:
        world.remake("suppressions")
    world.sends(["anna"], 1)
    with world.process(tmp_path / "after.log", **kept) as worker:
        assert worker.wait() == 4, "all its partitions are refused"
    shown = run("partition", "show", "0", "--json").json["refused"]
    assert (shown["reason"], len(world.audits())) == ("error.facts_made_again", 1)
    assert "suppressions" in run("status").out
    world.put("suppressions", [stop_of("anna")])
    two_managers_resume(run, 0)
    with world.process(tmp_path / "again.log", **kept) as worker:
        until(lambda: len(world.verdicts()) == 2, "the second send")
        assert worker.stop() == 0
    assert {*world.verdicts().values()} == {("block", "SUBJECT_OBJECTED")}
    assert differing(world.head(0)["topics"], admin.topic_ids(world.settings, ORDER)) == []
    with world.process(tmp_path / "later.log", **kept):
        world.sends(["anna"], 2)
        until(lambda: len(world.verdicts()) == 3, "it stays said")


def two_managers_resume(run, number: int) -> None:
    """Two managers run the command that `partition show` prints."""
    shown = run("partition", "show", str(number), "--json").json["refused"]
    words = shlex.split(shown["resume"])[1:-4]
    for who in ("hanako", "taro"):
        done = run(*words, "--by", who, "--reason", "looked", "--yes", "--wait", "0")
        assert done.code == 0, done.err
        assert ("second manager" in done.err) == (who == "hanako")


DECIDED, LATER = 40, 120


@pytest.mark.parametrize("world", [2], indirect=True)
def test_sends_made_again_then_none_is_passed_over_and_two_people_let_all_be_decided(
    run, world: World, tmp_path: Path
) -> None:
    people = [f"p{number}" for number in range(DECIDED)]
    later = [f"q{number}" for number in range(LATER)]
    world.people([*people, *later])
    world.sends(people)
    with world.process(tmp_path / "before.log") as worker:
        world.await_audits(DECIDED)
        world.remake("sends")
        world.sends(later, 1_000)
        worker.end_refused()
    assert {row["refused"]["reason"] for row in run("status", "--json").json["partitions"]} == {"error.input_replaced"}
    assert "sends" in run("audit", "replay", "--live").says(4)
    with world.process(tmp_path / "after.log") as worker:
        assert worker.wait() == 4
    assert len(world.audits()) == DECIDED, "nothing is decided meanwhile"
    for number in (0, 1):
        shown = run("partition", "show", str(number), "--json").json
        assert shown["refused"]["from"] == {"topic": "sends", "first": 0, "last": shown["logs"]["sends"]["end"]}
        two_managers_resume(run, number)
    with world.process(tmp_path / "again.log") as worker:
        until(lambda: len(world.verdicts()) == DECIDED + LATER, "all sends")
        assert worker.stop() == 0
    assert {*world.verdicts().values()} == {("clear", None)}
    assert len({one.did for one in world.audits()}) == len(world.audits()), "one decision id for each"
    assert len({dict(one.headers())["gate-decision-id"] for one in world.read("cleared")}) == DECIDED + LATER
