"""A round in which acknowledged records are gone: all brokers get older disks, or an input is deleted and made again.

People then bring the lost facts back, and two managers let each partition go on. The same checker as in other rounds
holds what came out against what was not lost. Nobody may be cleared whose lost no was acknowledged: meanwhile nothing
is decided, and afterwards the no is back.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import shlex
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.chaos.checker import History, Seen, check, no_clear_after_a_no
from tests.chaos.driver import Entry, Hand, agreed
from tests.chaos.faults import FACTS
from tests.chaos.journal import UNKNOWN, Journal, Said, read
from tests.chaos.observer import Observer
from tests.chaos.round import ENDS, FEWEST, HEALED_SECONDS, Process, Report, replayed
from tests.chaos.stage import WORKERS, Stage
from tests.support import forked, staff
from tests.support.logs import Logs
from tests.support.world import send_to, until

KINDS = ("put_back_running", "put_back_stopped", "sends_made_again", "put_back_running", "acts_made_again")
"""The loss of a round, by its seed."""
REASONS = ("error.decisions_gone", "error.facts_made_again", "error.input_replaced")
"""The refusals that may come of it."""
INPUTS = (*FACTS, "sends", "acts")
Place = tuple[str, int, int]
"""A topic's name on the broker, a partition and an offset."""
AGAIN = 10**12
"""Added to the offsets of a topic that was made again, so that no place is that of a record before."""
LATER, BETWEEN = 10**6, 5 * 10**6
"""Numbers with which the names begin that are written after the loss, and between it and the managers' word."""
LOUD_SECONDS = 120.0
"""Seconds in which each partition is refused, on a busy machine."""
GOES_ON_SECONDS = 240.0
ASKED_SECONDS = 2.0
LOST = 40
"""People who are written to, at most, while nobody has brought their no back yet."""


def run(
    folder: Path,
    *,
    brokers: int,
    seconds: float,
    seed: int,
    script: Path | None = None,
    partitions: int = 4,
    workers: Mapping[str, Sequence[str]] = WORKERS,
) -> Report:
    """Returns what a round found; `seconds`: for which the gate is written to, in all.

    `script`, `partitions`, `workers`: as of `Stage`.
    """
    kind, report = KINDS[seed % len(KINDS)], Report(seed)
    forgetful = ("worker-0",) if kind == "put_back_running" and len(workers) > 1 else ()
    shape = {"partitions": partitions, "workers": workers, "forgetful": forgetful}
    with Stage(folder, brokers, f"rollback{seed}.", script, **shape) as stage:
        _Round(stage, seconds, seed, kind, report).run()
    report.codes = [one for one in stage.all_codes() if one[1] not in (*ENDS, 4)]
    report.found += [f"{name} ended with {code}" for name, code in report.codes]
    return report


class _Round:
    """One gate, from its first record to the last finding."""

    def __init__(self, stage: Stage, seconds: float, seed: int, kind: str, report: Report) -> None:
        self._stage, self._world, self._kind, self._report = stage, stage.world, kind, report
        self._seconds, self._seed, self._chance = seconds / 3, seed, random.Random(seed)
        self._path = stage.folder / "journal.jsonl"
        self._where = stage.world.bootstrap, stage.world.prefix, stage.world.partitions
        self._again = kind.removesuffix("_made_again") if kind.endswith("_made_again") else None
        self._keys = [path.read_text().strip() for path in Path(stage.world.keys).glob("worker-*.pub")]
        self._lost: Callable[[Said], bool] = lambda said: False

    def run(self) -> None:
        """Adds to the report what is found."""
        with ExitStack() as stack:
            observer = stack.enter_context(closing(Observer(*self._where)))
            facts = self._before(observer)
            before = History(read(self._path), observer.seen, self._keys)
            self._report.found += [f"I3 before: {one}" for one in itertools.islice(no_clear_after_a_no(before), 5)]
            left = self._lose()
            if not self._again:
                observer = stack.enter_context(closing(Observer(*self._where)))
            self._between(before)
            self._refused(observer, before)
            self._bring_back(one for records in facts.values() for one in records if _place(one) not in left)
            self._resume(observer)
            self._after(observer)
            self._check(observer)

    def _before(self, observer: Observer) -> dict[str, list[Any]]:
        """Has the gate written to, and its disks copied meanwhile; returns the facts that there are at the end."""
        with self._driven(0):
            self._watch(observer, self._seconds)
            if not self._again:
                self._stage.cluster.keep(self._stage.folder / "older")
            self._watch(observer, self._seconds)
        self._watch(observer, 1.0)
        logs = Logs(self._stage.cluster.running)
        return {name: logs.records(self._world.topic(name)) for name in FACTS}

    def _lose(self) -> set[Place]:
        """Loses records; returns where facts, acts and sends are left."""
        stage = self._stage
        if self._kind == "put_back_stopped":
            assert stage.claim(*stage.workers) is not None
            for worker in stage.workers:
                stage.claim(worker)
                worker.stop()
        if self._again:
            self._world.remake(self._again)
        else:
            stage.cluster.put_back(stage.folder / "older")
        left = self._left()
        if self._kind == "put_back_stopped":
            for worker in stage.workers:
                worker.start()
                stage.free(worker)
        said, began = [one for one in read(self._path) if one.acknowledged is not None], time.monotonic()

        def lost(one: Said) -> bool:
            if self._again:
                return one.topic == self._again and one.began < began
            if one.began > began or one.topic not in INPUTS:
                return False
            return (self._world.topic(one.topic), one.partition, one.offset) not in left

        self._lost = lost
        self._report.landed = {self._kind: sum(map(lost, said))}
        if not self._report.landed[self._kind]:
            self._report.found.append("invalid: nothing was lost")
        return left

    def _left(self) -> set[Place]:
        """Returns where records are, once no transaction of before is open any more."""
        logs, names = Logs(self._stage.cluster.running), [self._world.topic(name) for name in INPUTS]
        for name in names:
            until(lambda name=name: logs.ends(name) == logs.ends(name, stable=False), "nothing is open")
        return {_place(one) for name in names for one in logs.records(name)}

    def _between(self, before: History) -> None:
        """Writes before anybody has brought anything back: to those whose no is lost, and facts in the lost places."""
        noes = [one.person for one in before.said_and_acknowledged("no") if self._lost(one) or self._again]
        names = self._chance.sample(noes, min(LOST, len(noes)))
        hand = Hand(self._stage.cluster.running, self._world.prefix, Journal(self._path))
        hand.write(
            Entry("send", f"e-{number}", name, "sends", send_to(name, number))
            for number, name in enumerate(names, BETWEEN)
        )
        hand.write(entry for number in range(60) for entry in agreed(f"between{number}"))

    def _refused(self, observer: Observer, before: History) -> None:
        """Waits until each partition is refused; meanwhile nothing may be decided."""
        every = set(range(self._world.partitions))
        if not self._watch(observer, LOUD_SECONDS, lambda: self._states().keys() == every):
            self._report.found.append(f"only {sorted(self._states())} were refused within {LOUD_SECONDS} s")
        self._watch(observer, 1.0)
        known = {one.value for one in before.on("audit")}  # by their bytes: ids may come again
        new = [one for one in observer.seen if one.topic == "audit" and one.value not in known]
        if new and not self._again:
            self._report.found.append(f"{len(new)} decisions came while records were gone and nobody had said a word")

    def _bring_back(self, lost: Iterable[Any]) -> None:
        """Writes the lost facts again, as people do who have them elsewhere."""
        hand = self._world.producer()
        for one in lost:
            hand.produce(one.topic(), one.value(), one.key(), one.partition(), headers=one.headers() or [])
            hand.poll(0)
        assert not hand.flush(60)

    def _resume(self, observer: Observer) -> None:
        """Two managers let each partition go on, as long as one is refused."""
        end = time.monotonic() + GOES_ON_SECONDS
        reasons = Counter[str]()
        while states := self._states():
            if time.monotonic() > end:
                self._report.found.append(f"{sorted(states.items())} stayed refused")
                return
            for number, reason in states.items():
                reasons[reason] += 1
                shown = json.loads(self._command("partition", "show", str(number), "--json"))["refused"]
                if shown is None or not shown.get("resume"):
                    continue
                words = shlex.split(shown["resume"])[1:-4]
                for who in staff.MANAGERS:
                    self._command(*words, "--by", who, "--reason", "looked", "--yes", "--wait", "0", by=who)
            for worker in self._stage.workers:  # else they look again only after a minute
                self._stage.replace(worker)
            acted = set(states.items())
            self._watch(observer, 30.0, lambda acted=acted: not acted & set(self._states().items()))
        self._report.missed = dict(reasons)
        if strange := reasons.keys() - set(REASONS):
            self._report.found.append(f"refused for {sorted(strange)}")

    def _after(self, observer: Observer) -> None:
        """Has the gate written to once more, and waits for all that is owed."""
        with self._driven(LATER):
            self._watch(observer, self._seconds)
        healed = time.monotonic()
        answered = self._watch(observer, HEALED_SECONDS, lambda: not self._history(observer).unanswered())
        self._report.seconds_to_answer = round(time.monotonic() - healed, 1) if answered else None
        if not answered:
            late = self._history(observer).unanswered()
            self._report.found.append(f"I12: {len(late)} had no answer after {HEALED_SECONDS} s: {late[:5]}")

    def _check(self, observer: Observer) -> None:
        found, report = self._history(observer), self._report
        report.found += replayed(self._stage.environment, self._stage.folder)
        report.said = dict(Counter(one.kind for one in found.said_and_acknowledged(*FEWEST)))
        report.verdicts = dict(Counter(f"{a['stage']} {a['verdict']}" for a in found.audits))
        report.found += check(found)
        for wanted in ("intake clear", "intake block"):
            if not report.verdicts.get(wanted):
                report.found.append(f"invalid: no {wanted}")

    def _history(self, observer: Observer) -> History:
        return History(self._said(), self._seen(observer.seen), self._keys)

    def _said(self) -> Iterator[Said]:
        """Yields what is not lost, and each no: a lost one is brought back before anything is decided."""
        for one in read(self._path):
            gone = self._lost(one)
            if self._again and one.topic == self._again:
                moved = one.offset + (0 if gone or one.offset == UNKNOWN else AGAIN)
                yield replace(one, offset=moved, acknowledged=None if gone else one.acknowledged)
            elif not gone or one.kind == "no":
                yield one

    def _seen(self, seen: Iterable[Seen]) -> Iterator[Seen]:
        """Yields what was seen, with the places of inputs in a log that was made again."""
        later = set[str]()
        for one in sorted(seen, key=lambda one: one.topic != "audit"):
            if self._again and one.topic == "audit":
                src = one.says["src"]
                if src["topic"] == self._world.topic(self._again) and src.get("era", 0):
                    later.add(str(one.says["did"]))
                    src["offset"] = src["offset"] % AGAIN + AGAIN
            elif self._again and one.topic == "deadletter" and one.did in later:
                topic, partition, offset = one.headers["gate-source"].decode().split("/")
                place = f"{topic}/{partition}/{int(offset) + AGAIN}".encode()
                one = replace(one, headers={**one.headers, "gate-source": place})
            yield one

    def _driven(self, first: int) -> ExitStack:
        """A driver that writes until the end of the context, and then until all is acknowledged."""
        stack = ExitStack()
        driver = Process(self._stage.folder / "driver.log", "driver", *self._where, self._path, self._seed, first)
        stack.callback(driver.end)
        driver.hears()
        return stack

    def _watch(self, observer: Observer, seconds: float, enough: Callable[[], bool] = lambda: False) -> bool:
        """Reads on and keeps the processes alive for so long, or until there is enough; tells whether there is."""
        end, asked = time.monotonic() + seconds, 0.0
        while time.monotonic() < end:
            observer.watch(min(0.2, seconds))
            self._stage.keep_alive()
            if time.monotonic() - asked > ASKED_SECONDS:
                if enough():
                    return True
                asked = time.monotonic()
        return False

    def _states(self) -> dict[int, str]:
        """Returns the reason of each refused partition."""
        listed = json.loads(self._command("status", "--json"))["partitions"]
        return {row["partition"]: row["refused"]["reason"] for row in listed if row["refused"]}

    def _command(self, *words: str, by: str = "hanako") -> str:
        """Runs a command, by a person who has a key; returns what it says."""
        environment = os.environ | self._stage.environment | {"GATEKEEPER_USER_KEY": staff.key_file(by)}
        done = forked.run(*words, env=environment)
        with (self._stage.folder / "commands.log").open("a") as log:
            log.write(f"{words}: {done.returncode}\n{done.stdout}{done.stderr}\n")
        return done.stdout


def _place(message: Any) -> Place:
    return message.topic(), message.partition(), message.offset()
