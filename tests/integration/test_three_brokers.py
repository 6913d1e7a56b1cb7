"""Faults that only three brokers can cause, each caused on purpose in one cluster.

A leader that was halted answers from its old log (`tests/support/stale_leader.py`). That a worker which believes it
clears is shown by a planted bug of the simulation (`stale_leader`). A commit that a middlebox kept
arrives in the middle of the next transaction: the broker must refuse it. A broker that is halted takes connections and
answers nothing: the gate leaves it as soon as Kafka does. All three are put back to an older state together.
"""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from kafka import TopicPartition
from kafka.admin import KafkaAdminClient

from tests.support import forked, fragile, staff
from tests.support.cluster import Cluster, spoil
from tests.support.proxy import END_TXN, PRODUCE, Exchange, Fault, Hold
from tests.support.stale_leader import TRIALS, trials
from tests.support.world import BACK_SOON, World, consent_of, eventually, send_to, until

ELECTED_SECONDS = 3 * 15.0
"""After the election of new leaders decisions come within 15 seconds; a busy machine is given three times as long."""
SENDS = 200
LEADERS = {"audit": 2, "cleared": 3}
"""The leaders of the worker's outputs, so that a transaction takes several requests; broker 1 leads the rest."""


pytestmark = pytest.mark.long("the simulation halts leaders and keeps commits back; it plants both bugs")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster(tmp_path_factory.mktemp("cluster"), 3, BACK_SOON) as cluster:
        yield cluster


def test_given_a_halted_leader_that_goes_on_then_no_send_is_cleared_by_its_old_log(cluster, prefix, tmp_path):
    found = trials(cluster, prefix, tmp_path)
    assert found.counted >= TRIALS, "the old leader was not asked before it heard"
    assert found.cleared == [], f"{len(found.cleared)} of {found.sends}"


@dataclass
class Kept:
    """A way in which the proxy delays a commit."""

    answers: bool
    reset: bool


KEPT = [
    pytest.param(Kept(answers=False, reset=True), id="request_past_a_reset"),
    pytest.param(Kept(answers=True, reset=False), id="answer_late"),
]


def transactional(exchange: Exchange) -> bool:
    return exchange.key == PRODUCE and exchange.asked.transactional_id is not None


@pytest.mark.parametrize("kept", KEPT)
def test_a_commit_kept_into_the_next_transaction_then_each_send_is_decided_once(
    cluster: Cluster, prefix: str, tmp_path: Path, kept: Kept
) -> None:
    world, proxy = World(cluster.bootstrap, prefix, partitions=1, max_lag=60.0).create(), cluster.proxy
    world.people(["r1"])
    with world.process(tmp_path / "worker.log", broker=proxy.bootstrap) as worker:

        def alive(condition: Callable[[], Any]) -> Any:
            worker.keep_alive()
            return condition()

        def decide(count: int) -> None:
            until(lambda: alive(lambda: world.decided() >= count), f"{count} decisions")

        world.sends(["r1"])
        decide(1)
        cluster.lead({TopicPartition(world.topic(name), 0): leader for name, leader in LEADERS.items()})
        world.sends(["r1"], 1)
        decide(2)
        commit = proxy.add(Hold(lambda asked: asked.key == END_TXN, first=1, answers=kept.answers, reset=kept.reset))
        world.sends(["r1"] * SENDS, 2)
        decide(2 + SENDS)
        part = proxy.add(Hold(lambda asked: transactional(asked) and asked.broker == LEADERS["audit"]))
        rest = proxy.add(Fault(lambda asked: transactional(asked) and asked.broker == 1, answers=True))
        world.sends(["r1"] * SENDS, 2 + SENDS)
        until(lambda: alive(lambda: part.met and rest.met), "the middle of the next transaction")
        proxy.release(commit)
        late = commit.met[0]
        until(lambda: late.answer is not None, "the broker's answer to the commit")
        proxy.remove(part, rest, commit)
        decide(2 + 2 * SENDS)
    world.check(2 + 2 * SENDS)
    assert (late.told.error_code == 0) == kept.answers, "the broker committed what it had of another transaction"


def test_each_of_three_brokers_halted_in_turn_then_decisions_come_soon(
    cluster: Cluster, prefix: str, tmp_path: Path
) -> None:
    world, names = World(cluster.bootstrap, prefix, partitions=2).create(), [f"r{number}" for number in range(40)]
    world.people(names)
    world.sends(names)
    took = dict[int, float]()
    with world.process(tmp_path / "worker.log", broker=cluster.proxy.bootstrap) as worker:
        until(lambda: world.decided() == len(names), "decisions before")
        for number in cluster.brokers:
            cluster.halt(number)
            until(lambda halted=number: cluster.led(without=halted), "new leaders")
            elected, reached = time.monotonic(), World(cluster.running, prefix, partitions=2)
            reached.sends(names, number * len(names))
            until(lambda w=reached, n=number: w.decided() == (n + 1) * len(names), f"decisions without broker {number}")
            took[number] = time.monotonic() - elected
            cluster.resume(number)
            until(cluster.whole, "all replicas in sync")
        assert worker.process
        assert worker.process.is_alive()
        assert not worker.events("stopped"), worker.tail()
    world.check((1 + len(took)) * len(names))
    print("seconds after the election:", {number: round(seconds, 1) for number, seconds in took.items()})
    assert max(took.values()) < ELECTED_SECONDS, took


def test_a_batch_that_the_leaders_disk_spoilt_then_another_replica_is_read(cluster: Cluster, prefix: str) -> None:
    world = World(cluster.bootstrap, prefix, partitions=2).create()
    world.people(["r1", "r2"])
    world.put("consents", [("r2", consent_of("r2", "Withdrawn"))])
    partition = next(m.partition() for m in world.read("consents") if m.value().count(b"Withdrawn-r2"))
    with KafkaAdminClient(bootstrap_servers=world.bootstrap) as admin:
        (described,) = admin.describe_topics([world.topic("consents")])
    leader = next(row["leader_id"] for row in described["partitions"] if row["partition_index"] == partition)
    spoil(cluster.brokers[leader], world, partition, b"Withdrawn-r2")
    world.put("sends", [(name, send_to(name, name)) for name in ("r1", "r2")])

    async def run() -> None:
        async with world.worker() as app:
            await eventually(lambda: len(world.audits()) == 2, "two sends")
            assert not app.followers.store.unresolved.faults

    asyncio.run(run())
    assert world.verdicts() == {"e-r1": ("clear", None), "e-r2": ("block", "CONSENT_WITHDRAWN")}


def test_given_three_brokers_put_back_then_a_worker_without_files_still_knows(
    cluster: Cluster, prefix: str, tmp_path: Path
) -> None:
    world, names = World(cluster.bootstrap, prefix, partitions=1, data="").create(), [f"p{n}" for n in range(30)]

    def said(*words: str, by: str = "hanako") -> Any:
        environment = os.environ | world.environment | {"GATEKEEPER_USER_KEY": staff.key_file(by)}
        return json.loads(forked.run(*words, "--json", env=environment).stdout)

    def stop(of: str, *people: str) -> None:
        value = {"v": 1, "kind": "objection", "received_at": "2026-01-01"}
        rows = ((name, {**value, "suppression_id": f"{of}-{name}", "recipient_id": name}) for name in people)
        world.put("suppressions", rows)

    world.people(names)
    stop("before", "somebody")
    world.sends(names[:10])
    with world.process(tmp_path / "worker.log", Path(fragile.__file__)) as worker:
        world.await_audits(10)
        cluster.keep(tmp_path / "older")
        world.sends(names[10:20], 10)
        world.await_audits(20)
        stop("lost", *names)
        (tmp_path / fragile.WORD).touch()
        cluster.put_back(tmp_path / "older")
        world = World(cluster.bootstrap, prefix, partitions=1, data="")
        world.sends(names[20:], 20)
        stop("other", *(f"other{number}" for number in range(40)))  # where those were that are lost
        worker.end_refused()
        for reason in ("error.decisions_gone", "error.facts_made_again"):
            worker.start()
            worker.end_refused()
            refused = said("partition", "show", "0")["refused"]
            assert (refused["reason"], len(world.verdicts())) == (reason, 10)
            stop("lost", *names)
            for who in staff.MANAGERS:
                said(
                    *shlex.split(refused["resume"])[1:-4],
                    "--by",
                    who,
                    "--reason",
                    "back",
                    "--yes",
                    "--wait",
                    "0",
                    by=who,
                )
        worker.start()
        until(lambda: len(world.verdicts()) == 20, "all sends")
    assert {world.verdicts()[f"e-{number}"] for number in range(20, 30)} == {("block", "SUBJECT_OBJECTED")}
