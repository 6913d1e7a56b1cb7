"""The brokers of a cluster, asked one by one: each of them learns of a change by itself, some later than others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import monotonic
from typing import Any

from kafka.errors import KafkaError, UnknownBrokerIdError

from gatekeeper import interruption
from gatekeeper.errors import UnavailableError
from gatekeeper.settings import Settings
from streams.client.connection import addresses

SPREAD_SECONDS = 15.0
"""Longest wait for all brokers. Kafka gives up a broker that is silent for 9 seconds, and then it no longer counts."""
LOOK_SECONDS = 0.05
REPLICAS = 3
"""So many copies of each topic are made where no number is set and as many brokers are there."""


def everywhere(admin: Any, holds: Callable[[], bool]) -> None:
    """Returns when every broker that clients are sent to answers so that `holds` is true.

    `holds`: asks through `admin`, whose requests go to one broker after another meanwhile.
    Raises UnavailableError (3) with the ids of the brokers that are still behind after SPREAD_SECONDS.
    """
    deadline = monotonic() + SPREAD_SECONDS
    while behind := [broker for broker in _each(admin) if not _answers(holds)]:
        if monotonic() > deadline:
            raise UnavailableError("error.brokers_behind", brokers=", ".join(map(str, behind)))
        interruption.wait(LOOK_SECONDS)


def demand_whole(admin: Any, settings: Settings) -> None:
    """Returns when as many brokers have joined the cluster as new topics shall have replicas, if we know of so many.

    Right after the start of a cluster some are not there yet, and topics made then would have one replica for good.
    Raises UnavailableError (3) where three brokers are addressed and have not joined within SPREAD_SECONDS.
    """
    if settings.replication or len(set(addresses(settings))) < REPLICAS:
        return
    deadline = monotonic() + SPREAD_SECONDS
    while (found := len(admin.describe_cluster()["brokers"])) < REPLICAS:
        if monotonic() > deadline:
            raise UnavailableError("error.brokers_missing", broker=settings.bootstrap, found=found, replicas=REPLICAS)
        interruption.wait(LOOK_SECONDS)


def _each(admin: Any) -> Iterator[int]:
    """Yields the id of each broker in use; until the next one, all that `admin` asks goes to that broker.

    A private name of kafka-python, which sends what has no addressee to any broker: tests/unit/test_private_names.py.
    """
    brokers = [row["broker_id"] for row in admin.describe_cluster()["brokers"] if not row.get("is_fenced")]
    for broker in brokers:
        admin._manager.least_loaded_node = lambda broker=broker: broker
        try:
            yield broker
        finally:
            del admin._manager.least_loaded_node


def _answers(holds: Callable[[], bool]) -> bool:
    try:
        return holds()
    except UnknownBrokerIdError:
        return True  # it joined since this client began, and a broker joins with all that was there
    except KafkaError:
        return False
