"""Several Kafka nodes of one cluster, each with a folder, a process and ports of its own."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self

from streams.kafka import node
from streams.kafka.broker import Broker


class Cluster:
    """So many nodes, each broker and controller; `brokers` has them by their node id."""

    def __init__(self, folder: Path, size: int) -> None:
        ports: list[int] = []
        while len(ports) < 2 * size:
            ports.append(node.free_port(*ports))
        clients, controllers = ports[:size], ports[size:]
        voters = ",".join(f"{number}@{node.HOST}:{port}" for number, port in enumerate(controllers, 1))
        self.bootstrap = ",".join(f"{node.HOST}:{port}" for port in clients)
        self.brokers = {
            number: Broker(
                folder / str(number),
                port=client,
                settings={
                    "node.id": str(number),
                    "listeners": f"CLIENT://{node.HOST}:{client},CONTROLLER://{node.HOST}:{controller}",
                    "controller.quorum.voters": voters,
                    "offsets.topic.replication.factor": str(size),
                    "transaction.state.log.replication.factor": str(size),
                    "transaction.state.log.min.isr": str(min(2, size)),
                },
            )
            for number, (client, controller) in enumerate(zip(clients, controllers, strict=True), 1)
        }

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack, ThreadPoolExecutor() as pool:
            for broker in self.brokers.values():
                stack.callback(broker.stop)
                stack.callback(broker.kill)  # before that: in order, the last ones would wait for a leader
            list(pool.map(Broker.start, self.brokers.values()))  # a node starts only once most of them are there
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
