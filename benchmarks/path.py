"""Prints the microseconds of one send from record to output, stage by stage, without Kafka.

A campaign goes to everybody, and then a second one with the same addresses. In the first one each person is new to the
caches, in the second one nobody is. Times are processor time of the process, in medians over blocks of 500 sends.
With `--against`, another checkout judges the same blocks in turn with this one, and both must write the same bytes.

    python -m benchmarks.path                                    20,000 people, by stage
    python -m benchmarks.path --people 100000 --data FILE        keeps the invented data in FILE for the next run
    python -m benchmarks.path --against /another/checkout        both in turn, and the ratio block by block
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import date
from hashlib import sha256
from pathlib import Path
from random import Random
from statistics import median
from typing import Any, NamedTuple

from gatekeeper.audit.records.pseudonym import Subjects
from gatekeeper.deciding.decide import decide
from gatekeeper.demo.addresses import KEY
from gatekeeper.demo.retailer import Retailer
from gatekeeper.engine.evaluation import Evaluation, Moment
from gatekeeper.engine.judged import Cause
from gatekeeper.engine.outputs import told
from gatekeeper.engine.sends import Judge, taken
from gatekeeper.identity import Tokens, printed
from gatekeeper.knowledge.store import FactStore
from gatekeeper.ledger.state import LedgerState
from gatekeeper.policy.packs import load
from schemas.codec import encode
from schemas.record import Record
from schemas.topics import subject_key

TODAY = date(2026, 11, 24)
AT = 1_795_482_000_000
BLOCK = 500
PASSES = ("first campaign", "second campaign")

Value = tuple[str, bytes, bytes]
"""Topic, key and value."""


class World(NamedTuple):
    """The facts, and the sends of one campaign to everybody."""

    facts: Sequence[Value]
    sends: Sequence[Value]

    @classmethod
    def of(cls, people: int, kept: Path, today: date = TODAY) -> World:
        """The world of so many people, read from the file if it exists, else written to it."""
        if kept.exists():
            return cls(*pickle.loads(kept.read_bytes()))  # noqa: S301 - written by this program
        retailer = Retailer(people=people, today=today)
        facts = [(t, subject_key(t, v).encode(), encode(v)) for t, v in (*retailer.reference(), *retailer.facts())]
        sends = [("sends", send.recipient_id.encode(), encode(send)) for send in retailer.sends(people)]
        world = cls(facts, sends)
        kept.write_bytes(pickle.dumps(tuple(world)))
        return world


class Gate:
    """A gate without Kafka, which judges the blocks of a world."""

    def __init__(self, world: World) -> None:
        self.store, self.state = FactStore(), LedgerState()
        for offset, (topic, key, value) in enumerate(world.facts):
            self.store.apply(Record(topic, 0, offset, AT, key, value))
        self.judge = Judge(
            load("jp-pmark"),
            1,
            tokens=Tokens({1: KEY}),
            subjects=Subjects({1: bytes(32)}, Random(1).randbytes),  # noqa: S311 - the same in every run
        )
        self._sends = world.sends
        self._digest = sha256()
        gc.collect()
        gc.freeze()

    @property
    def blocks(self) -> int:
        """Number of blocks of a campaign."""
        return len(self._sends) // BLOCK

    def records(self, campaign: int, block: int) -> list[Record]:
        """The records of a block of a campaign, 0 or 1."""
        first = block * BLOCK
        year = f"-{TODAY:%Y}".encode()  # campaigns and pieces are named by it
        return [
            Record(
                "mail.sends.v1",
                0,
                campaign * len(self._sends) + n,
                AT,
                key,
                value.replace(year, b"%b%b" % (year, b"b" * campaign)),
            )
            for n, (_, key, value) in enumerate(self._sends[first : first + BLOCK], start=first)
        ]

    def judged(self, campaign: int, block: int) -> float:
        """Judges a block; the result is its microseconds a send."""
        records, found = self.records(campaign, block), []
        begun = time.process_time()
        for record in records:
            judged = self.judge.judge(record, self.store, AT, ledger=self.state)
            for entry in judged.entries:
                self.state.put(entry)
            found.append(judged)
        spent = time.process_time() - begun
        for judged in found:
            outputs = [(one.topic, one.key, one.value, one.headers) for one in judged.outputs]
            self._digest.update(repr((outputs, judged.audit, [tuple(one) for one in judged.entries])).encode())
        return spent / len(records) * 1e6

    def staged(self, campaign: int, block: int) -> dict[str, float]:
        """Judges a block stage by stage; the result is the microseconds a send of each stage."""
        now = Moment(self.judge, self.store, self.state, AT, None)
        records = self.records(campaign, block)
        spent: dict[str, float] = {}

        def stage(name: str, step: Callable[..., Any], *arguments: Sequence[Any]) -> list[Any]:
            begun = time.process_time()
            found = [step(*each) for each in zip(*arguments, strict=True)]
            spent[name] = (time.process_time() - begun) / len(records) * 1e6
            return found

        causes = stage("decision id", lambda record: Cause.of(record, "intake"), records)
        sent = stage("decode", lambda record: taken(record, 1), records)
        models = [one.model for one in sent]
        people = stage("person's key", lambda send: now.subject(send.recipient_id), models)
        places = stage("address to tokens", lambda send: printed(self.judge.tokens, send), models)

        def view(send: Any, place: Any, plan: Any) -> Any:
            known, zone = self.state.about(send, AT), plan.policy.timezone
            return self.store.view(send, place, at=AT, zone=zone, asks=known.asks, releases=known.releases)

        plans = stage("plan", lambda one: self.judge.plans(self.store, AT).of(one), models)
        facts = stage("facts", view, models, places, plans)
        decisions = stage("decide", decide, plans, models, facts)
        made = [Evaluation(now, *each) for each in zip(sent, decisions, facts, places, strict=True)]
        proofs = stage("audit record", lambda one, why, who: one.record(why, subject=who[0]), made, causes, people)
        stage(
            "headers",
            lambda record, send, made, why: told(record, send, made, why.id, mode="live"),
            records,
            models,
            decisions,
            causes,
        )
        entries = stage("ledger", lambda one, why: one.remembered(why), made, causes)
        assert all(proofs)
        for entry in (entry for each, (_, salt) in zip(entries, people, strict=True) for entry in (*each, *salt)):
            self.state.put(entry)
        return spent

    @property
    def digest(self) -> str:
        """SHA-256 of all that was written so far."""
        return self._digest.hexdigest()


def served(world: World) -> None:
    """Judges the blocks that the other process asks for on standard input, one a line."""
    gate = Gate(world)
    print(gate.blocks, flush=True)
    for line in sys.stdin:
        campaign, block = map(int, line.split())
        print(json.dumps([gate.judged(campaign, block), gate.digest, _resident()]), flush=True)


class Side:
    """A checkout that judges in a process of its own."""

    def __init__(self, checkout: Path, data: Path, held: ExitStack) -> None:
        environment = {**os.environ, "PYTHONPATH": str(checkout), "PYTHONHASHSEED": "0"}
        command = [sys.executable, "-P", __file__, "--serve", "--data", str(data)]
        self._process = held.enter_context(
            subprocess.Popen(command, cwd=checkout, env=environment, text=True, stdin=-1, stdout=-1)
        )
        held.callback(self._process.kill)
        self.blocks = int(self._answer())

    def ask(self, campaign: int, block: int) -> tuple[float, str, float]:
        """Microseconds a send of the block, the digest of all so far, and the memory in MB."""
        assert self._process.stdin
        self._process.stdin.write(f"{campaign} {block}\n")
        self._process.stdin.flush()
        return tuple(json.loads(self._answer()))

    def _answer(self) -> str:
        assert self._process.stdout
        if not (line := self._process.stdout.readline()):
            raise SystemExit("a side ended early; its error stands above")
        return line


def paired(here: Path, other: Path, data: Path, most: int) -> None:
    """Lets two checkouts judge the same blocks in turn, and prints both and their ratio."""
    with ExitStack() as held:
        new, old = Side(here, data, held), Side(other, data, held)
        blocks = min(most, new.blocks)
        print(f"{'':16} {'other':>8} {'here':>8} µs a send {'here/other':>12}   memory of both, MB; same bytes")
        for campaign, name in enumerate(PASSES):
            rows = []
            for block in range(blocks):
                order = (new, old) if block % 2 else (old, new)
                told = {side: side.ask(campaign, block) for side in order}
                rows.append((told[old], told[new]))
            ratio = median(b[0] / a[0] for a, b in rows)
            before, after = median(a[0] for a, _ in rows), median(b[0] for _, b in rows)
            same = rows[-1][0][1] == rows[-1][1][1]
            memory = f"{rows[-1][0][2]:.0f} and {rows[-1][1][2]:.0f}"
            print(f"{name:16} {before:8.1f} {after:8.1f} {'':9} {ratio:12.3f}   {memory}; {same}", flush=True)


def by_stage(world: World, most: int) -> None:
    """Prints the stages of this checkout, in both campaigns."""
    gate = Gate(world)
    rows: dict[str, list[float]] = {}
    for campaign in range(len(PASSES)):
        blocks = [gate.staged(campaign, block) for block in range(min(most, gate.blocks))]
        for name in blocks[0]:
            rows.setdefault(name, []).append(median(spent[name] for spent in blocks))
        rows.setdefault("sum of stages", []).append(median(sum(spent.values()) for spent in blocks))
    print(f"{'µs a send':20} {PASSES[0]:>16} {PASSES[1]:>16}")
    for name, found in rows.items():
        print(f"{name:20} {found[0]:16.1f} {found[1]:16.1f}")
    print(f"memory {_resident():.0f} MB")


def _resident() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def main() -> None:
    """Runs as the first lines say."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=20_000)
    parser.add_argument("--blocks", type=int, default=10**9, help="blocks of a campaign, at most")
    parser.add_argument("--data", type=Path, help="file that keeps the invented data")
    parser.add_argument("--against", type=Path, help="another checkout")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = asked.data or Path(folder) / "world"
        world = World.of(asked.people, data)
        if asked.serve:
            served(world)
        elif asked.against:
            paired(Path(__file__).resolve().parent.parent, asked.against.resolve(), data, asked.blocks)
        else:
            by_stage(world, asked.blocks)


if __name__ == "__main__":
    main()
