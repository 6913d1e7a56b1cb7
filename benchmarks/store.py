"""Prints how long a worker's facts take to load at a start, and how much memory they take.

Each person has a source and a consent. For each number of people the facts are folded once in memory and once on the
disk. Then a process begins again with those on the disk. Each is a process of its own, without Kafka.

    python -m benchmarks.store                      10,000, 100,000 and 1,000,000 people
    python -m benchmarks.store --people 10000       one number
    python -m benchmarks.store --people 1000000 --nos 50000    half of them by token, half by recipient, on the disk

With nos, each token has four readings. Then look-ups that miss are timed with the hashes of stop tokens and without, in
turn. So is a no, from its record to the send that it stops. It comes by token, by id, and from another id.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import orjson
from aiokafka import TopicPartition

from gatekeeper.identity import Identified, printed
from gatekeeper.knowledge.store import FactStore
from schemas.events import Send
from schemas.record import Record
from streams.client.read_log import ReadLog
from streams.worker.kept_facts import KeptFacts
from tests.support import invented

PEOPLE = (10_000, 100_000, 1_000_000)
LOOKED_UP = 20_000
HOUSE = Path(__file__).parents[1]
FORMS = ("memory", "disk", "disk again")
SOURCES, CONSENTS = (TopicPartition(f"mail.{name}.v1", 0) for name in ("sources", "consents"))
OF_TOPIC = {"sources": SOURCES, "consents": CONSENTS}
BLOCK, TURNS = 300, 9


def records(people: int, nos: int = 0) -> Iterator[tuple[Record, ...]]:
    """Yields the records of each person, and the no of every so many."""
    source, consent = (value for _, value in (invented.source(), invented.consent()))
    for n in range(people):
        name = f"R{n:09}"
        readings = {"channel": "postal", "readings": less_exact(n)} if nos else {}
        point = {"id": "cp-1", "token": own(n), **readings}
        yield (
            _record("sources", n, name, {**source, "recipient_id": name, "contact_points": [point]}),
            _record("consents", n, name, {**consent, "recipient_id": name}),
            *([no(n, by_token=n % (2 * (people // nos)) == 0)] if nos and n % (people // nos) == 0 else []),
        )


def own(n: int, reading: int = 0) -> str:
    """The token of a person, or of a less exact reading."""
    return invented.token("cp-1")[:-13] + f"{reading}{n:012}".translate(str.maketrans("0123456789", "ABCDEFGHIJ"))


def less_exact(n: int) -> list[dict[str, Any]]:
    """The readings of a token."""
    return [{"token": own(n, reading), "score": 900} for reading in range(1, 5)]


def no(n: int, *, by_token: bool) -> Record:
    """The no of a person: the row of a list with six forms of the name. Or an objection by id."""
    said = {"v": 1, "kind": "objection", "suppression_id": f"X{n}", "received_at": "2026-01-01"}
    if not by_token:
        return _record("suppressions", n, name := f"R{n:09}", {**said, "recipient_id": name})
    forms = [{"token": own(n + 10**9 * form), "score": 1000} for form in range(1, 7)]
    return _record("suppressions", n, own(n), {**said, "token": own(n), "readings": [*forms, *less_exact(n)]})


def _record(topic: str, n: int, key: str, value: Mapping[str, Any]) -> Record:
    return Record(topic, 0, n, invented.T, key.encode(), orjson.dumps(value))


def private() -> int:
    """The memory that is this process's own, in bytes."""
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon"))


def of_nos(store: FactStore, people: int) -> dict[str, float]:
    """The figures of nos in this process: of look-ups that miss, and of a no until it binds."""
    tokens: Any = store._suppressed._by_token
    found: dict[str, float] = {"names in the set": len(tokens._guard)}
    found["set MB"] = len(tokens._guard._slots[0]) * 12 / 2**20
    missing = [own(people + n, n % 10) for n in range(LOOKED_UP)]
    homes = [{"name": "高橋 一郎", "lines": [f"東京都渋谷区神宮前{n}-2-3"]} for n in range(BLOCK)]
    spelled = [_to(f"S{n:09}", delivery=home) for n, home in enumerate(homes)]
    places = [printed(invented.TOKENS, send) for send in spelled]
    assert all(isinstance(place, Identified) for place in places)
    spent: dict[str, list[float]] = defaultdict(list)
    for _ in range(TURNS):
        for held in (True, False):
            tokens._all_guarded, used = held, time.process_time()
            for token in missing:
                tokens.get(token)
            spent[f"a miss µs, set {held}"].append((time.process_time() - used) / LOOKED_UP * 1e6)
            used = time.process_time()
            for send, place in zip(spelled, places, strict=True):
                store.view(send, place, **invented.NOW)
            spent[f"facts of a send µs, set {held}"].append((time.process_time() - used) / BLOCK * 1e6)
    tokens._all_guarded = True
    for n in range(1, 3 * BLOCK, 3):  # people without a no: `no` is of every so many
        other = _to(f"S{n:09}", token=own(n + 2))
        ways = (
            ("by token", no(n, by_token=True), _to(f"R{n:09}", token=own(n))),
            ("by recipient", no(n + 1, by_token=False), _to(f"R{n + 1:09}", token=own(n + 1))),
            ("by recipient, another id", no(n + 2, by_token=False), other),
        )
        for name, record, send in ways:
            begun = time.perf_counter()
            store.apply(record)
            assert store.view(send, None, **invented.NOW).suppressions, name
            spent[f"until a no binds µs, {name}"].append((time.perf_counter() - begun) * 1e6)
    return found | {name: median(each) for name, each in spent.items()}


def _to(name: str, *, token: str | None = None, delivery: Mapping[str, Any] | None = None) -> Send:
    value = invented.send(recipient_id=name, delivery=delivery)
    value["contact_point"] |= {"token": token} if token else {}
    return Send.model_validate_json(orjson.dumps(value))


def measured(form: str, people: int, folder: Path, nos: int = 0) -> dict[str, float]:
    """The figures of one form, in this process."""
    before, began, used = private(), time.perf_counter(), time.process_time()
    kept = None if form == "memory" else KeptFacts(folder, origin="", identity=b"store", key=bytes(32))
    store = kept.store if kept else FactStore()
    if form != "disk again":
        logs = {SOURCES: ReadLog(0, 0), CONSENTS: ReadLog(0, 0)}
        for n, each in enumerate(records(people, nos), 1):
            for record in each:
                store.apply(record)
                if (tp := OF_TOPIC.get(record.topic)) is not None:
                    logs[tp].take(record)
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
    found |= of_nos(store, people) if nos and form == "disk again" else {}
    size = sum(path.stat().st_blocks * 512 for path in folder.rglob("data.mdb"))
    return found | ({"disk B a person": size / people} if kept else {})


def main() -> None:
    """Prints a line for each number of people and each form."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int)
    parser.add_argument("--nos", type=int, default=0)
    parser.add_argument("--form", choices=FORMS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.form:
        print(json.dumps(measured(given.form, given.people, given.folder, given.nos)))
        return
    for people in (given.people,) if given.people else PEOPLE:
        with TemporaryDirectory() as folder:
            for form in FORMS[1:] if given.nos else FORMS:
                call = [sys.executable, "-m", "benchmarks.store", "--people", str(people), "--form", form]
                call += ["--folder", folder, "--nos", str(given.nos)]
                told = subprocess.run(call, check=True, capture_output=True, text=True, cwd=HOUSE).stdout
                figures = "   ".join(f"{name} {value:,.1f}" for name, value in json.loads(told).items())
                print(f"{people:>9,} people, {form:<10}   {figures}", flush=True)


if __name__ == "__main__":
    main()
