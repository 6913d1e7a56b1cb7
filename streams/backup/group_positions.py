"""The committed positions of all consumer groups on the topics of the registry, those of other programs too."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from time import monotonic
from typing import NamedTuple, TypeVar

from kafka import TopicPartition
from kafka.errors import CoordinatorLoadInProgressError, CoordinatorNotAvailableError, KafkaError, NotCoordinatorError
from kafka.structs import OffsetAndMetadata

from gatekeeper.ground import interruption
from gatekeeper.ground.errors import UnavailableError
from gatekeeper.ground.settings import Settings
from schemas.topics import TOPICS, logical_name
from streams.client import cluster

T = TypeVar("T")

_MEMBERLESS = ("Empty", "Dead")
"""Kafka's words for the states of a group without members."""
_SOON = (CoordinatorLoadInProgressError, CoordinatorNotAvailableError, NotCoordinatorError)


class GroupPosition(NamedTuple):
    """A group's next offset on one partition of a topic (registry name), with the group's own note."""

    group: str
    topic: str
    partition: int
    offset: int
    note: str


def positions(settings: Settings) -> list[GroupPosition]:
    """Every position that the user may see, in order; raises UnavailableError (3) without a broker."""
    ours = {settings.topic(name) for name in TOPICS}
    with cluster.connected(settings) as admin:
        groups = [row["group_id"] for row in patiently(admin.list_groups)]
        by_group = patiently(partial(admin.list_group_offsets, groups)) if groups else {}
    return sorted(
        GroupPosition(group, logical_name(tp.topic), tp.partition, committed.offset, committed.metadata or "")
        for group, offsets in by_group.items()
        for tp, committed in offsets.items()
        if tp.topic in ours and committed.offset >= 0
    )


def at_work(settings: Settings, groups: Collection[str]) -> list[str]:
    """Those of these groups that have a member, in order; raises UnavailableError (3) without a broker."""
    with cluster.connected(settings) as admin:
        active = {row["group_id"] for row in patiently(admin.list_groups) if row["group_state"] not in _MEMBERLESS}
    return sorted(active.intersection(groups))


def commit(settings: Settings, wanted: Iterable[GroupPosition]) -> None:
    """Commits these positions for their groups, of which none may have a member; raises UnavailableError (3) else."""
    groups = defaultdict[str, dict[TopicPartition, OffsetAndMetadata]](dict)
    for position in wanted:
        tp = TopicPartition(settings.topic(position.topic), position.partition)
        groups[position.group][tp] = OffsetAndMetadata(position.offset, position.note, -1)
    with cluster.connected(settings) as admin:
        for group, offsets in groups.items():
            for error in patiently(partial(admin.alter_group_offsets, group, offsets), _unready).values():
                if error.errno:
                    raise UnavailableError("error.restore_group", group=group, detail=error.__name__)


def patiently(ask: Callable[[], T], unready: Callable[[T], bool] = lambda answer: False) -> T:
    """The answer of Kafka's coordinators; a new cluster has them only a moment after the first question.

    `ask` is called again while it raises an error that soon passes, or `unready` is true of its answer. After
    SPREAD_SECONDS the last error is raised, or the last answer is given.
    """
    deadline = monotonic() + cluster.SPREAD_SECONDS
    while True:
        last = monotonic() > deadline
        try:
            answer = ask()
            if last or not unready(answer):
                return answer
        except _SOON:
            if last:
                raise
        interruption.wait(cluster.LOOK_SECONDS)


def _unready(answers: Mapping[TopicPartition, type[KafkaError]]) -> bool:
    return any(issubclass(error, _SOON) for error in answers.values())
