"""Rounds of an attack on a gate at work, one after the other, each with a seed of its own: see scripts/attack.

Two workers, a sealer and `serve` run on a real Kafka, and a company uses them. Beside it somebody writes what
`tests.chaos.attacker` draws. In the end the independent checker holds what came out against what was acknowledged,
and whoever holds the list of customers tries to name them by what was written.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.chaos.observer import Observer
from tests.chaos.round import Report, run
from tests.chaos.stage import GATEKEEPER
from tests.support import canaries, guesses

ROUND_SECONDS = 300.0
"""A longer attack is several rounds of at most so long, so that all that came out can be held in memory."""
STALLED = 30
"""Looks in a row, one a second, at which a partition has sends that wait and decides none."""
WITHHELD = 60
"""Looks in a row at which nothing is cleared for anybody, while people who agreed are written to."""
TRIED = 500
"""The newest records of each topic that are tried."""
MEMBER = "M-0031415"
"""The member number of the customer whom the attacker tries to name."""


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
        yield from named(folder, where["environment"], observer)

    report = run(folder, brokers=1, seconds=seconds, seed=seed, nemesis="attacker", watching=watch, also=also)
    report.found += [f"promise 3: {name} ended with {code}" for name, code in report.codes]
    return report


def refused(folder: Path) -> Iterator[str]:
    """Yields the partitions that a worker refused."""
    for log in sorted(folder.glob("worker-*.log")):
        if times := log.read_bytes().count(b'"partition_refused"'):
            yield f"promise 3: {log.name} refused a partition {times} times"


def named(folder: Path, environment: dict[str, str], observer: Observer) -> Iterator[str]:
    """Yields the customer, named by an id, hash or word on the topics, in the logs or in an export."""
    written: dict[str, list[bytes]] = defaultdict(list)
    for one in observer.seen:
        if one.topic not in ("cleared", "review", "deadletter"):  # these go to whom the address is for
            written[one.topic].append(b"\n".join([one.value or b"", one.key or b"", *map(bytes, one.headers.values())]))
        elif one.topic != "deadletter":
            written[f"headers of {one.topic}"].append(b"\n".join(map(bytes, one.headers.values())))
    written = defaultdict(list, {topic: records[-TRIED:] for topic, records in written.items()})
    command = [GATEKEEPER, "audit", "export", "--out", str(folder / "export")]
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, check=False)
    if done.returncode:
        yield f"`gatekeeper audit export` ended with {done.returncode}: {done.stderr[-300:]!r}"
    for log in folder.glob("*.log"):
        written[log.name] = log.read_bytes().splitlines()[-TRIED:]
    for place, records in written.items():
        for value in canaries.found(b"\n".join(records)):
            yield f"{place} holds {value}"
    person = canaries.NARUMI
    values = (MEMBER, person["name"], *person["lines"], person["email"], person["phone"])
    for one in guesses.guessed(written, [guesses.Person(values)], known=("ours", "mallory")):
        yield f"{one.place} names a customer: {one.token} is made of {one.made_of}"


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
