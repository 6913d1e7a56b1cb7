"""A cluster of two brokers, of which the second learns of everything later."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource

from gatekeeper.ground.errors import UnavailableError
from gatekeeper.ground.settings import Settings
from schemas.topics import TOPICS
from streams.client import admin, cluster
from streams.kafka import node
from streams.kafka.broker import Broker
from tests.support.world import until

LATE_SECONDS = 0.4


class Late:
    """A port that leads to another one on loopback, whose answers come LATE_SECONDS later."""

    def __init__(self, to: int) -> None:
        self._to, self._over = to, threading.Event()
        self._server = socket.create_server((node.HOST, 0))
        self.port: int = self._server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._over.set()
        self._server.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._server.accept()
                far = socket.create_connection((node.HOST, self._to))
                for one, other, late in ((near, far, 0.0), (far, near, LATE_SECONDS)):
                    threading.Thread(target=self._carry, args=(one, other, late), daemon=True).start()

    def _carry(self, one: socket.socket, other: socket.socket, late: float) -> None:
        with suppress(OSError):
            while data := one.recv(65_536):
                self._over.wait(late)
                other.sendall(data)
        for end in (one, other):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@pytest.fixture(scope="module")
def bootstraps(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """The addresses of the two brokers; the first one knows everything at once."""
    tmp_path = tmp_path_factory.mktemp("late")
    with ExitStack() as stack:
        one, controller = node.free_port(), node.free_port()
        two = node.free_port()
        prompt = node.properties(one, controller)
        stack.enter_context(Broker(tmp_path / "one", port=one, settings=prompt, exact=True))
        late = Late(controller)
        stack.callback(late.close)
        second = node.properties(two, late.port) | {
            "process.roles": "broker",
            "node.id": "2",
            "listeners": f"CLIENT://{node.HOST}:{two}",
            "transaction.max.timeout.ms": "900000",  # Kafka's own, and the next one, too
            "controller.socket.timeout.ms": "30000",
        }
        stack.enter_context(Broker(tmp_path / "two", port=two, settings=second, exact=True))
        yield [f"{node.HOST}:{port}" for port in (one, two)]


def test_a_broker_that_learns_of_the_topics_later_then_create_waits_for_it(bootstraps: list[str]) -> None:
    for number in range(2):  # a client asks any broker: once alone, it may happen to ask the late one
        settings = Settings(broker=",".join(bootstraps), prefix=f"late{number}.", partitions=1)
        made = admin.create(settings).created
        known = AdminClient({"bootstrap.servers": bootstraps[1]}).list_topics(timeout=10).topics
        assert len(made) == len(TOPICS)
        assert known.keys() >= set(made)
        assert admin.verify(settings) == []


def test_several_replicas_and_one_that_acknowledges_alone_then_verify_refuses_that(bootstraps: list[str]) -> None:
    settings = Settings(broker=",".join(bootstraps), prefix="alone.", partitions=1, replication=2)
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
