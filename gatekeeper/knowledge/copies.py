"""The copied beginning of a partition: the first arrivals that its records state, and whether a manager signed them.

A copy writes each record with the header `gate-arrived`. It is the first arrival in milliseconds, with `;last` on the
last record of the partition. The header is believed once a `copy` record with the same number and hash of records
counts (domain rule 7.1.2). Until then a record arrived when the log took it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

from gatekeeper.deciding.redacted import redacted_fields
from schemas.codec import Parsed
from schemas.events import Copy
from schemas.record import Record

HEADER = "gate-arrived"
_STATED = re.compile(rb"([0-9]{1,16})(;last)?")
Partition = tuple[str, int]
"""Topic (registry name) and partition."""


def header(arrived: int, *, last: bool) -> tuple[str, bytes]:
    """The header of a copied record; `arrived`: its first arrival in milliseconds."""
    return HEADER, b"%d%b" % (arrived, b";last" if last else b"")


@dataclass(slots=True)
class CopiedRun:
    """The copied records at the beginning of one partition so far: their number, and the hash over all of them.

    `open`: False once it is over. `end`: the offset behind the last record that was taken.
    """

    count: int = 0
    digest: bytes = bytes(32)
    open: bool = True
    end: int = 0

    @property
    def sha256(self) -> str:
        """The hash in hex, as a `copy` record names it."""
        return self.digest.hex()

    def take(self, record: Record) -> int | None:
        """Takes the next record. The result is the first arrival that it states, None for a record of its own time.

        A run ends with the record marked as last. It also ends before a record that states no arrival, or one after
        its own.
        """
        if record.offset < self.end:
            return None
        self.end = record.offset + 1
        stated = next((value or b"" for name, value in record.headers if name == HEADER), b"") if self.open else b""
        match = _STATED.fullmatch(stated)
        if match is None or int(match[1]) > record.timestamp:
            self.open = False
            return None
        parts = record.key or b"", record.value or b"", stated
        leaf = b"".join(b"%d:%b" % (len(part), part) for part in parts)
        self.digest = sha256(self.digest + leaf).digest()
        self.count, self.open = self.count + 1, match[2] is None
        return int(match[1])


class Copies:
    """The copied beginnings of all partitions, with the records that wait until their beginning is believed."""

    def __init__(self) -> None:
        self.runs: dict[Partition, CopiedRun] = {}
        self._signed: dict[Partition, set[tuple[int, str]]] = {}
        self._waiting: dict[Partition, list[tuple[Record, Parsed[Any]]]] = {}
        self._reference: dict[int, int] = {}  # first arrivals of copied records of `reference`, by offset

    def take(self, record: Record) -> int | None:
        """Takes the next record of its partition; the result as of `CopiedRun.take`."""
        return self.runs.setdefault((record.topic, record.partition), CopiedRun()).take(record)

    def sign(self, copy: Copy) -> None:
        """Takes a `copy` record that counts."""
        self._signed.setdefault((copy.topic, copy.partition), set()).add((copy.count, copy.sha256))

    @property
    def signed(self) -> bool:
        """True if a `copy` record counts."""
        return bool(self._signed)

    def believed(self, place: Partition, run: CopiedRun | None = None) -> bool:
        """True if the run of a partition is over, and a counting `copy` record names it.

        `run`: of the partition, where another reader took its records.
        """
        run = run or self.runs.get(place)
        return run is not None and not run.open and (run.count, run.sha256) in self._signed.get(place, ())

    def keep(self, record: Record, event: Parsed[Any], arrived: int) -> Record | None:
        """Keeps a readable copied record; `arrived`: the first arrival that it states, in milliseconds.

        The result is the record that waits, None if it need not wait.
        """
        if record.topic == "reference":
            self._reference[record.offset] = arrived
        elif _differs(record, event.json, arrived):
            earlier = replace(record, timestamp=arrived)
            self.wait(earlier, event)
            return earlier
        return None

    def wait(self, earlier: Record, event: Parsed[Any]) -> None:
        """Keeps a copied record, at its first arrival, until its beginning is believed."""
        self._waiting.setdefault((earlier.topic, earlier.partition), []).append((earlier, event))

    def due(self, record: Record) -> Iterator[tuple[Record, Parsed[Any]]]:
        """Yields the kept records that are believed since this record, at their first arrivals; each is yielded once.

        Records of `reference` are not among them (`first_arrivals`).
        """
        if not self._waiting:
            return
        for place in [*self._waiting] if record.topic == "reference" else [(record.topic, record.partition)]:
            if self.believed(place):
                yield from self._waiting.pop(place, ())

    def first_arrivals(self, record: Record) -> Mapping[int, int]:
        """The first arrivals of `reference` by offset, in milliseconds, once this record makes them believed; else {}.

        They are given once.
        """
        if not (self._reference and record.topic == "reference" and self.believed((record.topic, record.partition))):
            return {}
        arrivals, self._reference = self._reference, {}
        return arrivals


def _differs(record: Record, fields: Mapping[str, Any], arrived: int) -> bool:
    """True if the record says something else at its first arrival than at its own."""
    if fields.get("kind") == "delivery":
        return True  # it tells everything up to its arrival at most
    first, own = (redacted_fields(record.topic, fields, at)[0] for at in (arrived, record.timestamp))
    return first != own
