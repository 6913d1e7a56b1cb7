"""`gatekeeper status`: who decides and how far it is, the counts, and exit 1 for what needs a person."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from kafka import TopicPartition
from kafka.admin._transactions import AbortTransactionSpec

from gatekeeper.ground.partitioner import partition_of
from gatekeeper.ground.settings import Settings
from streams.client import cluster
from streams.kafka.broker import Broker
from tests.support import staff
from tests.support.world import World, consent_of, send_to, until


def places(told: Any) -> list[tuple[int, int, int | None, int]]:
    return [(row["partition"], row["end"], row["position"], row["lag"]) for row in told["partitions"]]


def test_sends_wait_and_no_worker_runs_then_exit_1_and_how_to_start_one(run, system, a_send) -> None:
    for number in range(3):
        system.put("sends", json.dumps(a_send(number)).encode(), partition=1)
    found = run("status", "--json")
    assert (found.code, found.json["findings"]) == (1, ["no_owner"])
    assert places(found.json) == [(0, 0, None, 0), (1, 3, None, 3)]
    assert [row["owner"] for row in found.json["partitions"]] == [None, None]
    assert [row["waiting_age_ms"] is None for row in found.json["partitions"]] == [True, False]
    assert (found.json["lag"], found.json["workers"], found.json["seal"]) == (3, [], None)
    assert found.json["worker"]["ready"] is None
    assert "`gatekeeper worker`" in run("status").out.splitlines()[0]

    register = {"v": 1, "kind": "register", "id": "mail-preference", "file_date": "2026-11-01"}
    for name, value in (*staff.founding(origin=system.settings.group), staff.line(register)):
        system.put("reference", value, key=name.encode())
    found = run("status", "--json").json
    assert found["findings"] == ["no_owner", "reference_waits"]
    assert [(one["record"], one["signed_by"]) for one in found["signatures"]["waiting"]] == [
        ("register/mail-preference", [])
    ]
    assert "register/mail-preference (reference/0/" in run("status").out


def test_a_foreign_transaction_left_open_then_status_names_its_client_and_the_cure(
    run, system, kafka: Broker, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(kafka.bootstrap, prefix, partitions=2)
    with world.transaction() as other:
        world.put("consents", [("anna", consent_of("anna"))] * 2, other, partition=1)
        assert "transaction_open" not in run("status", "--json").json["findings"], "it is young"
        monkeypatch.setattr("gatekeeper.cli.status.OPEN_MS", 0)
        found = run("status", "--json")
        assert (found.code, "transaction_open" in found.json["findings"]) == (1, True)
        (held,) = found.json["transactions"]
        assert (held["topic"], held["partition"], held["offset"]) == ("consents", 1, 0)
        assert held["transaction"] == f"{prefix}foreign"
        assert 0 < held["age_ms"] < 60_000
        assert held["abort"] in run("status").out
        called = shlex.split(held["abort"])
        assert called[:4] == ["kafka-transactions.sh", "--bootstrap-server", kafka.bootstrap, "abort"]
        assert called[4:] == ["--topic", f"{prefix}consents.v1", "--partition", "1", "--start-offset", "0"]
        with cluster.connected(system.settings) as admin:  # as that command does
            tp = TopicPartition(called[5], int(called[7]))
            (producer,) = admin.describe_producers([tp])[tp].active_producers
            epoch = producer.producer_epoch
            admin.abort_transaction(AbortTransactionSpec(tp, held["producer"], epoch, producer.coordinator_epoch))
        until(lambda: not run("status", "--json").json["transactions"], "it is over")
        other.abort_transaction(30)


def test_a_worker_at_work_held_up_and_killed_then_status_says_each(
    run, environment: Settings, kafka: Broker, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(kafka.bootstrap, prefix, partitions=2, max_lag=300.0).create()
    monkeypatch.setenv("GATEKEEPER_APPLICATION", world.application)
    monkeypatch.setenv("GATEKEEPER_SESSION_TIMEOUT", "6")
    monkeypatch.setattr("gatekeeper.management.fleet.PATIENCE_MS", -5_000)  # with the session time-out: one second

    def findings() -> list[str]:
        found = run("status", "--json")
        assert found.code == (1 if found.json["findings"] else 0)
        return found.json["findings"]

    with world.process(tmp_path / "worker.log") as worker:
        world.sends(["anna", "ben"])
        world.await_audits(2)
        until(lambda: findings() == [], "all is well")
        told = run("status", "--json").json
        assert {row["owner"] for row in told["partitions"]} == {"worker-0"}
        (only,) = told["workers"]
        assert (only["worker"], only["host"], only["partitions"]) == ("worker-0", "127.0.0.1", [0, 1])
        assert 0 <= only["written_age_ms"] < 60_000
        assert run("status").out.startswith("All is well")
        with world.transaction() as other:
            world.put("consents", [("anna", consent_of("anna"))], other)
            world.sends(["anna"], 2)  # waits for the facts, which nobody commits
            until(lambda: findings() == ["not_deciding"], "an owner that decides nothing")
            spoken = run("status").out.splitlines()[0]
            assert "worker-0" in spoken
            assert "/readyz" in spoken
            other.commit_transaction(30)
        until(lambda: findings() == [], "all is well again")
        worker.kill()
        until(lambda: findings() == ["no_owner"], "the session of the killed worker is over")
    told = run("status", "--json").json
    assert [(row["worker"], row["host"], row["partitions"]) for row in told["workers"]] == [("worker-0", None, [])]
    assert "not in the group" in run("status").out


def test_librdkafkas_own_partitioner_then_misplaced_records_are_refused_and_counted(
    run, environment: Settings, kafka: Broker, prefix: str, tmp_path: Path
) -> None:
    world = World(kafka.bootstrap, prefix, partitions=2).create()
    names = [f"p{number}" for number in range(40)]
    world.people(names[:30])
    sends = ((name, send_to(name, name)) for name in names)
    world.put("sends", sends, world.producer(partitioner="consistent_random"))
    with world.process(tmp_path / "worker.log"):
        world.await_audits(len(names))
    there = {m.key() for m in world.read("sends") if partition_of(m.key(), 2) == m.partition()}
    clear = len(there & {name.encode() for name in names[:30]})
    assert world.check(len(names)) == {"clear": clear, "block": len(names) - clear}
    misplaced = len(names) - len(there)
    assert 0 < misplaced < len(names)
    letters = [dict(message.headers()) for message in world.read("deadletter")]
    assert [one["gate-fault"] for one in letters] == [b"partition_wrong"] * misplaced
    assert run("status", "--json").json["misplaced"] == misplaced
    assert run("status").code == 1
