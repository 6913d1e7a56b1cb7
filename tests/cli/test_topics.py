"""`gatekeeper topics`: made, compared and listed; every drift by name and with exit code 1."""

from __future__ import annotations

import json
import time
from pathlib import Path

import orjson
import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from gatekeeper.ground.partitioner import partition_of
from gatekeeper.ground.settings import Settings
from gatekeeper.knowledge.store import FactStore
from gatekeeper.knowledge.token_keys import named_by
from schemas.codec import canonical
from schemas.topics import FACT_TOPICS, TOPICS
from streams.client.reader import Reader
from streams.kafka.broker import Broker
from tests.cli.conftest import System
from tests.support import invented
from tests.support.world import World, group_keys, send_to, until


def make(settings: Settings, topic: str, partitions: int) -> None:
    outside = AdminClient({"bootstrap.servers": settings.broker})
    name = settings.topic(topic)
    outside.create_topics([NewTopic(name, partitions, 1)])[name].result(10)
    deadline = time.monotonic() + 10
    while name not in outside.list_topics(timeout=10).topics:  # the controller knows before the broker does
        assert time.monotonic() < deadline


@pytest.mark.main
def test_a_bare_broker_then_create_makes_all_and_verify_is_content(run, environment: Settings) -> None:
    created = run("topics", "create", "--json")
    assert created.code == 0
    assert created.json["created"] == [environment.topic(name) for name in TOPICS]
    again = run("topics", "create")
    assert again.code == 0
    assert f"already there: {len(TOPICS)}" in again.out
    verified = run("topics", "verify")
    assert (verified.code, verified.err) == (0, "")
    assert environment.broker in verified.out


@pytest.mark.main
def test_a_drifted_topic_then_create_tells_and_repair_puts_it_right(run, environment: Settings) -> None:
    make(environment, "consents", 4)
    told = run("topics", "create")
    assert told.code == 1
    assert "retention.ms" in told.out
    assert "--repair" in told.out
    assert run("topics", "create", "--repair").code == 0
    assert run("topics", "verify").code == 0


@pytest.mark.main
def test_facts_copied_to_another_prefix_then_arrivals_hold_once_a_manager_signs(
    run, environment: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("topics", "create").code == 0
    old = System(environment)
    for number in range(20):
        fact = invented.consent(recipient_id=f"R-{number}", event_time="2098-12-24", recorded_at="2098-12-24")[1]
        old.put("consents", canonical(fact), key=f"R-{number}".encode(), partition=number % 2)
    old.put("consents", b"{broken", key=b"R-1")
    made_by = named_by({"t1": "00112233445566aa"})
    stop = canonical(invented.suppression(token="cp-1")[1])
    old.put("suppressions", stop, key=invented.token("cp-1").encode(), headers=(*made_by, ("other", b"left out")))
    old.put("reference", canonical(invented.controller()[1]), key=b"controller/C1")
    first = {record.key: record.timestamp for record in old.records("consents") if record.value != b"{broken"}

    new = environment.model_copy(update={"prefix": f"{environment.prefix}b.", "partitions": 3})
    monkeypatch.setenv("GATEKEEPER_PREFIX", new.prefix)
    monkeypatch.setenv("GATEKEEPER_PARTITIONS", "3")
    assert run("topics", "create").code == 0
    assert "--from" in run("topics", "copy", "--from", new.prefix).says(2)
    copied = run("topics", "copy", "--from", environment.prefix, "--json")
    assert copied.code == 1
    assert copied.json["copied"] == {"sources": 0, "consents": 20, "suppressions": 1, "reference": 1}
    assert len(copied.json["unreadable"]) == 1
    assert new.topic("consents") in run("topics", "copy", "--from", environment.prefix).says(2)

    def believed() -> dict[bytes | None, int]:
        """The arrival of each person's consent, as a worker folds it."""
        store, found = FactStore(new.group), dict[bytes | None, int]()
        with Reader(new) as reader:
            for topic in FACT_TOPICS:
                for record in reader.read(topic):
                    assert store.apply(record) is None
        for key in first:
            assert key is not None
            facts = orjson.loads(store.person(key.decode()))
            found[key] = facts["consents"][0]["arrived"]
        return found

    assert all(arrived > first[key] for key, arrived in believed().items())
    assert run("init", "hanako", "--folder", str(tmp_path)).code == 0
    monkeypatch.setenv("GATEKEEPER_USER_KEY", str(tmp_path / "hanako-k1.key"))
    assert run("reference", "sign", *copied.json["to_sign"]).code == 0
    assert believed() == first
    (copied_stop,) = System(new).records("suppressions")
    assert copied_stop.headers[1:] == made_by, "whose key made its tokens is still told"


@pytest.mark.main
def test_a_partition_added_to_a_topic_of_fixed_number_then_the_former_ones_go_on(
    run, kafka: Broker, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = group_keys(tmp_path / "keys", f"{prefix}gk")
    world = World(kafka.bootstrap, prefix, partitions=2, keys=keys).create()
    for name, value in (world.environment | {"GATEKEEPER_LOG": str(tmp_path / "log")}).items():
        monkeypatch.setenv(name, value)
    names = [f"p{number}" for number in range(30)]
    world.people(names)
    world.sends(names)

    def decided() -> int:
        return sum(a.stage == "intake" for a in world.audits())

    with world.process(tmp_path / "before.log") as worker:
        until(lambda: decided() == 30, "the sends of before")
        added = world.grow("sends")
        world.sends(names, 100)  # by the producer's own partitioner, so some stand on the new partition
        waiting = {name for name in names if partition_of(name.encode(), 3) == added}

        until(lambda: decided() == 60 - len(waiting), "those on the former ones")
        until(worker.owned, "its partitions")
        assert worker.stop() == 0
    with world.process(tmp_path / "after.log") as worker:
        world.put("sends", [(name, send_to(name, f"{name}-later")) for name in names], partition=1)
        until(lambda: decided() == 90 - len(waiting), "what came later")
        until(worker.owned, "its partitions")
        status = run("status", "--json")
        assert (status.code, status.json["findings"]) == (1, ["partitions_added", "misplaced"])
        told = {(one["topic"], *one["partitions"], one["records"]) for one in status.json["partitions_added"]}
        assert told == {("sends", added, len(waiting))}
        assert [row["partition"] for row in status.json["partitions"]] == [0, 1]
        differences = run("topics", "verify", "--json").json["differences"]
        assert {(one["topic"], one["aspect"]) for one in differences} == {(world.topic("sends"), "added")}
        assert run("partition", "list").code == 0

        assert run("withdraw", "p0").code == 0  # an act, on the partition of before
        until(lambda: sum(a.stage == "act" for a in world.audits()) == 1, "the act")
        again = tmp_path / "again.jsonl"
        again.write_text("\n".join(json.dumps(send_to(name, f"{name}-again")) for name in names))
        assert run("publish", str(again)).code == 0
        until(lambda: decided() == 120 - len(waiting), "sends that our own command publishes")
        assert worker.stop() == 0
    verdicts = world.verdicts()
    assert [verdicts[f"e-{name}-again"] for name in names[1:]] == [("clear", None)] * 29
    assert run("audit", "coverage").code == 1
    assert run("audit", "seal", "--once").code == 0
    assert run("backup", str(tmp_path / "saved")).code == 0
