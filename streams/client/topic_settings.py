"""The settings of topics on the broker: read, changed on every broker, and the mark of a restore among them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import TopicAuthorizationFailedError, for_code

from gatekeeper.ground.errors import UsageError
from gatekeeper.ground.settings import Settings
from schemas.topics import FACT_TOPICS
from streams.client import cluster
from streams.client.restore_mark import SETTING, Mark, mark_of

LOSING = ("cleanup.policy", "retention.ms", "retention.bytes", "unclean.leader.election.enable")
"""Settings by which Kafka deletes records that were acknowledged."""
REPAIRS = "file.delete.delay.ms"
"""Kafka waits so many milliseconds until it deletes a file. On a topic of facts they also count the repairs of LOSING.

Workers read all facts anew once another number stands there.
"""


def setting(settings: Settings, topic: str, name: str) -> str:
    """A setting that is in force for a topic (registry name), in Kafka's spelling.

    Raises UnavailableError (3) without a broker.
    """
    with cluster.connected(settings) as admin:
        return configs(admin, [settings.topic(topic)])[settings.topic(topic)][name]


def repairs(settings: Settings) -> list[str]:
    """The number of repairs of each fact topic, after which workers read all facts anew.

    Raises UnavailableError (3) without a broker.
    """
    names = [settings.topic(name) for name in FACT_TOPICS]
    with cluster.connected(settings) as admin:
        return [values.get(REPAIRS, "") for values in configs(admin, names).values()]


def alter(settings: Settings, topics: Iterable[str], wanted: Mapping[str, str]) -> None:
    """Sets these settings for topics (registry names), and returns once every broker knows; raises as `enforce`."""
    with cluster.connected(settings) as admin:
        enforce(admin, settings, {settings.topic(topic): wanted for topic in topics})


def mark(settings: Settings) -> Mark | None:
    """The mark that a restore left on the fact topics, None for an open gate.

    Raises UsageError (2) if a topic is missing or its settings are hidden from us, UnavailableError (3) without broker.
    """
    names = [settings.topic(name) for name in FACT_TOPICS]
    with cluster.connected(settings) as admin:
        by_topic = configs(admin, names)
        for name in names:
            if SETTING not in by_topic.get(name, {}):
                for row in admin.describe_topics([name]):
                    if row["error_code"]:
                        raise for_code(row["error_code"])(name)
                raise TopicAuthorizationFailedError(name)
        return mark_of(by_topic)


def configs(admin: Any, names: Sequence[str]) -> dict[str, dict[str, str]]:
    """The settings in force by the broker's names of topics, in Kafka's spelling."""
    if not names:
        return {}
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    rows = admin.describe_configs(resources, config_filter="all")["topic"]
    return {name: {key: row["value"] for key, row in rows[name].items()} for name in names}


def enforce(admin: Any, settings: Settings, wanted: Mapping[str, Mapping[str, str]]) -> None:
    """Sets these settings by the broker's names of topics, and returns once every broker knows.

    Raises UsageError (2) if the broker refuses a value, UnavailableError (3) if a broker does not learn it in time.
    """
    resources = [ConfigResource(ConfigResourceType.TOPIC, name, dict(values)) for name, values in wanted.items()]
    for name, answer in admin.alter_configs(resources)["topic"].items():
        if answer != "OK":
            raise UsageError("error.topic_refused", topic=name, detail=answer)
    cluster.everywhere(settings, admin, lambda asked: _in_force(asked, wanted))


def _in_force(admin: Any, wanted: Mapping[str, Mapping[str, str]]) -> bool:
    """True if a broker knows these settings, by topic."""
    by_topic = configs(admin, list(wanted))
    return all(values.items() <= by_topic[name].items() for name, values in wanted.items())
