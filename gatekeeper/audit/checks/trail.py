"""The trail of decisions as checks read it: each partition's manifests in order, with their audit records."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import orjson

from gatekeeper.ground.errors import IncompleteError, IntegrityError


@dataclass(frozen=True, slots=True)
class Link:
    """One link of a partition's chain: a transaction's manifest, and its audit records in leaf order.

    `offset`: the manifest's offset on `manifests`. `value`, `records`: the exact bytes that were hashed. `signature`:
    64 bytes, empty without one. `index`: the leaf number in the sealed log, None if unsealed.
    """

    partition: int
    offset: int
    value: bytes
    signature: bytes
    records: tuple[bytes, ...]
    index: int | None = None

    @property
    def manifest(self) -> dict[str, Any]:
        """The manifest, read anew at every call."""
        content: dict[str, Any] = orjson.loads(self.value)
        return content

    @property
    def place(self) -> str:
        """The manifest's place as shown to people: `manifests/PARTITION/OFFSET`."""
        return f"manifests/{self.partition}/{self.offset}"


class Named(Protocol):
    """Lookup of bytes that records name by hash."""

    def policy(self, sha256: str) -> bytes | None:
        """The bytes of a policy version by their SHA-256 in hex, None if not available."""
        ...

    def reference(self, sha256: str) -> bytes | None:
        """The bytes of a record of `reference` by their SHA-256 in hex, None if not available.

        Joint-use terms are named by the hash of a canonical map, version to hash. This hash gives the map; each version
        has its own hash.
        """
        ...


class PersonLine(NamedTuple):
    """A record `staff`, `signature` or `policy` of `reference`: its place, arrival in milliseconds, and bytes."""

    partition: int
    offset: int
    timestamp: int
    value: bytes

    @property
    def plain(self) -> dict[str, Any]:
        """The line as exports and proofs hold it."""
        return {**self._asdict(), "value": self.value.decode()}


class Trail(Named, Protocol):
    """Reader of a trail. `ExportReader` reads an export, `streams.operations.trail.LiveTrail` the topics."""

    def partitions(self) -> list[int]:
        """The numbers of all partitions."""
        ...

    def people(self) -> Sequence[PersonLine]:
        """The people, signatures and policies of `reference` in order; with them anybody can check who acted."""
        ...

    def links(self, partition: int) -> Iterator[Link]:
        """Yields a partition's links in the order in which they were written.

        Raises IncompleteError (5) if records are missing, IntegrityError (4) if they are other records.
        """
        ...


def link(
    partition: int, offset: int, value: bytes, signature: bytes, records: Iterator[bytes], *, index: int | None = None
) -> Link:
    """The link of a manifest. Takes exactly its records from `records` and leaves the later ones.

    Raises IncompleteError (5) if the records end too early. Raises IntegrityError (4) if the first is not the one named
    by the manifest. Raises ValueError, KeyError or TypeError if the value is no manifest. `gatekeeper.audit.verify`
    checks the hashes of the records; this function does not.
    """
    manifest = orjson.loads(value)
    audit = manifest["audit"]
    if not isinstance(manifest["t1"], str):
        raise TypeError("t1")
    if audit["n"] < 0:
        raise ValueError("n")
    taken = tuple(record for _, record in zip(range(audit["n"]), records, strict=False))
    if len(taken) < audit["n"]:
        missing = audit["n"] - len(taken)
        raise IncompleteError("error.trail_records", partition=partition, offset=offset, count=missing)
    if taken and not holds(taken[0], audit["from_id"]):
        raise IntegrityError("error.trail_order", partition=partition, offset=offset)
    return Link(partition, offset, value, signature, taken, index)


def holds(record: bytes, did: str) -> bool:
    """Tells whether a record has this decision id."""
    return f'"did":"{did}"'.encode() in record
