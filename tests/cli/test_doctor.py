"""`gatekeeper doctor`: causes made for real are each found, and a system that is well has nothing wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource

from gatekeeper.ground.settings import Settings
from gatekeeper.keys import ROLES, Keys, key_name
from tests.cli.conftest import Outcome, Run, System
from tests.support.world import World, until


def levels(done: Outcome) -> dict[str, str]:
    """Returns the level of each check."""
    return {row["check"]: row["level"] for row in map(json.loads, done.out.splitlines())}


def told(done: Outcome, check: str) -> str:
    """Returns what a check found, and what to do next."""
    row = next(row for row in map(json.loads, done.out.splitlines()) if row["check"] == check)
    return f"{row['found']} {row['next']}"


def wrong(done: Outcome) -> list[str]:
    return [check for check, level in levels(done).items() if level == "wrong"]


@pytest.fixture
def keys(environment: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Keys:
    """The keys of a worker's machine, where data and log are, too."""
    keys = Keys(tmp_path / "keys")
    for role in ROLES:
        keys.make(role, key_name(environment.group, role))
    for name in ("keys", "data", "log"):
        monkeypatch.setenv(f"GATEKEEPER_{name.upper()}", str(tmp_path / name))
    return keys


def ends(settings: Settings) -> dict[str, int]:
    """Returns the number of records on each topic of the system."""
    world = World(settings.broker, settings.prefix, partitions=settings.partitions)
    return {name: sum(world.ends(name)) for name in ("acts", "consents", "reference", "sends", "audit")}


@pytest.mark.main
def test_a_system_that_is_well_then_nothing_is_wrong_and_each_real_cause_is_found(
    run: Run, people: System, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = people.settings
    outside, before = AdminClient({"bootstrap.servers": settings.broker}), ends(settings)
    well = run("doctor", "--for", "office", "--json")
    assert (well.code, wrong(well), well.err) == (0, [], "")
    found = levels(well)
    for check in ("version", "controller", "clock", "topics", "topic_settings", "people", "own_key", "policy"):
        assert found[check] == "ok", told(well, check)
    assert found["replicas"] == found["brokers"] == found["quotas"] == found["surplus"] == "warning", "it is one Kafka"
    assert found["partitioner"] == found["worker_keys"] == found["seal"] == "unknown", "nothing was decided yet"
    assert found["rights"] == "ok", "also on the group of workers, which nobody has joined"
    assert "gatekeeper topics rights" not in well.out

    entry = ConfigEntry("retention.ms", "1000", incremental_operation=AlterConfigOpType.SET)
    drifted = ConfigResource(ConfigResource.Type.TOPIC, settings.topic("audit"), incremental_configs=[entry])
    outside.incremental_alter_configs([drifted])[drifted].result(10)
    gone = settings.topic("recalls")
    outside.delete_topics([gone])[gone].result(10)
    (keys.folder / "token-1.key").chmod(0o644)
    monkeypatch.setenv("GATEKEEPER_USER_KEY", str(keys.folder / "token-1.key"))
    until(
        lambda: wrong(run("doctor", "--for", "office", "--json")) == ["keys", "topics", "topic_settings", "own_key"],
        "each cause is found, and no other",
    )
    ill = run("doctor", "--for", "office", "--json")
    assert ill.code == 1
    assert "chmod 600" in told(ill, "keys")
    assert gone in told(ill, "topics")
    assert "retention.ms" in told(ill, "topic_settings")
    assert ends(settings) == before, "it writes nothing"
    assert run("staff", "key", "mallory", "--folder", str(keys.folder)).code == 0
    monkeypatch.setenv("GATEKEEPER_USER_KEY", str(keys.folder / "mallory-k1.key"))
    assert "mallory" in told(run("doctor", "--for", "office", "--json"), "own_key"), "it is not on record"
