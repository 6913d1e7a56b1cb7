"""A worker with a tenth of a core: it starts, and decides all waiting sends, slowly and without an exit.

Run it: python -m benchmarks.starved [--people 100000] [--share 0.1]. The worker's process is stopped and continued in
turns, so that it has that share of a core at most. Kafka is not stopped. Prints the progress, and ends with 1 if the
worker ended.
"""

from __future__ import annotations

import argparse
import os
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import orjson

from gatekeeper.demo.retailer import Retailer
from schemas.codec import encode
from schemas.topics import FACT_TOPICS, subject_key
from streams.kafka.broker import Broker
from tests.support.world import World

STEP_SECONDS = 0.05
DEADLINE = 1_800.0


def main() -> int:
    """Writes the facts and the sends, starves a worker, and prints the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=100_000)
    parser.add_argument("--sends", type=int, default=2_000)
    parser.add_argument("--share", type=float, default=0.1, help="of one core")
    asked = parser.parse_args()
    retailer = Retailer(people=asked.people, today=date.today())
    with tempfile.TemporaryDirectory() as folder, Broker(Path(folder) / "kafka") as broker:
        world = World(broker.bootstrap, "starved.", partitions=8).found()
        reference = (
            (subject_key("reference", value), orjson.loads(encode(value))) for _, value in retailer.reference()
        )
        world.put("reference", reference)  # dicts, which managers sign
        facts: dict[str, list[tuple[str, bytes]]] = {topic: [] for topic in FACT_TOPICS}
        for topic, value in retailer.facts():
            facts[topic].append((subject_key(topic, value), encode(value)))
        for topic, records in facts.items():
            world.put(topic, records)
        world.put("sends", ((one.recipient_id, encode(one)) for one in retailer.sends(asked.sends)))
        began, first = time.monotonic(), 0.0
        with world.process(Path(folder) / "worker.log") as worker:
            process = worker.process
            assert process is not None
            assert process.pid is not None
            with starved(process.pid, asked.share):
                while (decided := world.decided()) < asked.sends and time.monotonic() - began < DEADLINE:
                    first = first or (time.monotonic() - began if decided else 0.0)
                    if process.exitcode is not None:
                        print(f"ended with {process.exitcode} after {decided} decisions")
                        return 1
                    time.sleep(1)
            turns = len(worker.events("turn_ended"))
    print(f"{asked.share:.0%} of a core, {asked.people:,} people: first decisions after {first:.0f} s", end=", ")
    print(f"{decided:,} of {asked.sends:,} after {time.monotonic() - began:.0f} s, {turns} turns ended, no exit")
    return 0 if decided >= asked.sends else 1


@contextmanager
def starved(pid: int, share: float) -> Iterator[None]:
    """Limits a process to that share of a core, by stopping and continuing it in turns."""
    over = threading.Event()

    def turns() -> None:
        while not over.is_set():
            for number, seconds in (
                (signal.SIGSTOP, STEP_SECONDS * (1 - share) / share),
                (signal.SIGCONT, STEP_SECONDS),
            ):
                try:
                    os.kill(pid, number)
                except ProcessLookupError:
                    return
                time.sleep(seconds)

    thread = threading.Thread(target=turns)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


if __name__ == "__main__":
    raise SystemExit(main())
