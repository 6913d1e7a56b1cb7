"""Several Kafka nodes of one cluster, each with a folder, a process and ports of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self

from confluent_kafka.admin import AdminClient
from kafka import TopicPartition
from kafka.admin import KafkaAdminClient

from streams.kafka import node
from streams.kafka.broker import Broker
from tests.support.proxy import Hold, Proxy
from tests.support.world import DEADLINE, World, until

NODES = 10
"""Fewer nodes than this has a cluster."""
PREFERRED = 0
"""Of the two elections that Kafka knows: the first replica leads, if it is in sync."""


class Cluster:
    """A cluster of nodes, each broker and controller; `brokers` has them by their node id.

    A client of `bootstrap` reaches the nodes directly, as they reach each other. A client of `proxy.bootstrap`
    reaches each of them through the proxy. `settings` go over each node's own.
    """

    def __init__(self, folder: Path, size: int, settings: Mapping[str, str] | None = None) -> None:
        ports = [node.free_port() for _ in range(3 * size)]
        clients, controllers, proxied = ports[:size], ports[size : 2 * size], ports[2 * size :]
        self.bootstrap = ",".join(f"{node.HOST}:{port}" for port in clients)
        self.proxy = Proxy(dict(enumerate(proxied, 1)))
        self._quorum = Proxy(
            {_way(one, other): port for one in range(1, size + 1) for other, port in enumerate(controllers, 1)}
        )
        self.brokers = {
            number: Broker(
                folder / str(number),
                port=client,
                settings={
                    "node.id": str(number),
                    "listeners": f"CLIENT://{node.HOST}:{client},CONTROLLER://{node.HOST}:{controller}"
                    f",PROXIED://{node.HOST}:{behind}",
                    "advertised.listeners": f"CLIENT://{node.HOST}:{client}"
                    f",PROXIED://{node.HOST}:{self.proxy.port(number)}",
                    "listener.security.protocol.map": "CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT,PROXIED:PLAINTEXT",
                    "controller.quorum.voters": ",".join(
                        f"{other}@{node.HOST}:{self._quorum.port(_way(number, other))}" for other in range(1, size + 1)
                    ),
                    "offsets.topic.replication.factor": str(size),
                    "transaction.state.log.replication.factor": str(size),
                    "transaction.state.log.min.isr": str(min(2, size)),
                    "auto.leader.rebalance.enable": "false",
                    **(settings or {}),
                },
            )
            for number, (client, controller, behind) in enumerate(zip(clients, controllers, proxied, strict=True), 1)
        }
        self._halted: set[int] = set()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack, ThreadPoolExecutor() as pool:
            for broker in self.brokers.values():
                stack.callback(broker.stop)
                stack.callback(broker.kill)  # before that: in order, the last ones would wait for a leader
            for proxy in (self.proxy, self._quorum):
                stack.enter_context(proxy)
            list(pool.map(Broker.start, self.brokers.values()))  # a node starts only once most of them are there
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def halt(self, number: int) -> None:
        """Stops a node as a machine that hangs: it takes connections, and answers nothing."""
        os.kill(self.brokers[number].pid, signal.SIGSTOP)
        self._halted.add(number)

    def resume(self, number: int) -> None:
        """Lets a halted node go on."""
        os.kill(self.brokers[number].pid, signal.SIGCONT)
        self._halted.discard(number)

    def keep(self, folder: Path) -> None:
        """Copies all disks as they are at one instant, at which every node is halted."""
        for number in self.brokers:
            self.halt(number)
        folder.mkdir()
        for number, broker in self.brokers.items():
            copy = ("cp", "-r", "--sparse=always", str(broker.folder / "data"), str(folder / str(number)))
            subprocess.run(copy, check=True)
        for number in self.brokers:
            self.resume(number)

    def put_back(self, folder: Path) -> None:
        """Replaces all disks by the copies of `keep`, between a death of all nodes and their start."""
        for broker in self.brokers.values():
            broker.kill()
        for number, broker in self.brokers.items():
            shutil.rmtree(broker.folder / "data")
            (folder / str(number)).rename(broker.folder / "data")
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda broker: broker.start(timeout=DEADLINE), self.brokers.values()))
        until(self.whole, "all replicas in sync")

    @contextlib.contextmanager
    def deaf(self, number: int) -> Iterator[None]:
        """Keeps from a node what the controllers tell it: it does not hear who leads what from now on."""
        hold = self._quorum.add(Hold(lambda asked: asked.broker // NODES == number, answers=True))
        try:
            yield
        finally:
            self._quorum.remove(hold)

    def leader(self, tp: TopicPartition) -> tuple[int, set[int]]:
        """Returns who leads a partition, -1 for nobody, and its in-sync replicas, as a node that runs has it."""
        return self.leaders(tp.topic)[tp]

    def leaders(self, *topics: str) -> dict[TopicPartition, tuple[int, set[int]]]:
        """Returns the same of all partitions of these topics, or of all topics, Kafka's own among them."""
        admin = AdminClient({"bootstrap.servers": self.running, "log_level": 0})
        return {
            TopicPartition(name, number): (partition.leader, set(partition.isrs))
            for name, topic in admin.list_topics(timeout=10).topics.items()
            for number, partition in topic.partitions.items()
            if not topics or name in topics
        }

    def whole(self, *topics: str) -> bool:
        """Tells whether every replica is in sync."""
        return all(in_sync == self.brokers.keys() for _, in_sync in self.leaders(*topics).values())

    def lead(self, first: Mapping[TopicPartition, int]) -> None:
        """Has each partition led by whom `first` says, all others by the first node; returns when all are in sync."""
        wanted = {tp: first.get(tp, 1) for tp in self.leaders()}
        nodes = [*self.brokers, *self.brokers]
        with KafkaAdminClient(bootstrap_servers=self.running) as admin:
            admin.alter_partition_reassignments(
                {tp: nodes[leader - 1 : leader - 1 + len(self.brokers)] for tp, leader in wanted.items()}
            )
            admin.elect_leaders(PREFERRED)
        placed = {tp: (leader, set(self.brokers)) for tp, leader in wanted.items()}
        until(lambda: placed.items() <= self.leaders().items(), "all are led as they should be")

    @property
    def running(self) -> str:
        """The addresses of the nodes that are not halted."""
        return ",".join(broker.bootstrap for number, broker in self.brokers.items() if number not in self._halted)


def _way(one: int, other: int) -> int:
    """Returns the number of the way from a node to a controller, as the proxy between them has it."""
    return one * NODES + other


def spoil(broker: Broker, world: World, partition: int, word: bytes, topic: str = "consents") -> None:
    """Changes one byte of a batch where a broker keeps it, as a bad disk would."""
    log = broker.folder / "data" / f"{world.topic(topic)}-{partition}" / f"{0:020}.log"
    with log.open("r+b") as file:
        file.seek(file.read().rindex(word))
        file.write(b"X")
