"""Configuration of a local node: its ports, its properties, and its log format."""

from __future__ import annotations

import random
import re
import socket

from gatekeeper.ground.errors import UnavailableError

HOST = "127.0.0.1"
PORTS = range(20_000, 32_768)
"""Range for free ports, below those that systems use for outgoing connections. An outgoing connection to a stopped
broker can get the broker's own port. It then connects to itself, and blocks the broker.
"""
FEATURES = "bootstrap.checkpoint"
"""The feature levels that a new node begins with.

The file is of Kafka's own format tool, kept beside the jars' lock.
"""
LOG4J = """\
status=error
appender.console.type=Console
appender.console.name=console
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=%d %p %c{1} %m%n
rootLogger.level=warn
rootLogger.appenderRef.console.ref=console
logger.server.name=kafka.server.KafkaRaftServer
logger.server.level=info
"""


def properties(port: int, controller: int) -> dict[str, str]:
    """The properties of a single node: nothing is replicated, and no topic is created automatically."""
    replication = dict.fromkeys(
        (
            "offsets.topic.replication.factor",
            "transaction.state.log.replication.factor",
            "transaction.state.log.min.isr",
            "share.coordinator.state.topic.replication.factor",
            "share.coordinator.state.topic.min.isr",
        ),
        "1",
    )
    few = dict.fromkeys(
        (
            "offsets.topic.num.partitions",
            "transaction.state.log.num.partitions",
            "share.coordinator.state.topic.num.partitions",
        ),
        "4",
    )
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        "listeners": f"CLIENT://{HOST}:{port},CONTROLLER://{HOST}:{controller}",
        "advertised.listeners": f"CLIENT://{HOST}:{port}",
        "listener.security.protocol.map": "CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "CLIENT",
        "controller.listener.names": "CONTROLLER",
        "controller.quorum.voters": f"1@{HOST}:{controller}",
        "auto.create.topics.enable": "false",
        "group.initial.rebalance.delay.ms": "0",
        "transaction.max.timeout.ms": "60000",  # a client's open transaction holds the barrier for as long
        "metadata.max.idle.interval.ms": "0",  # or an idle node writes twice a second that nothing happens
        "controller.socket.timeout.ms": "5000",  # a halted controller holds writes up for as long
        "log.segment.bytes": str(64 * 2**20),
        "log.cleaner.dedupe.buffer.size": str(16 * 2**20),
        "num.network.threads": "2",
        "num.io.threads": "4",
        **replication,
        **few,
    }


def ports_in(text: str) -> tuple[int, int]:
    """The client and controller ports in the text of a properties file of ours, 0 if it has none."""
    match = re.search(r"^listeners=CLIENT://[\d.]+:(\d+),CONTROLLER://[\d.]+:(\d+)$", text, re.MULTILINE)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def is_free(port: int) -> bool:
    """True if a node could listen on `port` now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as Kafka does: old connections do not count
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


_given = set[int]()
"""The ports that this process was given. It may use them later than it asked for others."""


def free_port(*but: int) -> int:
    """A port that is free now, not in `but`, and not given to this process before.

    Raises UnavailableError (3) if none is found.
    """
    for port in random.sample(PORTS, len(PORTS)):
        if port not in _given and port not in but and is_free(port):
            _given.add(port)
            return port
    raise UnavailableError("error.ports_taken", first=PORTS.start, last=PORTS.stop - 1)
