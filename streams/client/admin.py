"""The topics on the broker: made from the registry, and compared with it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from types import MappingProxyType
from typing import Any, Literal

from kafka import TopicPartition
from kafka.errors import (
    TopicAlreadyExistsError,
    UnknownBrokerIdError,
    UnknownTopicOrPartitionError,
    for_code,
)

from gatekeeper.ground import interruption
from gatekeeper.ground.errors import UsageError
from gatekeeper.ground.settings import Settings
from gatekeeper.ground.texts import text
from schemas.topics import FACT_TOPICS, TOPICS, Topic, added, logical_name
from streams.client import cluster, topic_settings
from streams.client.broker_access import REQUEST_MS
from streams.client.restore_mark import OPEN, SETTING, mark_of

SHOWN = 2
"""Differences that a refusal spells out, at most."""
_AS_SET: Mapping[str, int] = MappingProxyType({})
_PLAIN: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference between a topic and the registry; `setting` is Kafka's name of a differing setting.

    `hidden`: the user may not see its settings. `restoring` and `shut` are the marks of a restore, on any topic.
    `added`: somebody added partitions, while other topics have the right number.
    """

    topic: str
    aspect: Literal["missing", "partitions", "added", "replication", "setting", "hidden", "restoring", "shut"]
    found: str
    expected: str
    setting: str = ""

    def __str__(self) -> str:
        """The sentence: topic, present value, required value, next step."""
        return text(
            f"error.topic_{self.aspect}_differs",
            topic=self.topic,
            found=self.found,
            expected=self.expected,
            setting=self.setting,
        )


@dataclass(frozen=True, slots=True)
class Creation:
    """Result of `create`: the topics made and those that existed, by the broker's names."""

    created: tuple[str, ...]
    existing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Plan:
    """Layout of one topic on this cluster."""

    name: str
    topic: Topic
    partitions: int
    replication: int
    configs: dict[str, str]


def create(
    settings: Settings, *, partitions: Mapping[str, int] = _AS_SET, configs: Mapping[str, str] = _PLAIN
) -> Creation:
    """Makes every missing topic of the registry, all of them or none, and changes no existing one.

    `partitions`: numbers for topics (registry names) that may have any. `configs`: settings of new topics that differ
    from the registry.
    Every broker of the cluster knows the topics on return. Raises UsageError (2) if a topic has another number of
    partitions, or the broker refuses the layout. The number is never changed in place, because the keys would move.
    Raises UnavailableError (3) without a broker, or if a broker does not answer as `cluster` requires.
    """
    deadline = monotonic() + cluster.SPREAD_SECONDS
    while True:
        with cluster.connected(settings) as admin:
            try:
                return _create(admin, settings, partitions, configs)
            except UnknownBrokerIdError:  # a broker that joined after this client began; a new client knows it
                if monotonic() > deadline:
                    raise
        interruption.wait(cluster.LOOK_SECONDS)


def verify(settings: Settings) -> list[Difference]:
    """Every difference between the broker and the registry; none means that the guarantees hold.

    Raises UnavailableError (3) without a broker.
    """
    with cluster.connected(settings) as admin:
        described = _describe(admin, settings)
        plans = _plans(admin, settings, described)
        present = [plan for plan in plans if plan.name in described]
        by_topic = topic_settings.configs(admin, [plan.name for plan in present])
        drifted = [
            Difference(plan.name, "setting", by_topic[plan.name].get(key, ""), value, key)
            for plan in present
            for key, value in plan.configs.items()
            if by_topic[plan.name] and by_topic[plan.name].get(key) != value
        ]
        hidden = [Difference(plan.name, "hidden", "", "") for plan in present if not by_topic[plan.name]]
        return [*_marked(by_topic), *_layout_differences(plans, described), *drifted, *hidden]


def demand(settings: Settings) -> list[Difference]:
    """Raises UsageError (2) with the first differences if the broker differs from the registry.

    The result are the topics to which somebody added partitions: the gate goes on with the others.
    """
    differences = verify(settings)
    if serious := [difference for difference in differences if difference.aspect != "added"]:
        raise _refusal(serious)
    return differences


def repair(settings: Settings, differences: Sequence[Difference]) -> list[str]:
    """Sets drifted settings to the registry's values; a number of partitions or replicas is never changed in place.

    The result are the topics of facts (the broker's names) that may have lost records. Each worker reads all facts anew
    at its next start, and compares them with those by which partitions decided.
    Raises UsageError (2) if the broker refuses a value, or a restore left the gate shut. Raises UnavailableError (3)
    without a broker.
    """
    if any(difference.aspect in ("restoring", "shut") for difference in differences):
        raise _refusal(differences)
    wanted: dict[str, dict[str, str]] = {}
    for difference in differences:
        if difference.aspect == "setting":
            wanted.setdefault(difference.topic, {})[difference.setting] = difference.expected
    facts = {settings.topic(name) for name in FACT_TOPICS}
    lossy = [name for name, values in wanted.items() if name in facts and values.keys() & {*topic_settings.LOSING}]
    if wanted:
        with cluster.connected(settings) as admin:
            for name, values in topic_settings.configs(admin, lossy).items():
                wanted[name][topic_settings.REPAIRS] = str(int(values[topic_settings.REPAIRS]) + 1)
            topic_settings.enforce(admin, settings, wanted)
    return lossy


def forget(settings: Settings, starts: Mapping[tuple[str, int], int]) -> None:
    """Deletes the records before these offsets, by topic (registry name) and partition.

    Raises UsageError (2) if the broker forbids it, UnavailableError (3) without a broker.
    """
    if starts:
        with cluster.connected(settings) as admin:
            offsets = {TopicPartition(settings.topic(topic), number): at for (topic, number), at in starts.items()}
            admin.delete_records(offsets)


def identity(settings: Settings, topics: Sequence[str] = ("review",)) -> str:
    """A name that tells these topics from others of the same names, such as those of a newly made broker."""
    with cluster.connected(settings) as admin:
        ids = {logical_name(row["name"]): str(row["topic_id"]) for row in _there(admin, settings, topics)}
        for topic in topics:
            if topic not in ids:
                raise UnknownTopicOrPartitionError(settings.topic(topic))
    return " ".join((settings.prefix, *(ids[topic] for topic in topics)))


def topic_ids(settings: Settings, topics: Sequence[str]) -> dict[str, str]:
    """Kafka's ids of these topics (registry names) by name, without those that are not there, or hidden from us."""
    with cluster.connected(settings) as admin:
        rows = admin.describe_topics([settings.topic(topic) for topic in topics])
    return {logical_name(row["name"]): str(row["topic_id"]) for row in rows if not row["error_code"]}


def _create(admin: Any, settings: Settings, partitions: Mapping[str, int], configs: Mapping[str, str]) -> Creation:
    described = _describe(admin, settings)
    if len(described) < len(TOPICS):
        cluster.demand_whole(admin, settings)
    plans = _plans(admin, settings, described)
    wrong = [difference for difference in _layout_differences(plans, described) if difference.aspect == "partitions"]
    if wrong:
        raise _refusal(wrong)
    wanted = {
        plan.name: {
            "num_partitions": partitions.get(plan.topic.name, plan.partitions),
            "replication_factor": plan.replication,
            "configs": {**plan.configs, **configs},
        }
        for plan in plans
        if plan.name not in described
    }
    # first only validated for all, so that a refusal leaves nothing half done
    for only_asked in (True, False):
        if wanted:
            answer = admin.create_topics(wanted, timeout_ms=REQUEST_MS, validate_only=only_asked, raise_errors=False)
            wanted = {name: wanted[name] for name in _accepted(answer)}
    if missing := [plan.name for plan in plans if plan.name not in described]:  # another call may have made them
        cluster.everywhere(settings, admin, lambda asked: _ready(asked, missing))
    return Creation(tuple(wanted), tuple(plan.name for plan in plans if plan.name not in wanted))


def _describe(admin: Any, settings: Settings) -> dict[str, list[Any]]:
    """The replicas of each partition, by topic name, for the registry's topics on the broker."""
    return {
        row["name"]: [partition["replica_nodes"] for partition in row["partitions"]]
        for row in _there(admin, settings, TOPICS)
    }


def _there(admin: Any, settings: Settings, topics: Iterable[str]) -> Iterator[Any]:
    """Kafka's descriptions of these topics (registry names), without those that are not there."""
    for row in admin.describe_topics([settings.topic(topic) for topic in topics]):
        error = for_code(row["error_code"])
        if error is UnknownTopicOrPartitionError:
            continue
        if row["error_code"]:
            raise error(row["name"])
        yield row


def _ready(admin: Any, names: list[str]) -> bool:
    """True if a broker knows these topics, and the leader of each of their partitions."""
    rows = admin.describe_topics(names)
    return all(
        not row["error_code"]
        and all(not partition["error_code"] and partition["leader_id"] >= 0 for partition in row["partitions"])
        for row in rows
    )


def _plans(admin: Any, settings: Settings, described: dict[str, list[Any]]) -> list[_Plan]:
    # a broker that is down still counts, or a worker could not start during the outage of one of three
    brokers = {row["broker_id"] for row in admin.describe_cluster()["brokers"]}
    brokers.update(node for partitions in described.values() for replicas in partitions for node in replicas)
    replication = settings.replication or (cluster.REPLICAS if len(brokers) >= cluster.REPLICAS else 1)
    # two in-sync replicas can only be required of topics that have them, and must be required of all of these
    there = {name: max(map(len, partitions)) for name, partitions in described.items()}
    made = min(replication, len(brokers))
    return [
        _Plan(
            settings.topic(topic.name),
            topic,
            1 if topic.partitions == "one" else settings.partitions,
            replication,
            topic.settings(audit_days=settings.audit_days, replicas=there.get(settings.topic(topic.name), made)),
        )
        for topic in TOPICS.values()
    ]


def _layout_differences(plans: list[_Plan], described: dict[str, list[Any]]) -> list[Difference]:
    differences, names = [], {plan.name: plan.topic.name for plan in plans}
    more = added({names[name]: len(partitions) for name, partitions in described.items()})
    for plan in plans:
        partitions = described.get(plan.name)
        if partitions is None:
            differences.append(Difference(plan.name, "missing", "0", str(plan.partitions)))
            continue
        if plan.topic.partitions != "any" and len(partitions) != plan.partitions:
            beyond = more.get(plan.topic.name)
            aspect: Literal["added", "partitions"] = (
                "added" if beyond and beyond.start == plan.partitions else "partitions"
            )
            differences.append(Difference(plan.name, aspect, str(len(partitions)), str(plan.partitions)))
        fewest = min(len(replicas) for replicas in partitions)
        if fewest < plan.replication:
            differences.append(Difference(plan.name, "replication", str(fewest), str(plan.replication)))
    return differences


def _accepted(answer: dict[str, Any]) -> list[str]:
    """The topics that do not exist yet: another `topics create` may run at the same time."""
    names = []
    for row in answer["topics"]:
        if not row["error_code"]:
            names.append(row["name"])
        elif for_code(row["error_code"]) is not TopicAlreadyExistsError:
            raise UsageError("error.topic_refused", topic=row["name"], detail=row["error_message"])
    return names


def _marked(by_topic: dict[str, dict[str, str]]) -> list[Difference]:
    """The mark of a restore as a difference of one topic: what to do is the same for all."""
    if (mark := mark_of(by_topic)) is None:
        return []
    name = next(name for name, values in by_topic.items() if mark_of({name: values}) == mark)
    return [Difference(name, mark, by_topic[name][SETTING], OPEN, SETTING)]


def _refusal(differences: Sequence[Difference]) -> UsageError:
    for difference in differences:
        if difference.aspect in ("restoring", "shut"):
            return UsageError(f"error.topic_{difference.aspect}_differs", topic=difference.topic)
    shown = " ".join(str(difference) for difference in differences[:SHOWN])
    return UsageError("error.topics_differ", count=len(differences), shown=shown)
