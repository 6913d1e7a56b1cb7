"""The topics: made whole from the registry, never changed behind anyone's back, every drift named."""

from __future__ import annotations

import time

import pytest
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, ResourceType

from gatekeeper.ground.errors import UsageError
from gatekeeper.ground.settings import Settings
from schemas.topics import TOPICS
from streams.client import admin
from streams.kafka.broker import Broker


@pytest.fixture
def settings(kafka: Broker, prefix: str) -> Settings:
    return Settings(broker=kafka.bootstrap, prefix=prefix, partitions=3)


@pytest.fixture
def outside(kafka: Broker) -> AdminClient:
    """Another admin client than ours."""
    return AdminClient({"bootstrap.servers": kafka.bootstrap})


def names(outside: AdminClient, prefix: str) -> set[str]:
    return {name for name in outside.list_topics(timeout=10).topics if name.startswith(prefix)}


def make(outside: AdminClient, name: str, partitions: int) -> None:
    outside.create_topics([NewTopic(name, partitions, 1)])[name].result(10)
    _await(outside, name, there=True)


def delete(outside: AdminClient, name: str) -> None:
    outside.delete_topics([name])[name].result(10)
    _await(outside, name, there=False)


def _await(outside: AdminClient, name: str, *, there: bool) -> None:
    """Waits until the broker knows what the controller knows."""
    deadline = time.monotonic() + 10
    while (name in outside.list_topics(timeout=10).topics) is not there:
        assert time.monotonic() < deadline


def config(outside: AdminClient, topic: str) -> dict[str, str | None]:
    resource = ConfigResource(ResourceType.TOPIC, topic)
    return {name: entry.value for name, entry in outside.describe_configs([resource])[resource].result(10).items()}


def test_a_layout_that_cannot_be_then_create_refuses_and_makes_nothing(
    settings: Settings, outside: AdminClient
) -> None:
    with pytest.raises(UsageError):
        admin.create(settings.model_copy(update={"replication": 3}))
    assert names(outside, settings.prefix) == set()
    make(outside, settings.topic("consents"), 7)
    make(outside, settings.topic("sends"), 5)
    with pytest.raises(UsageError) as refused:
        admin.create(settings)
    assert all(part in str(refused.value) for part in (settings.topic("sends"), "5 partitions", "should have 3"))
    assert names(outside, settings.prefix) == {settings.topic("sends"), settings.topic("consents")}
    delete(outside, settings.topic("sends"))
    admin.create(settings)
    differences = admin.verify(settings)
    assert {each.aspect for each in differences} == {"setting"}, "made by hand: its settings differ, its layout may"
    admin.repair(settings, differences)
    assert admin.verify(settings) == []
    consents = config(outside, settings.topic("consents"))
    assert consents["retention.ms"] == "-1"
    assert consents["message.timestamp.type"] == "LogAppendTime"
    assert consents["unclean.leader.election.enable"] == "false"
    admin.demand(settings)
    lost = settings.topic("recalls")
    delete(outside, lost)
    (difference,) = admin.verify(settings)
    assert (difference.topic, difference.aspect) == (lost, "missing")
    with pytest.raises(UsageError):
        admin.demand(settings)


def test_longer_audit_then_both_proof_topics_differ(settings: Settings) -> None:
    admin.create(settings)
    longer = settings.model_copy(update={"audit_days": 3650})
    assert {each.topic for each in admin.verify(longer)} == {settings.topic("audit"), settings.topic("manifests")}
    three = settings.model_copy(update={"replication": 3})
    found = [each for each in admin.verify(three) if each.aspect == "replication"]
    assert {(each.found, each.expected) for each in found} == {("1", "3")}
    assert len(found) == len(TOPICS)
