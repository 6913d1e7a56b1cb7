"""The rights on the broker that each part of the gate needs: Kafka's ACLs, made from the registry."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from gatekeeper.settings import Settings
from schemas.topics import FACT_TOPICS, TOPICS

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


WRITES: Mapping[str, tuple[str, ...]] = {
    "worker": tuple(topic.name for topic in TOPICS.values() if topic.writer == "worker"),
    "office": ("sends", *FACT_TOPICS, "acts"),
    "sealer": (),
    "auditor": (),
    "platform": ("sends",),
    "crm": FACT_TOPICS,
}
"""Topics that each part writes. `office`: console, and commands of people who act. `auditor`: parts that only read."""

READS: Mapping[str, tuple[str, ...]] = {"platform": ("reference",), "crm": ()}
"""Topics that a part may read, if not all: `publish` compares sends with the reference data."""


def rights(settings: Settings, part: str) -> list[Right]:
    """The rights that a part needs, and no more; `topics create` is for the cluster's own administrators.

    `part`: a key of WRITES.
    """
    found = []
    if part not in READS:
        found.append(Right("topic", _names(settings, TOPICS), ("Read", "DescribeConfigs")))
    elif READS[part]:
        found.append(Right("topic", _names(settings, READS[part]), ("Read",)))
    if WRITES[part]:
        found.append(Right("topic", _names(settings, WRITES[part]), ("Write",)))
    if part == "worker":
        found.append(Right("group", (settings.group,), ("Read",)))
        found.append(Right("transactional-id", (f"{settings.group}-",), ("Write",), prefixed=True))
    elif part == "sealer":
        found.append(Right("group", (f"{settings.group}.sealer",), ("Read",)))
        found.append(Right("transactional-id", (f"{settings.group}.sealer",), ("Write",)))
    elif part == "office":
        found.append(Right("group", (settings.group,), ("Describe",)))
        found.append(Right("transactional-id", (f"{settings.application}-cli-",), ("Write",), prefixed=True))
    elif part == "auditor":
        found.append(Right("group", (settings.group,), ("Describe",)))
    return found


def _names(settings: Settings, topics: Iterable[str]) -> tuple[str, ...]:
    return tuple(settings.topic(name) for name in topics)
