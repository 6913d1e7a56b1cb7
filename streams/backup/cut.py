"""The ends at which a backup cuts each log. A transaction of a worker is in it whole, or not at all.

Kafka ends a transaction on each partition by itself, so ends that are asked one after another split transactions. The
ledger is the measure, because each transaction writes a head there. The head names a manifest, and the manifests behind
it name the audit records to leave out. Those name the outputs to leave out. docs/adr/0065-backup.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Set
from functools import partial
from hashlib import sha256
from typing import Any

import orjson

from gatekeeper.audit.checks.accounts import put_out, resulted
from gatekeeper.ground.errors import IncompleteError, IntegrityError
from gatekeeper.ledger.head import Head
from schemas.record import Record
from schemas.topics import FACT_TOPICS
from streams.client.reader import Reader

OUTPUTS = ("cleared", "review", "confirmations", "recalls", "results", "deadletter")
"""Topics on which a worker's transaction writes records that name the decision behind them."""
ORDER = ("ledger", "salts", "asked", *OUTPUTS, "audit", "manifests", "sends", "acts", *FACT_TOPICS)
"""The order in which the ends are asked: each log has what the logs before it rest on. Facts come last."""


class BackupCut:
    """The ends of all logs, asked at once; `behind` brings them to one transaction for each partition.

    `reader`: of decoded records. Raises IncompleteError (5) if somebody keeps a transaction open.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        # below these ends each transaction is over everywhere, or its head is below the end of the ledger
        self._before = {topic: reader.ends(topic) for topic in ("asked", *OUTPUTS, "audit", "manifests")}
        self.ends = {topic: self._end(topic) for topic in ORDER}

    def behind(self, heads: Mapping[int, bytes], dead: Set[str]) -> None:
        """Moves the ends back to the transactions of these heads of the ledger, by partition.

        `dead`: the unreadable facts that have their dead letter in the ledger as it was read, as `consents/3/120`.
        """
        for partition in self.ends["ledger"]:
            head = decoded(heads.get(partition))
            later = self._later(partition, head.prev if head else None)
            if later:
                self.ends["manifests"][partition] = later[0].offset
                self._cut_outputs(partition, later)
            self._cut(
                "deadletter", partition, lambda record: not _did(record) and record.header("gate-source") not in dead
            )

    def _end(self, topic: str) -> dict[int, int]:
        """The ends of a topic. Others may keep a transaction open on what the worker reads: it begins behind them."""
        if topic in ("sends", "acts"):
            return self._reader.ends(topic)
        try:
            return self._reader.settled(topic)  # a fact whose act was seen is there once its marker is
        except IncompleteError:
            if topic not in FACT_TOPICS:
                raise
            return self._reader.ends(topic)

    def _later(self, partition: int, newest: str | None) -> list[Record]:
        """The manifests that follow the one that the head names, each chained to the one before."""
        chain = list[Record]()
        for record in self._tail("manifests", partition):
            manifest = _said(record)
            if "prev" in manifest and manifest["prev"] == newest:
                chain.append(record)
                newest = sha256(record.value or b"").hexdigest()
        return chain

    def _cut_outputs(self, partition: int, later: list[Record]) -> None:
        firsts = (_said(record)["audit"]["from_id"] for record in later)
        first = next((did for did in firsts if did), None)
        pairs, asking, reached = set[tuple[str, str]](), set[bytes](), False
        for record in self._tail("audit", partition):
            did = (record.key or b"").decode("utf-8", "replace")
            if did == first and not reached:
                self.ends["audit"][partition], reached = record.offset, True
            if reached and "did" in (audited := _said(record)):
                pairs.update(_written(audited))
                asking.add(did.encode())
        self._cut("asked", partition, lambda record: (record.key or b"").rpartition(b"/")[2] in asking)
        for topic in OUTPUTS if pairs else ():
            dids = {did for name, did in pairs if name == topic}
            self._cut(topic, partition, partial(_is_of, dids))

    def _cut(self, topic: str, partition: int, later: Callable[[Record], bool]) -> None:
        """Moves an end before the first record of the tail for which `later` is true."""
        ahead = (record.offset for record in self._tail(topic, partition) if later(record))
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


def _written(audited: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The outputs of an audit record, each as topic and decision id."""
    if output := put_out(audited):
        yield output
    if resulted(audited):
        yield "results", audited["did"]


def _is_of(dids: Set[str], record: Record) -> bool:
    return _did(record) in dids


def _did(record: Record) -> str | None:
    return record.header("gate-decision-id")


def _said(record: Record) -> dict[str, Any]:
    try:
        content = orjson.loads(record.value or b"")
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}
