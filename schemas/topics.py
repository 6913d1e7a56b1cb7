"""The registry of topics, the one table behind admin, checks, rights and documents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any, Literal, get_args

from pydantic import TypeAdapter

from schemas.audit import AuditRecord
from schemas.events import Act, Ask, OnConsents, Recall, Reference, Result, Send, Source, Suppression
from schemas.headers import (
    ActHeaders,
    CausedHeaders,
    ClearedHeaders,
    DeadLetterHeaders,
    FactHeaders,
    ManifestHeaders,
    ResultHeaders,
    ReviewHeaders,
    SendHeaders,
)
from schemas.manifests import Manifest

INPUTS = ("sends", "sources", "consents", "suppressions", "reference", "acts")
"""Topics that others write. The broker decompresses and measures them, so that no batch is larger than it looks."""
DAY_MS = 86_400_000
COMPACTION_LAG_MS = DAY_MS // 2
"""A replaced record of a compacted topic is gone within a day.

This lag and the worker's next write (6 hours) add up.
"""
FOREVER = -1
MAX_MESSAGE_BYTES = 1_048_576
"""Most bytes of a batch on the wire; the codec limits single values far below."""

Compression = Literal["uncompressed", "gzip", "zstd"]
"""Compression of the batches of a topic."""
Partitioning = Literal["n", "any", "one"]
Part = Literal[
    "worker",
    "office",
    "console",
    "manager",
    "crm",
    "platform",
    "mailer",
    "handoff",
    "sealer",
    "auditor",
    "monitor",
    "inquiry",
    "serve",
    "witness",
    "webhooks",
    "backup",
]
"""A part of the gate, or of the company, that has a user of its own on the broker."""
PARTS: tuple[Part, ...] = get_args(Part)


@dataclass(frozen=True)
class Topic:
    """One topic: its records, the parts that write and read it, its layout, and its retention.

    `compression`: in which the worker writes. Parts of the gate read zstd; other companies' programs read gzip, which
    every client knows. The broker keeps the topics of the worker as they are written, and unpacks all others.
    `partitions`: "n" = the one number for all (GATEKEEPER_PARTITIONS), "one" = 1, "any" = at the operator's choice.
    `keep_ms`: retention in milliseconds, FOREVER for evidence, None = compacted instead. `model`: that of its values;
    None if it has none of its own. `headers`: that of its headers; None if nobody writes or reads any.
    """

    name: str
    key: str
    writers: tuple[Part, ...]
    readers: tuple[Part, ...]
    partitions: Partitioning
    keep_ms: int | None
    model: Any = None
    compression: Compression = "uncompressed"
    headers: Any = None
    extra: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @cached_property
    def adapter(self) -> TypeAdapter[Any] | None:
        """The reader of its values, made at the first use: most commands need few of them."""
        return None if self.model is None else TypeAdapter(self.model)

    def settings(self, *, audit_days: int, replicas: int) -> dict[str, str]:
        """The broker-side settings that the guarantees rest on, as Kafka spells them."""
        keep = audit_days * DAY_MS if self.name in ("audit", "manifests") else self.keep_ms
        cleanup = (
            {"cleanup.policy": "compact", "max.compaction.lag.ms": str(COMPACTION_LAG_MS), "retention.ms": "-1"}
            if keep is None
            else {"cleanup.policy": "delete", "retention.ms": str(keep)}
        )
        return {
            **cleanup,
            "retention.bytes": "-1",
            "message.timestamp.type": "LogAppendTime",
            "max.message.bytes": str(MAX_MESSAGE_BYTES),
            "min.insync.replicas": "2" if replicas > 1 else "1",
            "unclean.leader.election.enable": "false",
            "compression.type": "uncompressed" if self.name in INPUTS else "producer",
            **self.extra,
        }


_ACCESS: Mapping[str, tuple[str, str]] = {
    "sends": ("platform serve", "worker office console sealer auditor monitor backup"),
    "sources": ("crm serve", "worker office console serve auditor backup"),
    "consents": ("crm office console serve", "worker office console serve auditor backup"),
    "suppressions": ("crm office console serve", "worker office console serve auditor backup"),
    "reference": (
        "manager office console",
        "worker office console manager platform handoff serve auditor monitor backup",
    ),
    "acts": ("office console handoff", "worker office console handoff sealer auditor backup"),
    "cleared": ("worker", "office console mailer handoff sealer auditor backup"),
    "review": ("worker", "worker office console sealer auditor backup"),
    "confirmations": ("worker", "worker mailer sealer auditor backup"),
    "recalls": ("worker", "office console mailer handoff sealer auditor webhooks backup"),
    "results": ("worker", "office console platform sealer auditor serve backup"),
    "audit": ("worker", "worker office console handoff sealer auditor inquiry serve webhooks backup"),
    "manifests": ("worker", "worker office console sealer auditor monitor backup"),
    "ledger": ("worker", "worker office console sealer auditor monitor serve webhooks backup"),
    "salts": ("worker", "worker inquiry backup"),
    "deadletter": ("worker", "office sealer auditor monitor backup"),
    "asked": ("worker", "worker backup"),
}
"""The parts that write each topic, and those that read it."""


def _topic(
    name: str,
    key: str,
    partitions: Partitioning,
    keep_ms: int | None,
    model: Any = None,
    compression: Compression = "uncompressed",
    *,
    headers: Any = None,
) -> Topic:
    writers, readers = (tuple(part for part in PARTS if part in parts.split()) for parts in _ACCESS[name])
    return Topic(name, key, writers, readers, partitions, keep_ms, model, compression, headers)


def _registry() -> Mapping[str, Topic]:
    rows = (
        _topic("sends", "recipient id", "n", 7 * DAY_MS, Send, headers=SendHeaders),
        _topic("sources", "recipient id", "any", FOREVER, Source, headers=FactHeaders),
        _topic("consents", "recipient id, or gap id", "any", FOREVER, OnConsents, headers=FactHeaders),
        _topic("suppressions", "recipient id or token", "any", FOREVER, Suppression, headers=FactHeaders),
        _topic("reference", "kind/id", "one", FOREVER, Reference, headers=FactHeaders),
        _topic("acts", "recipient id, or kind/id", "n", 90 * DAY_MS, Act, headers=ActHeaders),
        _topic("cleared", "recipient id", "n", 60 * DAY_MS, Send, "gzip", headers=ClearedHeaders),
        _topic("review", "recipient id", "n", 60 * DAY_MS, Send, "zstd", headers=ReviewHeaders),
        _topic("confirmations", "recipient id", "n", 30 * DAY_MS, Ask, "gzip", headers=CausedHeaders),
        _topic("recalls", "recipient id", "n", 90 * DAY_MS, Recall, "gzip", headers=CausedHeaders),
        _topic("results", "event id, or decision id", "n", 90 * DAY_MS, Result, "gzip", headers=ResultHeaders),
        _topic("audit", "decision id", "n", 1095 * DAY_MS, AuditRecord, "zstd"),
        _topic("manifests", "writer", "n", 1095 * DAY_MS, Manifest, "zstd", headers=ManifestHeaders),
        _topic("ledger", "entry", "n", None, compression="zstd"),
        _topic("salts", "entry", "n", None, compression="zstd"),
        _topic("deadletter", "as it came", "n", 14 * DAY_MS, headers=DeadLetterHeaders),
        _topic("asked", "entry", "n", None, compression="zstd"),
    )
    return MappingProxyType({row.name: row for row in rows})


TOPICS: Mapping[str, Topic] = _registry()
FACT_TOPICS = ("sources", "consents", "suppressions", "reference")
"""The topics that the barrier waits for; the worker never writes them."""

CLEARED_DAYS = 60
"""Days for which a cleared send is kept for hand-off; a mail date further off is EVENT_INVALID."""


def beside(topic: str) -> tuple[str, ...]:
    """The topics with the same number of partitions as this one that each of its writers may see."""
    writers = {*TOPICS[topic].writers}
    fixed = (other for other in TOPICS.values() if other.partitions == TOPICS[topic].partitions == "n")
    return tuple(other.name for other in fixed if writers <= {*other.writers, *other.readers})


def added(counts: Mapping[str, int]) -> dict[str, range]:
    """The partitions that somebody added to topics of a fixed number, by topic.

    `counts`: the number of partitions of topics. Kafka never takes one away, so the least number is the right one.
    """
    right = {"one": 1, "n": min((n for name, n in counts.items() if TOPICS[name].partitions == "n"), default=0)}
    surplus = {name: range(right.get(TOPICS[name].partitions, count), count) for name, count in counts.items()}
    return {name: numbers for name, numbers in surplus.items() if numbers}


def logical_name(topic: str) -> str:
    """The registry name of `topic`, given bare (`sends`) or as on a broker (`mail.sends.v1`)."""
    return topic.removesuffix(".v1").rsplit(".", 1)[-1]


def subject_key(topic: str, value: Any) -> str:
    """The key that a record with this model must have on `topic`."""
    if topic == "reference":
        return f"{value.kind}/{value.id}"
    if topic in ("audit", "manifests"):
        return str(value.did if topic == "audit" else value.writer)
    if topic == "results":
        return str(value.event_id or value.decision_id)
    if topic == "consents" and value.kind == "gap":
        return str(value.gap_id)
    if topic == "suppressions":
        return str(value.recipient_id or value.token or value.suppression_id)
    if topic == "acts":
        return str(getattr(value, "recipient_id", None) or value.subject)
    return str(value.recipient_id)
