"""The rights on the broker that each part of the gate needs: Kafka's ACLs, made from the registry."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from gatekeeper.ground.settings import Settings
from schemas.topics import FACT_TOPICS, TOPICS, Part

Resource = Literal["topic", "group", "transactional-id"]


@dataclass(frozen=True, slots=True)
class Right:
    """Allowed operations on one kind of resource, by Kafka's names; `prefixed`: on all names with this prefix."""

    resource: Resource
    names: tuple[str, ...]
    operations: tuple[str, ...]
    prefixed: bool = False

    def options(self) -> list[str]:
        """The right as options of Kafka's own `kafka-acls.sh --add`."""
        named = [word for name in self.names for word in (f"--{self.resource}", name)]
        allowed = [word for operation in self.operations for word in ("--operation", operation)]
        return [*allowed, *named, *(["--resource-pattern-type", "prefixed"] if self.prefixed else [])]


COMPARES: tuple[Part, ...] = ("worker", "office", "auditor", "monitor")
"""Parts that compare all topics with the registry. They see settings and ends of each topic, and no record by that."""
SEES_WORKERS: tuple[Part, ...] = ("office", "auditor", "monitor", "webhooks")
"""Parts that see the workers' group: its members and offsets."""
COMMITS: tuple[Part, ...] = ("office", "console", "manager", "handoff")
"""Parts that write several records in one transaction."""


def rights(settings: Settings, part: Part) -> list[Right]:
    """The rights that a part needs, and no more; `topics create` is for the cluster's own administrators."""
    needed = list[Right]()
    if part in COMPARES:
        needed.append(Right("topic", _names(settings, TOPICS), ("Describe", "DescribeConfigs")))
    read = [topic.name for topic in TOPICS.values() if part in topic.readers]
    written = [topic.name for topic in TOPICS.values() if part in topic.writers]
    for operation, named in (("Read", read), ("Write", written)):
        if named:
            needed.append(Right("topic", _names(settings, named), (operation,)))
    if part in SEES_WORKERS:
        needed.append(Right("group", (settings.group,), ("Describe",)))
    if part in COMMITS:
        needed.append(Right("transactional-id", (f"{settings.application}-cli-",), ("Write",), prefixed=True))
    if part == "worker":
        needed.append(Right("group", (settings.group,), ("Read",)))
        needed.append(Right("transactional-id", (f"{settings.group}-",), ("Write",), prefixed=True))
    elif part == "serve":  # the mark of a restore
        needed.append(Right("topic", _names(settings, FACT_TOPICS), ("DescribeConfigs",)))
    elif part == "webhooks":  # how many sends there are, and none of them
        needed.append(Right("topic", _names(settings, ("sends",)), ("Describe",)))
    elif part == "backup":  # the positions of other programs' groups, too
        needed.append(Right("group", ("*",), ("Describe",)))
    elif part == "sealer":
        needed.append(Right("group", (f"{settings.group}.sealer",), ("Read",)))
        needed.append(Right("transactional-id", (f"{settings.group}.sealer",), ("Write",)))
    return needed


def _names(settings: Settings, topics: Iterable[str]) -> tuple[str, ...]:
    return tuple(settings.topic(name) for name in topics)
