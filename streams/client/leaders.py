"""Leaders of partitions, confirmed by several brokers, because one broker may be behind without knowing it.

A leader that was halted and resumes answers from its old log until it hears of its successor. So a leader counts only
with an epoch that is the newest of enough replicas. ADR 3 gives their number, and the proof that it suffices.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from aiokafka import TopicPartition
from aiokafka.cluster import ClusterMetadata
from aiokafka.structs import BrokerMetadata

NOBODY = -1
RECENT_SECONDS = 3.0
"""Seconds. A worker asks each second at least; a broker without an answer for this long may be halted."""


@dataclass(frozen=True, slots=True)
class Leader:
    """A broker that leads a partition during one epoch, NOBODY if none does; `replicas` have copies.

    `of`: the id of the topic. One that is made again has another, and counts epochs anew.
    """

    epoch: int
    node: int
    replicas: frozenset[int]
    of: str = ""
    asked: int = field(default=0, compare=False)
    """Replicas that had to answer to be sure of this leader."""


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """One broker's view: the leader of each partition, min.insync.replicas and id by topic, and the cluster's brokers.

    `beside`: the leaders of other topics that were asked for, too.
    """

    leaders: Mapping[TopicPartition, Leader]
    min_insync: Mapping[str, int]
    brokers: Set[int] = frozenset()
    ids: Mapping[str, str] = field(default_factory=dict)
    beside: Mapping[TopicPartition, Leader] = field(default_factory=dict)


@lru_cache(maxsize=64)
def newest(
    tps: Sequence[TopicPartition], answers: Set[tuple[int, Answer]], known: Sequence[Leader | None]
) -> tuple[Leader | None, ...]:
    """The leader with the newest epoch of each partition, None if too few replicas have answered.

    `answers`: by broker, all asked after the moment that must be covered. `known`: the newest leaders found before.
    """
    by_node = dict(answers)
    return tuple(_newest(tp, by_node, leader) for tp, leader in zip(tps, known, strict=True))


def _newest(tp: TopicPartition, answers: Mapping[int, Answer], known: Leader | None) -> Leader | None:
    by_node = {node: answer.leaders[tp] for node, answer in answers.items() if tp in answer.leaders}
    topics = {leader.of for leader in by_node.values()}
    if len(topics) != 1:  # nobody knows it, or a broker has not heard yet that the topic was made again
        return None
    believed = [*by_node.values(), *([known] if known and known.of in topics else ())]
    epoch = max(leader.epoch for leader in believed)
    latest = [leader for leader in believed if leader.epoch == epoch]
    # while a reassignment runs, one broker knows of replicas that another does not know yet: all of them count
    replicas = frozenset[int]().union(*(leader.replicas for leader in latest))
    fewest = min(answer.min_insync.get(tp.topic, 1) for answer in answers.values())
    if len(replicas & by_node.keys()) < (asked := needed(len(replicas), fewest)):
        return None
    return Leader(epoch, max(leader.node for leader in latest), replicas, latest[0].of, asked)


@lru_cache(maxsize=64)
def partitions(answers: Set[tuple[int, Answer]], brokers: Set[int]) -> Set[TopicPartition] | None:
    """All partitions of some topics that may hold an acknowledged record; None if too few brokers have answered.

    Each broker that acknowledged a record knows its partition. `answers`: as for `newest`, about these topics.
    `brokers`: those of the cluster, as far as they are known; answers may name more.
    """
    views = dict(answers).values()
    replicas = (leader.replicas for view in views for leader in view.leaders.values())
    everybody = frozenset(brokers).union(*(view.brokers for view in views), *replicas)
    fewest = min((least for view in views for least in view.min_insync.values()), default=1)
    if len(views) < needed(len(everybody), fewest):
        return None
    return frozenset[TopicPartition]().union(*(view.leaders for view in views))


def needed(replicas: int, min_insync: int) -> int:
    """Number of replicas that must answer so that any `min_insync` of them include one that answered."""
    return max(1, replicas - min_insync + 1)


class Leaders:
    """The newest leaders found, with the time of the finding; shared by all clients of a process.

    An older epoch of a topic never replaces a newer one.
    """

    def __init__(self) -> None:
        self._found: dict[TopicPartition, tuple[Leader, float]] = {}
        self._heard: dict[int, tuple[str, float]] = {}
        self._met: dict[int, tuple[str, int]] = {}
        self.on_change: Callable[[], object] = lambda: None
        """Called when a partition was found to have another leader than before."""

    def meet(self, addresses: Mapping[int, tuple[str, int]]) -> None:
        """Notes where brokers are, as another broker says: host and port by id."""
        self._met |= addresses

    def address(self, node: int) -> tuple[str, int] | None:
        """Host and port of a broker, as last heard of it; None if nobody named it."""
        return self._met.get(node)

    def heard(self, node: int, address: str, at: float) -> None:
        """Notes that a broker answered: its id, its address, and the time by the loop's clock."""
        self._heard[node] = address, at

    def answering(self, at: float) -> dict[int, str]:
        """The address of each broker that answered in the last RECENT_SECONDS; others may be halted."""
        return {node: address for node, (address, heard_at) in self._heard.items() if at - heard_at <= RECENT_SECONDS}

    def get(self, tp: TopicPartition) -> Leader | None:
        """The newest leader found, None if nobody has looked."""
        return self._found[tp][0] if tp in self._found else None

    def found_at(self, tp: TopicPartition) -> float:
        """The time of that finding by the loop's clock; -inf if nobody has looked."""
        return self._found[tp][1] if tp in self._found else float("-inf")

    def learn(self, leaders: Mapping[TopicPartition, Leader], at: float) -> None:
        """Takes leaders that were found to be the newest at that time, by the loop's clock."""
        changed = False
        for tp, leader in leaders.items():
            known = self.get(tp)
            if known is None or known.of != leader.of or known.epoch <= leader.epoch:
                changed = changed or (known is not None and (known.of, known.epoch) != (leader.of, leader.epoch))
                self._found[tp] = leader, at
        if changed:
            self.on_change()


class Cluster(ClusterMetadata):
    """An aiokafka client's view of the cluster; of two leaders of a partition, the one heard of last counts.

    aiokafka asks any broker, and its Metadata has no epochs. So a deposed leader may name itself once more. The next
    look at the ends corrects that at once, without a request. Brokers that answer are asked before others.
    """

    def __init__(self, leaders: Leaders) -> None:
        super().__init__()
        self._leaders, self._told_at = leaders, float("-inf")

    def update_metadata(self, metadata: Any) -> None:
        """Takes the answer of any broker."""
        self._told_at = asyncio.get_running_loop().time()
        super().update_metadata(metadata)

    def brokers(self) -> Any:
        """The brokers that may be asked for information that all of them have."""
        brokers = super().brokers()
        answering = self._leaders.answering(asyncio.get_running_loop().time())
        return {broker for broker in brokers if broker.nodeId in answering} or brokers

    def everybody(self) -> set[int]:
        """The ids of all brokers, those that do not answer included."""
        return {broker.nodeId for broker in super().brokers()}

    def broker_metadata(self, broker_id: Any) -> Any:
        """The place of a broker, None if unknown.

        The last answer may have left it out, as it may have come back since.
        """
        broker = super().broker_metadata(broker_id)
        if broker is None and (address := self._leaders.address(broker_id)):
            return BrokerMetadata(broker_id, *address, None)
        return broker

    def leader_for_partition(self, tp: TopicPartition) -> Any:
        """The id of the leader, -1 if there is none, None if it is not known."""
        leader = self._leaders.get(tp)
        if leader is not None and self._leaders.found_at(tp) > self._told_at:
            return leader.node
        return super().leader_for_partition(tp)
