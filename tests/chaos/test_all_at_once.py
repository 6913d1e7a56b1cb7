"""All that goes on at once, with two workers that are killed and halted in the middle of it: each thing happens once.

Sends, acts about items, withdrawals that recall, and the hand-off of a campaign are under way in each phase, and in
four of them a worker is hurt. `World.check` holds all that came out against all that was decided, and the ledger
against what the committed audit records imply; here stands what the order of acknowledgements promises besides.
`scripts/chaos --size N` has so many people of each kind in a phase.
"""

from __future__ import annotations

import os
import random
import signal
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from confluent_kafka import Producer

from tests.chaos.conftest import Flow
from tests.worlds import Supervised, World, consent, send, source, until

SIZE = int(os.environ.get("CHAOS_SIZE", "30"))
PHASES = 5
KINDS = ("release", "release", "uphold", "ask", "redecide", "undo")
NO = {"state": "Withdrawn", "channels": "*"}


class Traffic:
    """What all who write to the gate do meanwhile, a phase at a time, each in a thread of its own.

    Of the people, `young` and `silent` are items that a reviewer may release or ask about, `unknown` ones that a
    redecision clears once they are known; `cleared` will withdraw in part, as will the `handed` of each campaign.
    """

    def __init__(self, world: World, chance: random.Random) -> None:
        self.world, self.flow, self._chance = world, Flow(world.may_ask()), chance
        self.phase = 0
        self.acts: list[str] = []  # two threads append to it
        self.withdrawn: list[str] = []
        """Whose withdrawal was acknowledged, in that order."""
        self.late: list[str] = []
        """Event ids of what was sent, and ids of releases that were written, after their person's withdrawal was."""
        self.before_hand_off: set[str] = set()
        """Whose withdrawal was acknowledged before the hand-off of their campaign was written."""
        self._people = {
            kind: [f"{kind}{number}" for number in range(PHASES * SIZE)]
            for kind in ("young", "silent", "unknown", "cleared", "handed")
        }
        world.people(self._people["young"], may_be_minor=True)
        world.put("sources", ((name, source(name)) for name in self._people["silent"]))
        world.people([*self._people["cleared"], *self._people["handed"]])
        for kind, names in self._people.items():
            campaigns = [{"campaign_id": f"K{n // SIZE}"} if kind == "handed" else {} for n in range(len(names))]
            world.put("sends", ((name, send(name, name, **one)) for name, one in zip(names, campaigns, strict=True)))
        self._sent = len(self._people) * PHASES * SIZE
        self._items: dict[str, dict] = {}

    @property
    def sent(self) -> int:
        """How many sends there are."""
        return self.flow.sent + self._sent

    def begin(self) -> None:
        """Waits until all that will be acted on is decided."""
        until(lambda: self.world.decided() >= self._sent, "decisions on all who are acted on")
        self._items = self.world.items()

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """Does what belongs to one phase, all of it meanwhile; and asserts that the gate was in the middle of it."""
        part = slice(self.phase * SIZE, (self.phase + 1) * SIZE)
        names = {kind: names[part] for kind, names in self._people.items()}
        with ThreadPoolExecutor(3) as threads:
            running = [threads.submit(self.flow.publish, 40 * SIZE)]
            running += [threads.submit(job, names) for job in (self._act, self._withdraw)]
            yield
            for one in running:
                one.result()
        self.phase += 1

    def _act(self, names: dict[str, list[str]]) -> None:
        """Two reviewers, who know nothing of each other."""
        chance, producer = random.Random(self._chance.random()), self.world.producer()
        for name in (*names["young"], *names["silent"], *names["unknown"]):
            if name in names["unknown"] and chance.random() < 0.7:
                self.world.people([name])
            for by in ("hanako", "taro"):
                for number in range(2):
                    item = self._items[f"e-{name}"]
                    self.acts.append(f"{by}-{number}-{name}")
                    self.world.act(chance.choice(KINDS), item, producer, act_id=f"{by}-{number}-{name}", by=by)

    def _withdraw(self, names: dict[str, list[str]]) -> None:
        """Some say no, and what comes after that is written only when it is acknowledged; a hand-off among it."""
        producer = self.world.producer(**{"linger.ms": 0})
        self._say_no(names["handed"][::3], producer)
        self.before_hand_off |= {*names["handed"][::3]}
        self._hand_off(f"K{self.phase}", producer)
        self._say_no((*names["handed"][1::3], *names["cleared"][::2], *names["young"][::3]), producer)

    def _say_no(self, names: Iterable[str], producer: Producer) -> None:
        for name in names:
            self.world.put("consents", [(name, consent(name, **NO))], producer)
            self.withdrawn.append(name)
            self.world.put("sends", [(name, send(name, f"late-{name}"))], producer)
            self.late.append(f"e-late-{name}")
            self._sent += 1
            if name.startswith("young"):
                self.world.act("release", self._items[f"e-{name}"], producer, act_id=f"late-{name}", by="jiro")
                self.late.append(f"late-{name}")
                self.acts.append(f"late-{name}")

    def _hand_off(self, campaign: str, producer: Producer) -> None:
        about = {"act_id": f"run-{campaign}", "subject": f"campaign/{campaign}"}
        act = {"v": 1, "kind": "handoff", "at": datetime.now(UTC).isoformat(), "by": "hanako", **about}
        for partition in range(self.world.partitions):
            self.world.put("acts", [(act["subject"], act)], producer, partition=partition)
            self.acts.append(about["act_id"])

    def in_the_middle(self) -> bool:
        """Tells whether sends and acts wait at this moment that have come already."""
        heads = self.world.heads().values()
        return sum(head["sends"] for head in heads) < self.sent and sum(head["acts"] for head in heads) < len(self.acts)

    def await_answers(self, *workers: Supervised) -> list[int]:
        """Waits until nothing is left to do, starts ended workers again, and returns the codes that they ended with."""
        codes: list[int] = []

        def done() -> bool:
            codes.extend(code for worker in workers if (code := worker.keep_alive()) is not None)
            heads = self.world.heads().values()
            taken = sum(head["sends"] for head in heads), sum(head["acts"] for head in heads)
            return taken == (self.sent, len(self.acts)) and not self._standing()

        until(done, "an answer to all, and every recall", 120)
        return codes

    def _standing(self) -> list[str]:
        """Returns whose pieces stand though they have withdrawn."""
        gone = set(self.withdrawn)
        return [key for key in self.world.ledger() if key.startswith("clear/") and key.split("/")[1] in gone]


def test_given_sends_acts_recalls_and_a_hand_off_while_workers_are_killed_and_halted_then_each_happens_once(
    world: World, chance: random.Random, tmp_path: Path
) -> None:
    traffic = Traffic(world, chance)
    first = traffic.flow.worker(tmp_path / "first.log", worker="worker-0")
    second = traffic.flow.worker(tmp_path / "second.log", worker="worker-1")
    with first as steady, second as hurt:

        def shared() -> bool:
            owned = steady.owned(), hurt.owned()
            return all(owned) and sorted(owned[0] + owned[1]) == list(range(world.partitions))

        until(shared, "both own partitions")
        traffic.begin()
        for _ in range(3):
            with traffic.under_way():
                traffic.flow.await_more(chance.randrange(1, 20 * SIZE))
                hurt.kill()
                until(traffic.in_the_middle, "sends and acts that wait for a worker that is hurt")
                hurt.start()
            until(shared, "both own partitions again")
        with traffic.under_way():
            traffic.flow.await_more(chance.randrange(1, 20 * SIZE))
            hurt.signal(signal.SIGSTOP)
            until(traffic.in_the_middle, "sends and acts that wait for a worker that is hurt")
            until(lambda: len(steady.owned()) == world.partitions, "the other one owns all, once the session is over")
            hurt.signal(signal.SIGCONT)
        with traffic.under_way():
            traffic.flow.await_more(1)
        codes = traffic.await_answers(steady, hurt)
    assert set(codes) <= {70}, "a zombie that finds itself fenced ends, and may be started again"
    assert traffic.phase == PHASES
    check(world, traffic)


def check(world: World, traffic: Traffic) -> None:
    """Asserts what was promised to whoever withdrew, and that everything was answered once."""
    world.check(traffic.sent)
    audits = world.audits()
    acted = [a.act for a in world.acted().values() if a.act and a.act.by != "gatekeeper"]
    assert Counter(act.act_id for act in acted) == Counter(traffic.acts), "not one answer for each act"
    assert [act.outcome for act in acted if act.kind == "handoff"] == ["done"] * world.partitions * PHASES
    outcomes = Counter((act.kind, act.outcome) for act in acted)
    assert {("release", "cleared"), ("uphold", "upheld"), ("ask", "asked"), ("redecide", "cleared")} <= outcomes.keys()
    assert {("undo", "recalled"), ("release", "withheld"), ("release", "refused")} <= outcomes.keys()
    verdicts = {name: verdict for name, (verdict, _) in world.verdicts().items()}
    verdicts |= {a.act.act_id: a.verdict for a in audits if a.act and a.act.act_id}
    assert {verdicts[name] for name in traffic.late} <= {"block", None}, "cleared after an acknowledged withdrawal"
    handed = {a.act.item for a in audits if a.act and a.act.outcome == "handed"}
    people = {did: piece.recipient_id for did, piece in world.pieces().items()}
    assert handed
    assert not {people[did] for did in handed} & traffic.before_hand_off
    called_back = Counter(m.key().decode() for m in world.read("recalls"))
    assert called_back.keys() >= {name for name in traffic.withdrawn if not name.startswith("young")}
