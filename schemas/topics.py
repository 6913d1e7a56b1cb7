"""The registry of topics, the one table behind admin, checks, ACLs and documents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from pydantic import TypeAdapter

from schemas.audit import AuditRecord
from schemas.events import Act, Ask, OnConsents, Recall, Reference, Send, Source, Suppression
from schemas.manifests import Manifest

INPUTS = ("sends", "sources", "consents", "suppressions", "reference", "acts")
"""Topics that others write. The broker decompresses and measures them, so that no batch is larger than it looks."""
DAY_MS = 86_400_000
COMPACTION_LAG_MS = DAY_MS // 2
"""A replaced record of a compacted topic is gone within a day: this lag, and the worker's next write (6 hours)."""
FOREVER = -1
MAX_MESSAGE_BYTES = 1_048_576
"""Most bytes of a batch on the wire; the codec limits single values far below."""

Partitioning = Literal["n", "any", "one"]


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic: its records, writers and readers, its layout, and its retention.

    `partitions`: "n" = the one number for all (GATEKEEPER_PARTITIONS), "one" = 1, "any" = at the operator's choice.
    `keep_ms`: retention in milliseconds, FOREVER for evidence, None = compacted instead. `adapter`: the model of its
    values; None if the value is another topic's record, unchanged.
    """

    name: str
    key: str
    writer: str
    readers: str
    partitions: Partitioning
    keep_ms: int | None
    adapter: TypeAdapter[Any] | None = None
    extra: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

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
            **({"compression.type": "uncompressed"} if self.name in INPUTS else {}),
            **self.extra,
        }


def _registry() -> Mapping[str, Topic]:
    crm = "CRM, preference centre, call centre, shops, import"
    send, worker = TypeAdapter(Send), "worker"
    rows = (
        Topic("sends", "recipient id", "marketing platforms, publish", worker, "n", 7 * DAY_MS, send),
        Topic("sources", "recipient id", crm, worker, "any", FOREVER, TypeAdapter(Source)),
        Topic("consents", "recipient id", f"{crm}, withdraw", worker, "any", FOREVER, TypeAdapter(OnConsents)),
        Topic(
            "suppressions",
            "recipient id or token",
            "call centre, shops, erasure desk, registers",
            worker,
            "any",
            FOREVER,
            TypeAdapter(Suppression),
        ),
        Topic("reference", "kind/id", "privacy manager", worker, "one", FOREVER, TypeAdapter(Reference)),
        Topic("acts", "recipient id, or kind/id", "console, CLI", worker, "n", 90 * DAY_MS, TypeAdapter(Act)),
        Topic("cleared", "recipient id", worker, "mail platforms, handoff", "n", 60 * DAY_MS, send),
        Topic("review", "recipient id", worker, "console, CLI", "n", 60 * DAY_MS, send),
        Topic("confirmations", "recipient id", worker, "print house", "n", 30 * DAY_MS, TypeAdapter(Ask)),
        Topic("recalls", "recipient id", worker, "whoever got it cleared", "n", 90 * DAY_MS, TypeAdapter(Recall)),
        Topic("audit", "decision id", worker, "seal, verify, replay", "n", 1095 * DAY_MS, TypeAdapter(AuditRecord)),
        Topic("manifests", "writer", worker, "seal, verify, status", "n", 1095 * DAY_MS, TypeAdapter(Manifest)),
        Topic("ledger", "entry", worker, "worker, import answers", "n", None),
        Topic("salts", "entry", worker, "worker", "n", None),
        Topic("deadletter", "as it came", worker, "deadletter", "n", 14 * DAY_MS),
    )
    return MappingProxyType({row.name: row for row in rows})


TOPICS: Mapping[str, Topic] = _registry()
FACT_TOPICS = ("sources", "consents", "suppressions", "reference")
"""The topics that the barrier waits for; the worker never writes them."""

CLEARED_DAYS = 60
"""Days for which a cleared send is kept for hand-off; a mail date further off is EVENT_INVALID."""


def logical_name(topic: str) -> str:
    """The registry name of `topic`, given bare (`sends`) or as on a broker (`mail.sends.v1`)."""
    return topic.removesuffix(".v1").rsplit(".", 1)[-1]


def subject_key(topic: str, value: Any) -> str:
    """The key that a record with this model must have on `topic`."""
    if topic == "reference":
        return f"{value.kind}/{value.id}"
    if topic in ("audit", "manifests"):
        return str(value.did if topic == "audit" else value.writer)
    if topic == "suppressions":
        return str(value.recipient_id or value.token)
    if topic == "acts":
        return str(getattr(value, "recipient_id", None) or value.subject)
    return str(value.recipient_id)
