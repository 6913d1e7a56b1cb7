"""The faults that a nemesis causes: each begins, lasts for a pause, is mended, and tells whether it hurt.

Each runs in a thread of its own. A pause is over at once when the round heals.
"""

from __future__ import annotations

import os
import random
import resource
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from kafka import TopicPartition
from kafka.admin import KafkaAdminClient

from tests.chaos.group import ASKED_MS, Group
from tests.chaos.stage import MEMBERS, Stage
from tests.support.proxy import END_TXN, FETCH, PRODUCE, Delay, Exchange, Fault, Hold, Reset
from tests.support.world import Supervised

FACTS = ("sources", "consents", "suppressions", "reference")
SESSION = 6.0
"""Seconds after which a group, and a little earlier the controllers, take who is halted for dead."""
STARTED = 180.0
"""Seconds that a broker is given to start on a busy machine."""


class Kind(NamedTuple):
    """One kind of fault: what it does, what it needs for itself alone, and of how many brokers."""

    hurt: Callable[[Stage, random.Random, Any], bool]
    needs: Callable[[Stage], list[object]]
    brokers: int = 1


def worker_killed(stage: Stage, chance: random.Random, worker: Supervised) -> bool:
    """The kernel kills a supervisor's processes with it."""
    worker.kill()
    stage.pause(chance.uniform(0, 2))
    worker.start()
    return True


def process_killed(stage: Stage, chance: random.Random, worker: Supervised) -> bool:
    """One of several: its supervisor starts it again."""
    children = worker.children()
    if children:
        os.kill(chance.choice(children), signal.SIGKILL)
        stage.pause(chance.uniform(0, 2))
    return bool(children)


def worker_halted(stage: Stage, chance: random.Random, worker: Supervised) -> bool:
    """Past its session, with its processes: it goes on as somebody whom another has replaced."""
    worker.signal(signal.SIGSTOP)
    children = worker.children()
    for child in children:
        os.kill(child, signal.SIGSTOP)
    stage.pause(SESSION + chance.uniform(0.5, 3))
    for child in children:
        os.kill(child, signal.SIGCONT)
    worker.signal(signal.SIGCONT)
    return True


def worker_left(stage: Stage, chance: random.Random, worker: Supervised) -> bool:
    """In order, and back after a while."""
    worker.signal(signal.SIGTERM)
    stage.pause(chance.uniform(2, 6))
    stage.codes.append((worker.environment["GATEKEEPER_WORKER"], worker.wait()))
    worker.start()
    return stage.codes[-1][1] == 0


def clock_jumped(stage: Stage, chance: random.Random, worker: Supervised) -> bool:
    before = len(worker.events("clock_off"))
    stage.replace(worker, Path(__file__).with_name("jumping_clock.py"))
    stage.pause(chance.uniform(8, 10))
    said = stage.until(lambda: len(worker.events("clock_off")) > before, 30)  # a slow machine only just started it
    stage.replace(worker)
    return said


def facts_held(stage: Stage, chance: random.Random, _: object) -> bool:
    """Answers to readers of facts come late, and all else in time."""
    names = [stage.world.topic(name).encode() for name in FACTS]
    hold = stage.proxy.add(
        Hold(lambda asked: asked.key == FETCH and any(name in asked.request for name in names), answers=True)
    )
    stage.pause(chance.uniform(2, 6))
    stage.proxy.remove(hold)
    return bool(hold.met)


def answers_late(stage: Stage, chance: random.Random, _: object) -> bool:
    late = stage.proxy.add(Delay(lambda asked: True, lambda: chance.uniform(0, 0.3), answers=True))
    stage.pause(chance.uniform(2, 5))
    stage.proxy.remove(late)
    return bool(late.met)


def connections_reset(stage: Stage, chance: random.Random, _: object) -> bool:
    for _ in range(3):
        stage.proxy.reset()
        stage.pause(chance.uniform(0.1, 1))
    return True


def commit_lost(stage: Stage, chance: random.Random, _: object) -> bool:
    """The request that ends a transaction is lost with its connection."""
    lost = stage.proxy.add(Reset(_ends, first=1))
    stage.until(lambda: bool(lost.met), 8)
    stage.proxy.remove(lost)
    return bool(lost.met)


def commit_answered_late(stage: Stage, chance: random.Random, _: object) -> bool:
    kept = stage.proxy.add(Hold(_ends, answers=True, first=1))
    stage.until(lambda: bool(kept.met), 8)
    stage.pause(chance.uniform(2, 8))
    stage.proxy.remove(kept)
    return bool(kept.met)


def commit_kept(stage: Stage, chance: random.Random, _: object) -> bool:
    """The request that ends a transaction comes in the middle of the next one, its connection long reset."""
    kept = stage.proxy.add(Hold(_ends, first=1, reset=True))
    stage.until(lambda: bool(kept.met), 8)
    if kept.met:
        retried = stage.proxy.add(Fault(_ends, answers=True, first=1))
        stage.until(lambda: bool(retried.met), 10)
        begun = stage.proxy.add(Fault(lambda asked: asked.key == PRODUCE, answers=True, first=1))
        stage.until(lambda: bool(begun.met), 3)
        stage.proxy.remove(retried, begun)
    stage.proxy.remove(kept)
    return bool(kept.met)


def broker_killed(stage: Stage, chance: random.Random, _: object) -> bool:
    broker = stage.cluster.brokers[chance.choice(sorted(stage.cluster.brokers))]
    broker.kill()
    stage.pause(chance.uniform(0, 2))
    broker.start(timeout=STARTED)
    stage.until(lambda: _whole(stage), 20)
    return True


def broker_halted(stage: Stage, chance: random.Random, _: object) -> bool:
    return _halted(stage, chance.choice(sorted(stage.cluster.brokers)), chance.uniform(2, 8))


def leader_halted(stage: Stage, chance: random.Random, _: object) -> bool:
    """The leader of withdrawals, past its session: until it has heard of its successor, it answers as before."""
    tp = TopicPartition(stage.world.topic("consents"), chance.randrange(stage.world.partitions))
    leader, _ = stage.cluster.leader(tp)
    return leader > 0 and _halted(stage, leader, SESSION + chance.uniform(0.5, 2))


def rolling_restart(stage: Stage, chance: random.Random, _: object) -> bool:
    for broker in stage.cluster.brokers.values():
        broker.stop()
        broker.start(timeout=STARTED)
        stage.until(lambda: _whole(stage), 20)
    return True


def offsets_deleted(stage: Stage, chance: random.Random, _: object) -> bool:
    return _without_members(stage, Group.delete)


def offsets_falsified(stage: Stage, chance: random.Random, _: object) -> bool:
    return _without_members(stage, Group.falsify)


def inputs_expired(stage: Stage, chance: random.Random, _: object) -> bool:
    """Retention takes the sends that are decided."""
    sends = stage.world.topic("sends")
    decided = {TopicPartition(sends, p): head["sends"] for p, head in stage.world.heads().items()}
    with KafkaAdminClient(bootstrap_servers=stage.cluster.running, request_timeout_ms=ASKED_MS) as admin:
        admin.delete_records(decided)
    return any(decided.values())


def policy_activated(stage: Stage, chance: random.Random, _: object) -> bool:
    """The strictest policy comes into force, and soon the usual one again."""
    codes = []
    for policy in ("strictest@1", "jp-pmark@1"):
        how = ("--by", "hanako", "--from", "now", "--yes", "--no-wait")  # neither lets more through than before
        codes.append(stage.ended("activation", stage.command("policy", "activate", policy, *how)))
        stage.pause(chance.uniform(1, 3))
    return codes == [0, 0]


def sealer_killed(stage: Stage, chance: random.Random, _: object) -> bool:
    running = stage.sealer.poll() is None
    stage.sealer.kill()
    stage.ended("sealer", stage.sealer)
    stage.pause(chance.uniform(0, 3))
    stage.seal()
    return running


def disk_full(stage: Stage, chance: random.Random, _: object) -> bool:
    """The sealer cannot write one more byte."""
    before = resource.prlimit(stage.sealer.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(stage.sealer.pid, resource.RLIMIT_FSIZE, (0, before[1]))
    if not stage.until(lambda: stage.sealer.poll() is not None, 10):
        resource.prlimit(stage.sealer.pid, resource.RLIMIT_FSIZE, before)
        return False
    stage.codes.append(("sealer", stage.ended("sealer", stage.sealer)))
    stage.seal()
    return stage.codes[-1][1] == 3


def _without_members(stage: Stage, change: Callable[[Group], bool]) -> bool:
    """Changes offsets of the group, in a moment in which no worker is back yet."""
    with Group(stage.world, stage.cluster.running) as group:

        def changed() -> bool:
            group.expel(*MEMBERS)
            return change(group)

        return stage.until(changed, 8)


def _workers(stage: Stage) -> list[object]:
    return list(stage.workers)


def _several(stage: Stage) -> list[object]:
    return [worker for worker in stage.workers if worker.words]


def _ends(exchange: Exchange) -> bool:
    return exchange.key == END_TXN


def _halted(stage: Stage, number: int, seconds: float) -> bool:
    stage.cluster.halt(number)
    stage.pause(seconds)
    stage.cluster.resume(number)
    stage.until(lambda: _whole(stage), 20)
    return True


def _whole(stage: Stage) -> bool:
    """Tells whether every broker has all of what matters: before that no other one may be hurt."""
    return stage.cluster.whole(*(stage.world.topic(name) for name in ("consents", "ledger")))


BROKER = (broker_killed, broker_halted, offsets_deleted, offsets_falsified, inputs_expired, policy_activated)
KINDS: dict[str, Kind] = {
    **{one.__name__: Kind(one, _workers) for one in (worker_killed, worker_halted, worker_left, clock_jumped)},
    process_killed.__name__: Kind(process_killed, _several),
    **{one.__name__: Kind(one, lambda _: ["answers"]) for one in (facts_held, answers_late, connections_reset)},
    **{one.__name__: Kind(one, lambda _: ["commits"]) for one in (commit_lost, commit_answered_late, commit_kept)},
    **{
        one.__name__: Kind(one, lambda _: ["broker"])  # what is asked of a broker needs it, too
        for one in BROKER
    },
    **{one.__name__: Kind(one, lambda _: ["broker"], brokers=3) for one in (leader_halted, rolling_restart)},
    **{one.__name__: Kind(one, lambda _: ["sealer"]) for one in (sealer_killed, disk_full)},
}
