"""The search for a broker that answers: a hanging broker accepts connections and says nothing.

kafka-python asks one broker at random, both for bootstrap and for requests to any broker. It waits as long as for all.
So the first broker that answers is found beforehand, and asked as long as it can be reached.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from aiokafka.conn import AIOKafkaConnection, create_conn
from aiokafka.errors import KafkaError
from kafka.net.compat import KafkaNetClient
from kafka.net.manager import KafkaConnectionManager
from kafka.net.selector import NetworkSelector

from gatekeeper.ground.settings import Settings
from streams.client.connection import addresses, reached

ANSWER_SECONDS = 5.0
FIRST = "bootstrap-0"
"""kafka-python's name of a client's first bootstrap server."""


class Manager(KafkaConnectionManager):
    """Connections of a client that was made with the address that answers."""

    DEFAULT_CONFIG = KafkaConnectionManager.DEFAULT_CONFIG | {
        "socket_connection_setup_timeout_ms": int(ANSWER_SECONDS * 1000)
    }

    def __init__(self, net: Any, **configs: Any) -> None:
        self.made = 0
        """Connections that were begun."""
        self._known: dict[Any, Any] = {}
        super().__init__(net, **configs)

    def bootstrap(self, *args: Any, **how: Any) -> Any:
        """Asks for the brokers. If none ever answered, its thread ends, as whoever makes the client never gets it."""
        try:
            return super().bootstrap(*args, **how)
        except BaseException:
            if not self.cluster.brokers():
                self._net.stop(ANSWER_SECONDS * 1000)
            raise

    def get_connection(self, node_id: Any, **how: Any) -> Any:
        """The connection to a broker, which is counted when it is begun."""
        connection = super().get_connection(node_id, **how)
        if self._known.get(node_id) is not connection:
            self._known[node_id] = connection
            self.made += 1
        return connection

    def least_loaded_node(self) -> Any:
        """The broker for requests that any broker can answer, None for no broker.

        That is the one at the address that answers, by its number: topics are read on the same connection.
        """
        first, *others = self.cluster.bootstrap_brokers()
        at = {(broker.host, broker.port): broker.node_id for broker in self.cluster.brokers()}
        chosen = at.get((first.host, first.port), FIRST)
        return super().least_loaded_node() if others or self.connection_delay(chosen) else chosen


def client(**configs: Any) -> KafkaNetClient:
    """The client below kafka-python's consumers, producers and admin clients: their `kafka_client`."""
    return managed(**configs)[0]


def managed(**configs: Any) -> tuple[KafkaNetClient, Manager]:
    """The same client, with its connections."""
    net = NetworkSelector(**configs)
    manager = Manager(net, **configs)
    return KafkaNetClient(net=net, manager=manager), manager


def answering(settings: Settings) -> str:
    """The address that answers first; all addresses if none answers within ANSWER_SECONDS.

    Raises as `reached` does. Not for a running loop.
    """
    servers = addresses(settings)
    if len(servers) == 1:
        return settings.bootstrap
    return asyncio.run(_first(settings, servers)) or settings.bootstrap


async def _first(settings: Settings, servers: list[tuple[str, int]]) -> str | None:
    how = {name: value for name, value in reached(settings).items() if name != "bootstrap_servers"}
    left = [asyncio.create_task(_answers(host, port, how)) for host, port in servers]
    try:
        for answer in asyncio.as_completed(left):
            if address := await answer:
                return address
        return None
    finally:
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


async def _answers(host: str, port: int, how: dict[str, Any]) -> str | None:
    """The address once that server has told its versions, and has accepted our password if it requires one."""
    with contextlib.suppress(KafkaError, OSError):
        connection: AIOKafkaConnection = await create_conn(
            host, port, request_timeout_ms=int(ANSWER_SECONDS * 1000), **how
        )
        connection.close()
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return None
