"""The brokers of a cluster, asked one by one, since each learns of a change at its own time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any

from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError

from gatekeeper.ground import interruption
from gatekeeper.ground.errors import UnavailableError
from gatekeeper.ground.settings import Settings
from streams.client.broker_access import connection, reaching
from streams.client.connection import addresses

SPREAD_SECONDS = 15.0
"""Longest wait for all brokers, in seconds. After 9 seconds Kafka gives up a silent broker."""
LOOK_SECONDS = 0.05
REPLICAS = 3
"""Copies of each new topic, if no number is set and the cluster has as many brokers."""


def everywhere(settings: Settings, admin: Any, holds: Callable[[Any], bool]) -> None:
    """Waits until `holds` is true of the answers of every broker in use.

    `holds`: asks through the given admin client, whose requests go to one broker after another meanwhile.
    Raises UnavailableError (3) with the ids of the brokers that are still behind after SPREAD_SECONDS.
    """
    deadline = monotonic() + SPREAD_SECONDS
    behind = _behind(admin, holds)
    while behind:
        if monotonic() > deadline:
            raise UnavailableError("error.brokers_behind", brokers=", ".join(map(str, sorted(behind))))
        interruption.wait(LOOK_SECONDS)
        with connected(settings) as again:  # a client learns late of brokers that join
            behind = _behind(again, holds)


@contextmanager
def connected(settings: Settings) -> Iterator[Any]:
    """Yields an admin client; errors of Kafka in the block are raised as by `reaching`."""
    with reaching(settings), KafkaAdminClient(**connection(settings)) as admin:
        yield admin


def demand_whole(admin: Any, settings: Settings) -> None:
    """Waits until as many brokers have joined the cluster as new topics need replicas, if so many are addressed.

    Right after the start of a cluster some are missing, and topics made then would keep one replica for good.
    Raises UnavailableError (3) if three brokers are addressed and have not joined within SPREAD_SECONDS.
    """
    if settings.replication or len(set(addresses(settings))) < REPLICAS:
        return
    deadline = monotonic() + SPREAD_SECONDS
    while (joined := len(admin.describe_cluster()["brokers"])) < REPLICAS:
        if monotonic() > deadline:
            raise UnavailableError("error.brokers_missing", broker=settings.bootstrap, found=joined, replicas=REPLICAS)
        interruption.wait(LOOK_SECONDS)


def _behind(admin: Any, holds: Callable[[Any], bool]) -> set[int]:
    """The brokers for which `holds` is not true.

    A broker may not know yet of another that has joined. A broker that knows the change knows all that joined before
    it.
    """
    known, asked, behind = _in_use(admin), set[int](), set[int]()
    while left := known - asked:
        asked.add(broker := min(left))
        with _asking(admin, broker):
            try:
                if holds(admin):
                    known |= _in_use(admin)
                    continue
            except KafkaError:
                pass
            behind.add(broker)
    return behind


def _in_use(admin: Any) -> set[int]:
    return {row["broker_id"] for row in admin.describe_cluster()["brokers"] if not row.get("is_fenced")}


@contextmanager
def _asking(admin: Any, broker: int) -> Iterator[None]:
    """Sends all requests of the client in the block to one broker.

    A private name of kafka-python, which sends requests without addressee to any broker:
    tests/unit/test_private_names.py.
    """
    admin._manager.least_loaded_node = lambda: broker
    try:
        yield
    finally:
        del admin._manager.least_loaded_node
