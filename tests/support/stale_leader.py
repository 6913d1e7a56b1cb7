"""A leader that was halted answers from its old log when it goes on, until it has heard of its successor.

In every second trial it hears of nothing before all is decided, as when a network cuts it off from the controllers.
"""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass, field
from pathlib import Path

from kafka import TopicPartition

from tests.support.cluster import Cluster
from tests.support.proxy import FETCH, LIST_OFFSETS, Exchange, Fault
from tests.support.world import World, consent_of, send_to, until

TRIALS = int(os.environ.get("STALE_LEADER_TRIALS", "2"))
UNKNOWN_LEADER_EPOCH = 75
"""A broker's answer to an epoch that it has not heard of."""
PEOPLE = 40
"""People who withdraw in a trial while their partition's leader is halted, and get sends when it goes on."""
MOST_HALTS = 3
"""Halts that a trial may need: some leaders hear of their successor before they are asked anything."""


@dataclass
class Trials:
    """The results of several halts of the leader of `consents`."""

    counted: int = 0
    """Halts after which the old leader answered, from its old log, a request about the partition."""
    halts: int = 0
    cleared: list[str] = field(default_factory=list)
    """Sends that were cleared although their person's withdrawal was acknowledged before they were published."""
    sends: int = 0


class Stage:
    """Three brokers, and a worker behind the proxy; the first broker leads all but `consents`."""

    def __init__(self, cluster: Cluster, world: World) -> None:
        self.cluster, self.world = cluster, world
        self.consents = TopicPartition(world.topic("consents"), 0)
        self.audits = 0

    def place(self) -> None:
        """Has every partition led by whom the trial needs it."""
        self.cluster.lead({self.consents: 2})

    def run(self, trials: int) -> Trials:
        found = Trials()
        while found.counted < trials and found.halts < MOST_HALTS * trials:
            self._halt(found)
        return found

    def _halt(self, found: Trials) -> None:
        world, cluster, halt = self.world, self.cluster, found.halts
        old, _ = until(self._whole, "three replicas in sync")
        names = [f"h{halt}-{number}" for number in range(PEOPLE)]
        world.people(names)
        self.decide(["r1"], f"before-{halt}")
        answers = Fault(lambda asked: asked.broker == old and asked.key in (FETCH, LIST_OFFSETS), answers=True)
        cluster.proxy.add(answers)
        cluster.halt(old)
        until(lambda: cluster.leader(self.consents)[0] not in (old, -1), "a new leader")
        fresh = world.producer(**{"bootstrap.servers": cluster.running})
        world.put("consents", ((name, consent_of(name, "Withdrawn")) for name in names), fresh)
        with cluster.deaf(old) if halt % 2 == 0 else contextlib.nullcontext():
            resumed = time.monotonic()
            cluster.resume(old)
            self.decide(names, f"after-{halt}")
        cluster.proxy.remove(answers)
        found.halts += 1
        found.sends += len(names)
        found.counted += any(leads(one, self.consents) for one in answers.met if (one.answered_at or 0) > resumed)
        verdicts = world.verdicts()
        found.cleared += [name for name in names if verdicts[f"e-{name}-after-{halt}"][0] == "clear"]

    def decide(self, names: list[str], when: str) -> None:
        """Publishes a send to each, one after the other, and waits for the decisions."""
        for name in names:
            self.world.put("sends", [(name, send_to(name, f"{name}-{when}"))])
        self.audits += len(names)
        until(lambda: sum(a.stage == "intake" for a in self.world.audits()) >= self.audits, "decisions")

    def _whole(self) -> tuple[int, set[int]] | None:
        found = self.cluster.leader(self.consents)
        return found if found[0] in (2, 3) and found[1] == {1, 2, 3} else None


def leads(exchange: Exchange, tp: TopicPartition) -> bool:
    """Tells whether a broker answers a ListOffsets or Fetch as if it led the partition, or not knowing who does."""
    topics = exchange.told.topics if exchange.key == LIST_OFFSETS else exchange.told.responses
    name = "name" if exchange.key == LIST_OFFSETS else "topic"
    found = {(getattr(t, name), p.partition_index): p.error_code for t in topics for p in t.partitions}
    return found.get((tp.topic, tp.partition)) in (0, UNKNOWN_LEADER_EPOCH)


def trials(cluster: Cluster, prefix: str, folder: Path, *, count: int = TRIALS) -> Trials:
    """Returns what came of so many trials that count."""
    world = World(cluster.bootstrap, prefix, partitions=1, max_lag=60.0).create()
    world.people(["r1"])
    with world.process(folder / "worker.log", broker=cluster.proxy.bootstrap) as worker:
        stage = Stage(cluster, world)
        stage.decide(["r1"], "first")
        stage.place()
        found = stage.run(count)
        assert worker.stop() == 0, worker.tail()
    return found
