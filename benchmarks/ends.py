"""Prints the time of the barrier's question: `python -m benchmarks.ends [--brokers 3]`.

For comparison it also asks the leader that any broker names, as aiokafka does.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer

from gatekeeper.settings import Settings
from schemas.topics import FACT_TOPICS
from streams.client import admin
from streams.kafka.broker import Broker
from streams.worker.clients import Clients
from tests.support.cluster import Cluster

WARM, ROUNDS = 100, 1_000


async def measure(name: str, ask: Callable[[list[Any]], Awaitable[Any]], partitions: list[Any]) -> None:
    """Asks again and again, and prints milliseconds: median, 99th percentile, processor time of this process."""
    for _ in range(WARM):
        await ask(partitions)
    taken, used = [], time.process_time()
    for _ in range(ROUNDS):
        began = time.perf_counter()
        await ask(partitions)
        taken.append((time.perf_counter() - began) * 1000)
    used = (time.process_time() - used) / ROUNDS * 1000
    taken.sort()
    print(f"{name:<20} {taken[ROUNDS // 2]:>8.2f} {taken[ROUNDS * 99 // 100]:>8.2f} {used:>8.2f}")


async def compare(settings: Settings) -> None:
    """Prints the times of both ways."""
    ends = Clients(settings).ends()
    plain = AIOKafkaConsumer(bootstrap_servers=settings.bootstrap)
    await asyncio.gather(ends.start(), plain.start())
    partitions = await ends.partitions([settings.topic(name) for name in FACT_TOPICS])
    await ends.ends(partitions)
    print(f"{len(partitions)} partitions, in ms    median      p99      cpu")
    for _ in range(2):
        await measure("any leader", plain.end_offsets, partitions)
        await measure("the newest leader", ends.ends, partitions)
    await asyncio.gather(ends.stop(), plain.stop())


def main() -> None:
    """Starts brokers, makes the topics, and measures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--brokers", type=int, default=1)
    brokers = parser.parse_args().brokers
    with contextlib.ExitStack() as stack:
        if brokers == 1:
            bootstrap = stack.enter_context(Broker()).bootstrap
        else:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            bootstrap = stack.enter_context(Cluster(folder, brokers)).bootstrap
        settings = Settings(broker=bootstrap)
        admin.create(settings)
        asyncio.run(compare(settings))


if __name__ == "__main__":
    main()
