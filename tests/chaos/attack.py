"""Rounds of an attack on a gate at work, one after the other, each with a seed of its own: see scripts/attack.

Two workers, a sealer and `serve` run on a real Kafka, and a company uses them. Beside it somebody writes what
`tests.chaos.attacker` draws. In the end the independent checker holds what came out against what was acknowledged,
and whoever holds the list of customers tries to name them by what was written.
"""

from __future__ import annotations

import argparse
import dataclasses
import gzip
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from schemas.topics import TOPICS
from tests.chaos.attacker import BORN, MEMBERS, MOVED
from tests.chaos.checker import Seen
from tests.chaos.observer import Observer
from tests.chaos.round import Report, run
from tests.chaos.stage import GATEKEEPER
from tests.support import canaries, guesses
from tests.support.world import World

ROUND_SECONDS = 300.0
"""A longer attack is several rounds of at most so long, so that all that came out can be held in memory."""
ANSWERED_SECONDS = 300.0
"""All has its answer so long after an attack. Nothing fails in it, but it brings more than a slow machine decides."""
STALLED = 30
"""Looks in a row, one a second, at which a partition has sends that wait and decides none."""
WITHHELD = 60
"""Looks in a row at which nothing is cleared for anybody, while people who agreed are written to."""
BESIDE = 300
"""The newest records about customers, whose ids are hashed beside what the list says."""
NOTHING_DONE = ("refused", "unreadable", "failed")
REVIEWERS = ("release", "uphold", "ask", "redecide", "undo", "note", "claim")
"""Kinds of acts that a reviewer may do, and so whoever has stolen his key."""
FREE = ("audit", "ledger", "manifests", "recalls", "results")
"""Topics whose records hold nobody's data; the others hold what came in as it came, or go to whom it is for."""


class Progress:
    """Looks, at each call, whether sends of the company are decided and cleared. It counts looks, and no time."""

    def __init__(self, journal: Path, observer: Observer) -> None:
        self._file, self._observer, self._at = journal.open(encoding="utf-8"), observer, 0
        self._rest = ""
        self._waiting: dict[int, set[int]] = defaultdict(set)
        self._decided: dict[int, set[int]] = defaultdict(set)
        self._still: Counter[int | str] = Counter()
        self.longest: Counter[int | str] = Counter()
        """Looks in a row without a decision by partition, and without a clearance."""

    def __call__(self) -> bool:
        before = {number: len(places) for number, places in self._decided.items()}
        for line in self._file:
            self._rest += line
            if self._rest.endswith("\n"):
                said, self._rest = json.loads(self._rest), ""
                if said["kind"] == "send" and said["acknowledged"] is not None and not said["aborted"]:
                    self._waiting[said["partition"]].add(said["offset"])
        cleared = 0
        for one in self._observer.seen[self._at :]:
            if one.topic == "audit" and one.says["stage"] == "intake":
                self._decided[one.says["src"]["partition"]].add(one.says["src"]["offset"])
            cleared += one.topic == "cleared"
        self._at = len(self._observer.seen)
        for number, places in self._waiting.items():
            stands = places > self._decided[number] and len(self._decided[number]) == before.get(number, 0)
            self._count(number, still=bool(stands and places - self._decided[number]))
        self._count("cleared", still=not cleared)
        return False

    def _count(self, what: int | str, *, still: bool) -> None:
        self._still[what] = self._still[what] + 1 if still else 0
        self.longest[what] = max(self.longest[what], self._still[what])

    def found(self) -> Iterator[str]:
        """Yields what stood still for too long."""
        for what, looks in self.longest.items():
            if looks > (WITHHELD if what == "cleared" else STALLED):
                yield f"promise 3: {what} stood still for {looks} looks"


def attacked(folder: Path, *, seconds: float, seed: int) -> Report:
    """Returns what a round of an attack found."""
    watching: list[Progress] = []

    def watch(observer: Observer) -> Callable[[], bool]:
        watching.append(Progress(folder / "journal.jsonl", observer))
        return watching[0]

    def also(where: dict[str, Any], observer: Observer) -> Iterator[str]:
        yield from watching[0].found()
        yield from refused(folder)
        yield from let_go(observer.seen)
        yield from named(folder, where, observer)

    report = run(
        folder,
        brokers=1,
        seconds=seconds,
        seed=seed,
        nemesis="attacker",
        answered_within=ANSWERED_SECONDS,
        watching=watch,
        also=also,
    )
    report.found += [f"promise 3: {name} ended with {code}" for name, code in report.codes]
    return report


def refused(folder: Path) -> Iterator[str]:
    """Yields the partitions that a worker refused."""
    for log in sorted(folder.glob("worker-*.log")):
        if times := log.read_bytes().count(b'"partition_refused"'):
            yield f"promise 3: {log.name} refused a partition {times} times"


def let_go(seen: Iterable[Seen]) -> Iterator[str]:
    """Yields what an attacker got done or out that he may not, and each defect that came to light."""
    done = Counter[tuple[str, int]]()
    for one in seen:
        marketing = one.topic == "cleared" and one.says["message_class"] == "marketing"
        if marketing and {*one.says["delivery"]["lines"]} & {*MOVED}:
            yield f"{one.did} is cleared for an address that no source gives"
        if one.topic != "audit":
            continue
        if "DECISION_FAILED" in [reason["code"] for reason in one.says["reasons"]]:
            yield f"{one.did} is a defect of ours"
        act = one.says["act"]
        if act is None or one.says["stage"] not in ("act", "release") or act.get("act_id") is None:
            continue
        if act["outcome"] == "failed":
            yield f"{one.did} is a defect of ours in the act {act['act_id']}"
        if act["outcome"] in NOTHING_DONE or not one.says["src"]["topic"].endswith("acts.v1"):
            continue
        done[act["act_id"], one.partition] += 1
        mine = act["act_id"].partition("-")[0] in ("stolen", "command")
        if mine and (act["by"] != "kenji" or act["kind"] not in REVIEWERS):
            yield f"{act['kind']} {act['act_id']} of {act['by']} is {act['outcome']}"
    yield from (f"{id_} was done {times} times in partition {n}" for (id_, n), times in done.items() if times > 1)


def named(folder: Path, where: dict[str, Any], observer: Observer) -> Iterator[str]:
    """Yields the customers whom an id, hash or word names, on a topic, in an export, in a webhook or in a log."""
    command = [GATEKEEPER, "audit", "export", "--out", str(folder / "export")]
    done = subprocess.run(command, env=os.environ | where["environment"], capture_output=True, check=False)
    if done.returncode:
        yield f"`gatekeeper audit export` ended with {done.returncode}: {done.stderr[-300:]!r}"
    written = dict(_written(folder, World(where["bootstrap"], where["prefix"], where["partitions"])))
    for place, records in written.items():
        for value in canaries.found(b"\n".join(records)):
            yield f"{place} holds {value}"
        if place.startswith("export") and any(BORN.encode() in record for record in records):
            yield f"{place} holds a birth date"
    theirs = {
        word.encode()
        for one in observer.seen
        if one.topic in ("cleared", "review") and (one.key or b"").decode("utf-8", "replace") in MEMBERS
        for word in (one.did, one.says["event_id"])
    }
    pattern = re.compile(b"|".join(map(re.escape, sorted(theirs))) or b"$^")
    beside = [record for place, records in written.items() for record in records if pattern.search(record)]
    if not beside:
        yield "invalid: nothing was decided about a customer"
    people = [guesses.customer(member, person, BORN) for member, person in MEMBERS.items()]
    for one in guesses.guessed(written, people, known=("ours", "mallory"), beside=beside[-BESIDE:]):
        yield f"{one.place} names a customer: {one.token} is made of {one.made_of}"


def _written(folder: Path, world: World) -> Iterator[tuple[str, list[bytes]]]:
    """Yields by place the records in which nobody's data belong."""
    for topic in TOPICS:
        messages = world.read(topic)
        yield f"headers of {topic}", [b"\n".join(value or b"" for _, value in one.headers() or ()) for one in messages]
        if topic in FREE:
            yield topic, [b"\n".join((one.key() or b"", one.value() or b"")) for one in messages]
    files = [*folder.glob("*.log"), *(path for path in (folder / "export").rglob("*") if path.is_file())]
    for path in files:
        data = path.read_bytes()
        data = gzip.decompress(data) if path.suffix == ".gz" else data
        yield str(path.relative_to(folder)), data.splitlines()


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/attack", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--seed", type=int, default=1, help="of the first round; the next has the next")
    parser.add_argument("--folder", type=Path, help="where logs and journals stay; by default a new one")
    given = parser.parse_args()
    folder, left, seed = given.folder or Path(tempfile.mkdtemp(prefix="attack-")), given.minutes * 60, given.seed
    done, wrong = Counter[str](), list[int]()
    while left > 0:
        (folder / str(seed)).mkdir(parents=True)
        report = attacked(folder / str(seed), seconds=min(left, ROUND_SECONDS), seed=seed)
        print(json.dumps(dataclasses.asdict(report), ensure_ascii=False), flush=True)
        done.update(report.landed)
        wrong += [seed] if report.found else []
        left, seed = left - ROUND_SECONDS, seed + 1
    for kind, count in sorted(done.items()):
        print(f"{count:8,}  {kind.replace('_', ' ')}")
    for one in wrong:
        print(f"a promise was broken: scripts/attack --seed {one}; logs: {folder / str(one)}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
