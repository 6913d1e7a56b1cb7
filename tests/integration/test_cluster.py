"""Clusters of several brokers: what `topics create` and `topics verify` say of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource

from gatekeeper.ground.errors import UnavailableError
from gatekeeper.ground.settings import Settings
from streams.client import admin, cluster
from streams.kafka.broker import Broker
from tests.support.cluster import Cluster
from tests.support.world import until


def test_several_replicas_and_one_that_acknowledges_alone_then_verify_refuses_that(tmp_path: Path) -> None:
    with Cluster(tmp_path, 2) as brokers:
        settings = Settings(broker=brokers.bootstrap, prefix="alone.", partitions=1, replication=2)
        admin.create(settings)
        assert admin.verify(settings) == []
        name, client = settings.topic("consents"), AdminClient({"bootstrap.servers": settings.broker})
        entry = ConfigEntry("min.insync.replicas", "1", incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ConfigResource.Type.TOPIC, name, incremental_configs=[entry])
        client.incremental_alter_configs([resource])[resource].result(10)
        refused = [admin.Difference(name, "setting", "1", "2", "min.insync.replicas")]
        until(lambda: admin.verify(settings) == refused, "the brokers know the setting")
        # whatever the number of replicas that new topics would get
        other = settings.model_copy(update={"replication": 1})
        until(lambda: refused[0] in admin.verify(other), "that is refused as well")


def test_three_brokers_addressed_and_one_there_then_3_and_no_topic_is_made(
    kafka: Broker, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, port = kafka.bootstrap.split(":")
    three = Settings(broker=f"{kafka.bootstrap},localhost:{port},127.0.0.1:1", prefix=prefix, partitions=1)
    with monkeypatch.context() as short:
        short.setattr(cluster, "SPREAD_SECONDS", 0.1)
        with pytest.raises(UnavailableError) as refused:
            admin.create(three)
    assert (refused.value.key, refused.value.values["found"]) == ("error.brokers_missing", 1)
    assert {each.aspect for each in admin.verify(three)} == {"missing"}
    admin.create(three.model_copy(update={"replication": 1}))
    assert admin.create(three).created == ()
