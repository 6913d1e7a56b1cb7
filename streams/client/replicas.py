"""Records that the leader's copy spoilt, read from another replica: a disk's fault concerns one broker."""

from __future__ import annotations

from collections.abc import Collection
from time import monotonic
from typing import Any

import structlog
from kafka import KafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError

from gatekeeper.ground.settings import Settings
from streams.client.batches import refusal
from streams.client.broker_access import connection

log = structlog.get_logger(__name__)

ANSWER_SECONDS = 2.0
"""Seconds for which one replica is asked, and for which it may give nothing new."""


def read(settings: Settings, topic: str, partition: int, offsets: Collection[int]) -> dict[int, Any]:
    """Those of these records, by offset, that some replica other than the leader has whole.

    `topic`: the broker's name. A replica that cannot be asked has none. Never raises for an error of Kafka.
    Private names used: `KafkaConsumer._subscription`, and of its state `update_preferred_read_replica` (KIP-392).
    """
    copies: dict[int, Any] = {}
    try:
        with KafkaAdminClient(**connection(settings)) as admin:
            (described,) = admin.describe_topics([topic])
        row = next(row for row in described["partitions"] if row["partition_index"] == partition)
        for node in sorted({*row["replica_nodes"]} - {row["leader_id"]}):
            copies |= _of(settings, node, TopicPartition(topic, partition), set(offsets) - copies.keys())
            log.warning("replica_asked", topic=topic, partition=partition, broker=node, n=len(copies))
    except (KafkaError, StopIteration) as error:
        log.warning("replicas_unreachable", topic=topic, partition=partition, error=type(error).__name__)
    return copies


def _of(settings: Settings, node: int, tp: TopicPartition, wanted: set[int]) -> dict[int, Any]:
    """The wanted records that one replica has whole."""
    if not wanted:
        return {}
    consumer = KafkaConsumer(
        **connection(settings),
        enable_auto_commit=False,
        auto_offset_reset="none",
        isolation_level="read_committed",
        max_poll_records=max(wanted) - min(wanted) + 1,
    )
    try:
        consumer.assign([tp])
        consumer.beginning_offsets([tp])  # a replica that the client does not know cannot be used
        give_up, copies = monotonic() + ANSWER_SECONDS, dict[int, Any]()
        while (left := wanted - copies.keys()) and monotonic() < give_up:
            consumer.seek(tp, min(left))  # anew each time: after an empty answer the next fetch goes to the leader
            consumer._subscription.assignment[tp].update_preferred_read_replica(node, give_up)
            records = consumer.poll(timeout_ms=500).get(tp, ())
            whole = {
                record.offset: record for record in records if record.offset in left and not refusal(record.headers)
            }
            copies |= whole
            give_up = monotonic() + ANSWER_SECONDS if whole else give_up
        return copies
    finally:
        consumer.close()
