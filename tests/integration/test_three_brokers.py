"""Faults that only three brokers can cause, each caused on purpose in one cluster.

A leader that was halted answers from its old log (`tests/support/stale_leader.py`). That a worker which believes it
clears is shown by a planted bug of the simulation (`stale_leader`). A commit that a middlebox kept
arrives in the middle of the next transaction: the broker must refuse it. A broker that is halted takes connections and
answers nothing: the gate leaves it as soon as Kafka does. All three are put back to an older state together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from kafka import TopicPartition

from tests.support.cluster import Cluster
from tests.support.proxy import END_TXN, PRODUCE, Exchange, Fault, Hold
from tests.support.stale_leader import TRIALS, trials
from tests.support.world import BACK_SOON, World, until

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
