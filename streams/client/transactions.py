"""Transactions that other clients left open: their owners, and the command to end them.

All records after an open transaction wait. A waiting fact cannot be applied, so nothing can be judged; a waiting send
or act is not seen.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from time import time
from typing import Any

from kafka import TopicPartition
from kafka.errors import KafkaError

from gatekeeper.ground.settings import Settings
from streams.client import cluster

NONE = -1


@dataclass(frozen=True, slots=True)
class OpenTransaction:
    """An open transaction on one partition; `transaction` is its transactional id, None if Kafka does not tell it.

    `topic`: the broker's name. `offset`: its first offset. `age_ms`: since it began, or since its last record.
    """

    topic: str
    partition: int
    offset: int
    producer: int
    transaction: str | None
    age_ms: int

    def abort(self, settings: Settings) -> str:
        """The call of Kafka's own command that aborts the transaction; its records are then void."""
        where = ("--topic", self.topic, "--partition", str(self.partition), "--start-offset", str(self.offset))
        return shlex.join(("kafka-transactions.sh", "--bootstrap-server", settings.bootstrap, "abort", *where))


def opened(settings: Settings, partitions: Iterable[tuple[str, int]]) -> list[OpenTransaction]:
    """The open transactions on these partitions, by the broker's names, the oldest first.

    Asks each partition's leader for its producers, and the coordinators for their ids, which needs the right to
    describe them. Raises UnavailableError (3) without an answer, UsageError (2) if the user may not ask.
    """
    wanted = [TopicPartition(*tp) for tp in partitions]
    if not wanted:
        return []
    with cluster.connected(settings) as admin:
        producers = [
            (tp, producer)
            for tp, state in admin.describe_producers(wanted).items()
            for producer in state.active_producers
            if producer.current_transaction_start_offset != NONE
        ]
        transactions = _told(admin, {producer.producer_id for _, producer in producers})
    now = int(time() * 1000)
    rows = []
    for tp, producer in producers:
        name, began = transactions.get(producer.producer_id, (None, NONE))
        age = max(0, now - (began if began != NONE else producer.last_timestamp))
        offset = producer.current_transaction_start_offset
        rows.append(OpenTransaction(tp.topic, tp.partition, offset, producer.producer_id, name, age))
    return sorted(rows, key=lambda row: -row.age_ms)


def _told(admin: Any, producers: set[int]) -> dict[int, tuple[str, int]]:
    """Transactional id and beginning (milliseconds) by producer id, as far as the coordinators know."""
    if not producers:
        return {}
    try:
        listed = [row for rows in admin.list_transactions(producer_id_filters=producers).values() for row in rows]
        described = admin.describe_transactions([row.transactional_id for row in listed])
    except KafkaError:
        return {}
    return {
        row.producer_id: (row.transactional_id, described[row.transactional_id].transaction_start_time_ms)
        for row in listed
    }
