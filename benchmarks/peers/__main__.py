"""Measures the gate beside its peers on one real Kafka, in turns. Compare the numbers of one run only.

Broker, candidate and driver share this machine. Each candidate judges waiting sends of people whom it never mailed
(cold). Then it judges one send more to each of them (warm). Then sends flow at an even pace. The latency is from a
send's publication until its committed record on `audit` was read. Stock Faust writes at least once, all others exactly
once. A peer does a small part of the gate's job: see job.py.

    python -m benchmarks.peers                              100,000 people, three rounds
    python -m benchmarks.peers --people 2000 --rounds 1 --rates 50 --only gate,aiokafka
    python -m benchmarks.peers --json results.json --svg peers.svg
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from itertools import islice
from pathlib import Path
from statistics import median
from typing import NamedTuple

import orjson
from confluent_kafka.admin import AdminClient, NewTopic

from benchmarks.peers import measured, picture
from benchmarks.peers.measured import Records, Watched
from gatekeeper.demo.retailer import Retailer
from schemas.codec import encode
from schemas.topics import FACT_TOPICS, subject_key
from streams.client import admin
from streams.kafka.broker import Broker
from tests.support.world import Supervised, World, until

PARTITIONS = 4
FLOW_S = 10
"""Seconds of sends that flow, at each rate."""
SLOW = 20_000
"""The most sends a pass for a candidate that takes minutes otherwise: a rate needs no more."""
TOPICS = ("sends", "consents", "cleared", "review", "audit")
"""Of a peer."""
HERE = Path(__file__).parent
PEERS = {
    "faust": "benchmarks.peers.stock_faust",
    "aiokafka": "benchmarks.peers.plain_aiokafka",
    "confluent": "benchmarks.peers.plain_confluent",
}
NAMES = {
    "gate": "this gate",
    "faust": "stock Faust, at least once",
    "aiokafka": "aiokafka loop",
    "confluent": "confluent-kafka loop",
    "streams": "Kafka Streams",
}


class Data(NamedTuple):
    """Invented people: their facts for the gate, one consent each for the peers, and the sends of both campaigns."""

    facts: Mapping[str, Records]
    consents: Records
    passes: tuple[Records, Records]
    flowing: Records


class Result(NamedTuple):
    """One candidate in one round.

    `start_s`: seconds from its start to its first committed record. `cold`, `warm`: sends a second. `written`: bytes on
    the broker's disk a send. `p50_ms`, `p99_ms`: by sends a second. `lost`, `twice`: numbers of sends.
    """

    name: str
    start_s: float
    cold: float
    warm: float
    cold_cpu_us: float
    warm_cpu_us: float
    broker_us: float
    written: float
    memory_mb: float
    p50_ms: Mapping[int, float]
    p99_ms: Mapping[int, float]
    lost: int
    twice: int


def main() -> None:
    """Plays all rounds and prints each result, then a table of the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rates", default="50,300,1000", help="sends a second that flow")
    parser.add_argument("--only", default=",".join(NAMES), help="candidates: " + ", ".join(NAMES))
    parser.add_argument("--json", type=Path, help="a file for every result")
    parser.add_argument("--svg", type=Path, help="a file for the picture")
    asked = parser.parse_args()
    rates = [int(rate) for rate in asked.rates.split(",")]
    names = [name for name in asked.only.split(",") if name != "streams" or shutil.which("mvn")]
    data = invented(asked.people, sum(rates) * FLOW_S)
    results = []
    with tempfile.TemporaryDirectory() as folder, Broker(Path(folder) / "kafka") as broker:
        classes = built(Path(folder) / "classes") if "streams" in names else Path(folder)
        for number in range(asked.rounds):
            for name in names:
                work = Path(folder) / f"{name}-{number}"
                work.mkdir()
                results.append(played(name, broker, data, rates, work, classes))
                print(results[-1], flush=True)
    if asked.json:
        asked.json.write_bytes(orjson.dumps([result._asdict() for result in results], option=orjson.OPT_NON_STR_KEYS))
    middles = [middle([result for result in results if result.name == name]) for name in names]
    print("\n" + table(middles))
    if asked.svg:
        asked.svg.write_text(
            picture.bars([(NAMES[one.name], 1e6 / one.cold_cpu_us, 1e6 / one.warm_cpu_us) for one in middles])
        )


def invented(people: int, flowing: int) -> Data:
    """The demo's retailer with so many people, and sends enough for two passes and for those that flow."""
    retailer = Retailer(people=people, today=date.today())
    facts: dict[str, list[tuple[bytes, bytes]]] = {topic: [] for topic in FACT_TOPICS}
    for topic, value in (*retailer.reference(), *retailer.facts()):
        facts[topic].append((subject_key(topic, value).encode(), encode(value)))
    sends = ((one.recipient_id.encode(), encode(one)) for one in retailer.sends(2 * people + flowing))
    passes = list(islice(sends, people)), list(islice(sends, people))
    consents = []
    for number, (person, value) in enumerate(passes[0]):
        said = {"recipient_id": person.decode(), "state": "withdrawn" if number % 10 == 0 else "given"}
        wanted = {"purposes": [orjson.loads(value)["purpose"]], "channels": ["postal"], "until": "2199-12-31"}
        consents.append((person, orjson.dumps(said | wanted)))
    return Data(facts, consents, passes, list(sends))


def played(name: str, broker: Broker, data: Data, rates: list[int], work: Path, classes: Path) -> Result:
    """Lets one candidate do both passes and the flow on topics of its own; raises AssertionError if it stops."""
    world = World(broker.bootstrap, f"{work.name}.", partitions=PARTITIONS)
    most = min(SLOW if name == "faust" else len(data.passes[0]), len(data.passes[0]))
    waiting, again = (list(islice(some, most)) for some in data.passes)
    laid_out(name, world, data)
    world.put("sends", waiting)
    watched = Watched(world)
    before = measured.written(broker.folder, lambda topic: outputs(name, world, topic))
    began = time.perf_counter()
    with running(name, world, work, classes) as pid:
        watched.first(pid)
        start = time.perf_counter() - began
        cold = watched.judged(len(waiting), pid=pid, broker=broker.pid)
        os.kill(pid, signal.SIGSTOP)  # the second pass waits whole, as the first did
        watched.before = watched.end()
        world.put("sends", again)
        os.kill(pid, signal.SIGCONT)
        watched.first(pid)
        warm = watched.judged(len(again), pid=pid, broker=broker.pid)
        bytes_ = measured.written(broker.folder, lambda topic: outputs(name, world, topic)) - before
        left = iter(data.flowing)
        ways = {rate: watched.latency(list(islice(left, rate * FLOW_S)), rate) for rate in rates}
        memory = measured.resident(pid)
    sent = 2 * most + sum(rates) * FLOW_S
    recorded = [measured.event(value) for value in watched.records("audit")]
    passed = sum(1 for topic in ("cleared", "review") for _ in watched.records(topic))
    distinct = len(set(recorded))
    assert passed == len(recorded), f"{name}: {passed} outputs for {len(recorded)} records on audit"
    p50, p99 = ({rate: way[place] for rate, way in ways.items()} for place in (0, 1))
    return Result(
        name,
        start,
        cold.sends_a_second,
        warm.sends_a_second,
        cold.cpu_us,
        warm.cpu_us,
        warm.broker_us,
        bytes_ / (2 * most),
        memory,
        p50,
        p99,
        lost=sent - distinct,
        twice=len(recorded) - distinct,
    )


def outputs(name: str, world: World, topic: str) -> bool:
    """Tells whether a candidate writes to this topic."""
    inputs = ["sends", "consents"] if name != "gate" else ["sends", *FACT_TOPICS]
    return topic.startswith(world.prefix) and topic not in map(world.topic, inputs)


def laid_out(name: str, world: World, data: Data) -> None:
    """Makes a candidate's topics, and writes the facts that it knows."""
    if name == "gate":
        admin.create(world.settings)
        for topic, records in data.facts.items():
            world.put(topic, [(key.decode(), value) for key, value in records])
        return
    topics = [world.topic(topic) for topic in TOPICS]
    client = AdminClient({"bootstrap.servers": world.bootstrap})
    for made in client.create_topics([NewTopic(topic, PARTITIONS, 1) for topic in topics]).values():
        made.result()
    until(lambda: world.ends("audit"), "the topics")
    world.put("consents", [(key.decode(), value) for key, value in data.consents])


@contextmanager
def running(name: str, world: World, work: Path, classes: Path) -> Iterator[int]:
    """Runs a candidate, and ends it with SIGTERM. The value is its process id."""
    log = work / "log"
    if name == "gate":
        with world.process(log) as worker:
            yield process_id(worker)
        return
    topics = {f"PEER_{topic.upper()}": world.topic(topic) for topic in TOPICS}
    named = {"PEER_BOOTSTRAP": world.bootstrap, "PEER_GROUP": work.name, "PEER_PARTITIONS": str(PARTITIONS), **topics}
    java = ["java", "-cp", f"{classes}/*", "gate.Streams"]
    command = java if name == "streams" else [sys.executable, "-m", PEERS[name]]
    with log.open("wb") as said:
        process = subprocess.Popen(command, env=os.environ | named, stdout=said, stderr=said)
        try:
            yield process.pid
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def process_id(worker: Supervised) -> int:
    """The process id of a worker."""
    assert worker.process
    assert worker.process.pid
    return worker.process.pid


def built(classes: Path) -> Path:
    """A folder with the jars of the Kafka Streams peer, made with Maven."""
    shutil.copytree(HERE / "streams", classes.parent / "streams")
    copied = ["dependency:copy-dependencies", f"-DoutputDirectory={classes}"]
    for goals in (["package", f"-DoutputDirectory={classes}"], copied):
        subprocess.run(["mvn", "-q", *goals], cwd=classes.parent / "streams", check=True)
    shutil.copy(classes.parent / "streams" / "target" / "gate-1.jar", classes)
    return classes


def middle(results: list[Result]) -> Result:
    """The median of each figure over the rounds."""
    figures = [
        {key: median(one[place][key] for one in results) for key in results[0][place]}
        if isinstance(results[0][place], dict)
        else median(one[place] for one in results)
        for place in range(1, len(Result._fields) - 2)
    ]
    return Result(
        results[0].name, *figures, lost=sum(one.lost for one in results), twice=sum(one.twice for one in results)
    )


def table(results: list[Result]) -> str:
    """The results as a table in Markdown."""
    rates = list(results[0].p50_ms)
    head = [
        "",
        "sends/s cold",
        "warm",
        "µs CPU cold",
        "warm",
        "broker µs",
        "bytes written",
        "MB",
        "s to start",
        "lost",
        "twice",
    ]
    head += [f"p50/p99 ms at {rate:,}/s" for rate in rates]
    rows = [head, ["---"] * len(head)]
    for one in results:
        figures = (
            one.cold,
            one.warm,
            one.cold_cpu_us,
            one.warm_cpu_us,
            one.broker_us,
            one.written,
            one.memory_mb,
            one.start_s,
        )
        ways = [f"{one.p50_ms[rate]:,.0f}/{one.p99_ms[rate]:,.0f}" for rate in rates]
        rows.append([NAMES[one.name], *(f"{figure:,.0f}" for figure in figures), str(one.lost), str(one.twice), *ways])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


if __name__ == "__main__":
    main()
