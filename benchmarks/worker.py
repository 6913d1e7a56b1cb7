"""Measures the whole product on a real Kafka: the throughput of one worker over waiting sends, and a send's latency.

Included are the demo's people, every rule, snapshot, manifest, ledger. Broker, worker and driver share this machine, so
compare numbers of one run only. The latency is from a send's publication until its committed audit record was read.

python -m benchmarks.worker                              20,000 people, 60,000 sends that wait, three rounds
python -m benchmarks.worker --people 5000 --sends 5000 --rounds 1
"""

from __future__ import annotations

import argparse
import os
import tempfile
import threading
import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from statistics import median, quantiles
from typing import NamedTuple

import orjson
from confluent_kafka import Consumer, TopicPartition

from gatekeeper.demo.retailer import Retailer
from schemas.codec import encode
from schemas.manifests import Manifest
from schemas.topics import FACT_TOPICS, subject_key
from streams.client import admin
from streams.kafka.broker import Broker
from tests.support.world import Supervised, World, until

SECONDS = 20
"""Seconds of published sends whose latency is measured."""
DEADLINE = 600.0

Records = Sequence[tuple[str, bytes]]
"""Key and value."""


class Round(NamedTuple):
    """Results of one round: `start` in seconds, `memory` in MB, the others as named."""

    start: float
    memory: float
    sends_a_second: float
    cpu_us_a_send: float
    p50_ms: float
    p99_ms: float

    def __str__(self) -> str:
        return (
            f"{self.sends_a_second:8,.0f} sends/s {self.cpu_us_a_send:6.0f} µs CPU of the worker a send"
            f" {self.memory:6.0f} MB {self.start:5.1f} s to start;"
            f" a send's way p50 {self.p50_ms:.0f} ms, p99 {self.p99_ms:.0f} ms"
        )


def main() -> None:
    """Plays every round on topics of its own, and prints each, and the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=20_000)
    parser.add_argument("--sends", type=int, default=60_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rate", type=int, default=1_000, help="sends a second that flow")
    asked = parser.parse_args()
    retailer = Retailer(people=asked.people, today=date.today())
    facts: dict[str, list[tuple[str, bytes]]] = {topic: [] for topic in FACT_TOPICS}
    for topic, value in (*retailer.reference(), *retailer.facts()):
        facts[topic].append((subject_key(topic, value), encode(value)))
    sends = [(one.recipient_id, encode(one)) for one in retailer.sends(asked.sends + asked.rate * SECONDS)]
    known = sum(map(len, facts.values()))
    print(f"{asked.people:,} people, {known:,} facts, {asked.sends:,} sends that wait, then {asked.rate:,} a second")
    rounds = []
    with tempfile.TemporaryDirectory() as folder, Broker(Path(folder) / "kafka") as broker:
        for number in range(asked.rounds):
            world = World(broker.bootstrap, f"round{number}.", partitions=8)
            admin.create(world.settings)
            for topic, records in facts.items():
                world.put(topic, records)
            log = Path(folder) / f"worker-{number}.log"
            rounds.append(measured(world, sends[: asked.sends], sends[asked.sends :], log, rate=asked.rate))
            print(rounds[-1], flush=True)
    print(f"{Round(*(median(values) for values in zip(*rounds, strict=True)))}, in the middle")


def measured(world: World, waiting: Records, flowing: Records, log: Path, *, rate: int) -> Round:
    """Lets a worker judge the waiting sends, then those published meanwhile."""
    world.put("sends", waiting)
    began = time.perf_counter()
    with world.process(log) as worker:
        until(worker.owned, "a worker that owns all partitions", DEADLINE)
        started, owned, spent = time.perf_counter(), time.time(), processor(worker)
        position = Position(world)
        until(lambda: position.now() >= len(waiting), "every send decided", DEADLINE)
        spent = processor(worker) - spent
        speed = len(waiting) / (ended(world) - owned)
        ways = quantiles(way(world, flowing, rate), n=100)
        memory = resident(worker)
        position.close()
        assert worker.stop() == 0, worker.tail()
    return Round(started - began, memory, speed, spent / len(waiting) * 1e6, ways[49], ways[98])


class Position:
    """Number of decided sends, by the group's offsets, which the worker commits together with its decisions."""

    def __init__(self, world: World) -> None:
        topic = world.settings.topic("sends")
        self._partitions = [TopicPartition(topic, number) for number in range(world.partitions)]
        self._consumer = Consumer({"bootstrap.servers": world.bootstrap, "group.id": world.settings.group})

    def now(self) -> int:
        """The present number of decided sends."""
        return sum(max(one.offset, 0) for one in self._consumer.committed(self._partitions, timeout=30))

    def close(self) -> None:
        """Ends the connection."""
        self._consumer.close()


def ended(world: World) -> float:
    """The time of the last transaction that took a send, by the broker's clock: this machine's."""
    found = []
    for message in world.read("manifests"):
        if any(taken.n for taken in Manifest.model_validate_json(message.value()).in_):
            found.append(message.timestamp()[1] / 1e3)
    return max(found)


def way(world: World, flowing: Records, rate: int) -> list[float]:
    """Publishes at an even pace. The result is each send's latency in milliseconds."""
    producer, topic = world.producer(**{"linger.ms": 0}), world.settings.topic("sends")
    published: dict[str, float] = {}
    named = [(orjson.loads(value)["event_id"], key, value) for key, value in flowing]

    def publish() -> None:
        began = time.perf_counter()
        for number, (event_id, key, value) in enumerate(named):
            if (early := began + number / rate - time.perf_counter()) > 0:
                time.sleep(early)
            published[event_id] = time.perf_counter()
            producer.produce(topic, value, key)
            producer.poll(0)
        producer.flush(60)

    reader = Consumer(
        {
            "bootstrap.servers": world.bootstrap,
            "group.id": "benchmark",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
        }
    )
    audit = world.settings.topic("audit")
    reader.assign([TopicPartition(audit, number, end) for number, end in enumerate(world.ends("audit"))])
    pacing = threading.Thread(target=publish)
    pacing.start()
    read, deadline = [], time.monotonic() + DEADLINE
    while len(read) < len(named):
        assert time.monotonic() < deadline, f"{len(read)} of {len(named)} sends decided"
        message = reader.poll(0.1)
        if message is not None and message.error() is None:
            read.append((time.perf_counter(), message.value()))
    pacing.join()
    reader.close()
    return [(at - published[orjson.loads(value)["send"]["event_id"]]) * 1e3 for at, value in read]


def processor(worker: Supervised) -> float:
    """Seconds of processor time that the worker has used."""
    fields = Path(f"/proc/{pid(worker)}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident(worker: Supervised) -> float:
    """The worker's memory in MB."""
    return int(Path(f"/proc/{pid(worker)}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def pid(worker: Supervised) -> int:
    """The process id."""
    assert worker.process
    return worker.process.pid


if __name__ == "__main__":
    main()
