"""One round: a gate is written to and hurt for so long, heals, answers all that waits, and is then checked."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.chaos.checker import History, check
from tests.chaos.journal import read
from tests.chaos.observer import Observer

HEALED_SECONDS = 60.0
"""All that was acknowledged has its answer so long after the healing."""
READING_SECONDS = 120.0
"""Further seconds of waiting for answers, so that the other promises can be checked against them."""
SENDS_A_SECOND = 20.0
KINDS_A_MINUTE = 8
"""Fewer acknowledged sends, and fewer kinds of fault that hurt, make a round invalid: at most what there are."""
COMES_OUT = ("intake clear", "intake block", "release clear", "handoff clear", "recall block")
"""The decisions that must occur at least once, by stage and verdict."""
ENDS = (0, 3, 70, -signal.SIGTERM)
"""The exit codes that a process may end with: orderly, no broker, restart, or stopped before it began."""
DECIDED_A_SECOND = 10.0
"""A gate that only waits for better times shows nothing: so many sends are decided before they come."""
LONGEST = 6.0
"""A slow machine is given so many times as long to come to all of that."""
FEWEST = {"send": 200, "no": 20, "act": 20, "handoff": 4, "poison": 10}
"""The least number of acknowledged records of each kind."""


@dataclass
class Report:
    """The facts and findings of a round; it passes only if `found` is empty."""

    seed: int
    said: dict[str, int] = field(default_factory=dict)
    verdicts: dict[str, int] = field(default_factory=dict)
    lacking: list[str] = field(default_factory=list)
    """The events that were too rare when the round healed."""
    kinds: int = 0
    """The number of kinds of fault that there are."""
    landed: dict[str, int] = field(default_factory=dict)
    missed: dict[str, int] = field(default_factory=dict)
    codes: list[tuple[str, int]] = field(default_factory=list)
    seconds_to_answer: float | None = None
    found: list[str] = field(default_factory=list)


class Process:
    """A process of ours that hears lines and says lines of JSON."""

    def __init__(self, log: Path, module: str, *arguments: object) -> None:
        with log.open("ab") as file:
            self._process = subprocess.Popen(
                [sys.executable, "-m", f"tests.chaos.{module}", *map(str, arguments)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
                text=True,
            )

    def hears(self) -> str:
        assert self._process.stdout
        line = self._process.stdout.readline()
        assert line, f"{self._process.args!r} has ended"
        return line

    def order(self, word: str) -> None:
        assert self._process.stdin
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()

    def end(self) -> int:
        """Ends its standard input, and returns its exit code."""
        assert self._process.stdin
        self._process.stdin.close()
        return self._process.wait()


def run(
    folder: Path,
    *,
    brokers: int,
    seconds: float,
    seed: int,
    script: Path | None = None,
    nemesis: str = "nemesis",
    answered_within: float = HEALED_SECONDS,
    watching: Callable[[Observer], Callable[[], bool]] = lambda observer: lambda: False,
    also: Callable[[dict[str, Any], Observer], Iterable[str]] = lambda where, observer: (),
) -> Report:
    """Returns what a round found.

    `script` runs in place of `gatekeeper worker`. `nemesis`: the module of the one that hurts. `answered_within`: the
    seconds after the healing in which all has its answer. `watching` makes what is
    called each second while it hurts. `also` is called when all is answered, with where the gate is; it gives findings.
    """
    report = Report(seed)
    journal = folder / "journal.jsonl"
    with ExitStack() as stack:
        hurting = Process(folder / f"{nemesis}.log", nemesis, folder, brokers, seed, *([script] if script else []))
        stack.callback(hurting.end)
        world = json.loads(hurting.hears())
        where = world["bootstrap"], world["prefix"], world["partitions"]
        driver = Process(folder / "driver.log", "driver", *where, journal, seed)
        ended = stack.enter_context(ExitStack())
        ended.callback(driver.end)
        driver.hears()
        observer = Observer(*where)
        stack.callback(observer.close)
        keys = [path.read_text().strip() for path in Path(world["environment"]["GATEKEEPER_KEYS"]).glob("worker-*.pub")]

        def history() -> History:
            return History(read(journal), observer.seen, keys)

        hurting.order("hurt")
        observer.watch(seconds, watching(observer), every=1.0)
        observer.watch((LONGEST - 1) * seconds, lambda: not lacking(history(), seconds), every=min(5.0, seconds / 8))
        report.lacking = lacking(history(), seconds)
        hurting.order("heal")
        told = json.loads(hurting.hears())
        healed = time.monotonic()
        ended.close()
        answered = observer.watch(answered_within, lambda: not history().unanswered(), every=2.0)
        report.seconds_to_answer = round(time.monotonic() - healed, 1) if answered else None
        if not answered:
            late = history().unanswered()
            report.found.append(f"I12: {len(late)} had no answer {answered_within} s after the healing: {late[:5]}")
            observer.watch(READING_SECONDS, lambda: not history().unanswered(), every=2.0)
        report.found += replayed(world["environment"], folder)
        observer.watch(1.0)
        report.found += also(world, observer)
        done = history()
    report.kinds, report.codes = told["kinds"], told["codes"]
    report.landed, report.missed = told["landed"], told["missed"]
    report.said = dict(Counter(said.kind for said in done.said_and_acknowledged(*FEWEST)))
    report.verdicts = dict(Counter(f"{a['stage']} {a['verdict']}" for a in done.audits))
    report.found += check(done) + invalid(report, seconds)
    report.found += [f"{name} ended with {code}" for name, code in report.codes if code not in ENDS]
    return report


def replayed(environment: dict[str, str], folder: Path) -> list[str]:
    """I7: the gate's own command derives every decision again, from the records alone."""
    command = [str(Path(sys.executable).with_name("gatekeeper")), "audit", "replay", "--live", "--rate", "0", "--json"]
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)
    (folder / "replay.json").write_text(done.stdout + done.stderr)
    return [] if done.returncode == 0 else [f"I7: `gatekeeper audit replay --live` ended with {done.returncode}"]


def lacking(history: History, seconds: float) -> list[str]:
    """Returns what a round that lasted so long lacks to show anything: what was said, what came out, and by when."""
    said = Counter(said.kind for said in history.said_and_acknowledged(*FEWEST))
    out = {f"{a['stage']} {a['verdict']}" for a in history.audits}
    least = FEWEST | {"send": max(FEWEST["send"], int(SENDS_A_SECOND * seconds))}
    found = [f"{said[kind]} of {kind}, and {n} are the least" for kind, n in least.items() if said[kind] < n]
    found += [f"no {what}" for what in COMES_OUT if what not in out]
    if (decided := sum(history.decided.values())) < (n := int(DECIDED_A_SECOND * seconds)):
        found.append(f"{decided} sends decided while it was hurt, and {n} are the least")
    return found


def invalid(report: Report, seconds: float) -> list[str]:
    """Returns why a round shows nothing: too little was done, or too little was hurt."""
    found, kinds = list(report.lacking), len(report.landed)
    wanted = min(KINDS_A_MINUTE * seconds / 60, report.kinds)
    if kinds < wanted:
        found.append(f"{kinds} kinds of fault hurt, and {wanted:.0f} are the least")
    return [f"invalid: {sentence}" for sentence in found]
