"""Prints how long a worker's facts take to load at a start, and how much memory they take.

Each person has a source and a consent. For each number of people the facts are folded once in memory and once on the
disk. Then a process begins again with those on the disk. Each is a process of its own, without Kafka.

    python -m benchmarks.store                      10,000, 100,000 and 1,000,000 people
    python -m benchmarks.store --people 10000       one number
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import orjson
from aiokafka import TopicPartition

from gatekeeper.knowledge.store import FactStore
from schemas.record import Record
from streams.client.read_log import ReadLog
from streams.worker.kept_facts import KeptFacts
from tests.support import invented

PEOPLE = (10_000, 100_000, 1_000_000)
LOOKED_UP = 20_000
HOUSE = Path(__file__).parents[1]
FORMS = ("memory", "disk", "disk again")
SOURCES, CONSENTS = (TopicPartition(f"mail.{name}.v1", 0) for name in ("sources", "consents"))


def records(people: int) -> Iterator[tuple[Record, Record]]:
    """Yields the records of each person."""
    token = invented.token("cp-1")
    source, consent = (orjson.dumps(value) for _, value in (invented.source(), invented.consent()))
    for n in range(people):
        name, own = f"R{n:09}", f"{n:012}".translate(str.maketrans("0123456789", "ABCDEFGHIJ"))
        said = source.replace(b'"P-1"', f'"{name}"'.encode()).replace(token.encode(), (token[:-12] + own).encode())
        yield (
            Record("sources", 0, n, invented.T, name.encode(), said),
            Record("consents", 0, n, invented.T, name.encode(), consent.replace(b'"P-1"', f'"{name}"'.encode())),
        )


def private() -> int:
    """The memory that is this process's own, in bytes."""
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon"))


def measured(form: str, people: int, folder: Path) -> dict[str, float]:
    """The figures of one form, in this process."""
    before, began, used = private(), time.perf_counter(), time.process_time()
    kept = None if form == "memory" else KeptFacts(folder, origin="", identity=b"store", key=bytes(32))
    store = kept.store if kept else FactStore()
    if form != "disk again":
        logs = {SOURCES: ReadLog(0, 0), CONSENTS: ReadLog(0, 0)}
        for n, pair in enumerate(records(people), 1):
            for record, log in zip(pair, logs.values(), strict=True):
                store.apply(record)
                log.take(record)
            if kept and (kept.full or n == people):
                kept.cut(0, {SOURCES: n, CONSENTS: n}, logs)()
    found = {"start s": time.perf_counter() - began, "start cpu s": time.process_time() - used}
    found["private B a person"] = (private() - before) / people
    chance = Random(1)  # noqa: S311 - the same in every run
    names = [f"R{chance.randrange(people):09}" for _ in range(LOOKED_UP)]
    used = time.process_time()
    for name in names:
        assert store._people.get(name)
    found["look-up cpu µs"] = (time.process_time() - used) / LOOKED_UP * 1e6
    size = sum(path.stat().st_blocks * 512 for path in folder.rglob("data.mdb"))
    return found | ({"disk B a person": size / people} if kept else {})


def main() -> None:
    """Prints a line for each number of people and each form."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int)
    parser.add_argument("--form", choices=FORMS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.form:
        print(json.dumps(measured(given.form, given.people, given.folder)))
        return
    for people in (given.people,) if given.people else PEOPLE:
        with TemporaryDirectory() as folder:
            for form in FORMS:
                call = [sys.executable, "-m", "benchmarks.store", "--people", str(people), "--form", form]
                call += ["--folder", folder]
                told = subprocess.run(call, check=True, capture_output=True, text=True, cwd=HOUSE).stdout
                figures = "   ".join(f"{name} {value:,.1f}" for name, value in json.loads(told).items())
                print(f"{people:>9,} people, {form:<10}   {figures}", flush=True)


if __name__ == "__main__":
    main()
