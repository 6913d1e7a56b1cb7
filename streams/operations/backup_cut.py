"""The ends at which a backup cuts each log. A transaction of a worker is in it whole, or not at all.

Kafka ends a transaction on each partition by itself, so ends that are asked one after another split transactions. The
ledger is the measure, because each transaction writes a head there. The head names a manifest, and the manifests behind
it name the audit records to leave out. Those name the outputs to leave out. docs/adr/0065-backup.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any

import orjson

from gatekeeper.errors import IntegrityError
from gatekeeper.ledger.head import Head
from schemas.record import Record
from schemas.topics import FACT_TOPICS
from streams.client.reader import Reader

OUTPUTS = ("cleared", "review", "confirmations", "recalls", "results", "deadletter")
"""Topics on which a worker's transaction writes records that name the decision behind them."""
ORDER = ("ledger", "salts", *OUTPUTS, "audit", "manifests", "sends", "acts", *FACT_TOPICS)
"""The order in which the ends are asked: each log has what the logs before it rest on. Facts come last."""


class BackupCut:
    """The ends of all logs, asked at once; `behind` brings them to one transaction for each partition.

    `reader`: of decoded records. Raises IncompleteError (5) if somebody keeps a transaction open.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        # below these ends each transaction is over everywhere, or its head is below the end of the ledger
        self._before = {topic: reader.ends(topic) for topic in (*OUTPUTS, "audit", "manifests")}
        self.ends = {topic: reader.settled(topic) for topic in ORDER}

    def behind(self, heads: Mapping[int, bytes]) -> None:
        """Moves the ends back to the transactions of these heads of the ledger, by partition."""
        for partition in self.ends["ledger"]:
            head = decoded(heads.get(partition))
            later = self._later(partition, head.prev if head else None)
            if later:
                self.ends["manifests"][partition] = later[0].offset
                self._cut_outputs(partition, later)

    def _later(self, partition: int, newest: str | None) -> list[Record]:
        """The manifests that follow the one that the head names, each chained to the one before."""
        found = list[Record]()
        for record in self._tail("manifests", partition):
            said = _said(record)
            if "prev" in said and said["prev"] == newest:
                found.append(record)
                newest = sha256(record.value or b"").hexdigest()
        return found

    def _cut_outputs(self, partition: int, later: list[Record]) -> None:
        firsts = (_said(record)["audit"]["from_id"] for record in later)
        first = next((did for did in firsts if did), None)
        dids = set[str]()
        for record in self._tail("audit", partition):
            did = (record.key or b"").decode("utf-8", "replace")
            if did == first:
                self.ends["audit"][partition] = record.offset
            if dids or did == first:
                dids.add(did)
        for topic in OUTPUTS if dids else ():
            ahead = (one.offset for one in self._tail(topic, partition) if one.header("gate-decision-id") in dids)
            self.ends[topic][partition] = next(ahead, self.ends[topic][partition])

    def _tail(self, topic: str, partition: int) -> Iterator[Record]:
        start, end = self._before[topic][partition], self.ends[topic][partition]
        return self._reader.between(topic, partition=partition, start=start, end=end)


def decoded(head: bytes | None) -> Head | None:
    """The head; None if there is none, or it cannot be read."""
    try:
        return None if head is None else Head.decode(head)
    except IntegrityError:
        return None


def _said(record: Record) -> dict[str, Any]:
    try:
        found = orjson.loads(record.value or b"")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
