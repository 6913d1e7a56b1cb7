"""What was decided, as it is read back: each partition's manifests in order, every one with its records."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from gatekeeper.errors import IncompleteError, IntegrityError


@dataclass(frozen=True, slots=True)
class Link:
    """One link of a partition's chain: the manifest of a transaction, and the audit records of that in leaf order.

    `offset`: where the manifest stands on `manifests`. `value`, `records`: the exact bytes that were hashed.
    `signature`: 64 bytes, empty where none came. `index`: its leaf in the sealed log, None where it is in none.
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
        found: dict[str, Any] = orjson.loads(self.value)
        return found

    @property
    def place(self) -> str:
        """Where it stands, as people are told: `manifests/PARTITION/OFFSET`."""
        return f"manifests/{self.partition}/{self.offset}"


class Named(Protocol):
    """What records name by hash."""

    def policy(self, sha256: str) -> bytes | None:
        """The bytes of a policy version by their SHA-256 in hex, None where they are not at hand."""
        ...

    def reference(self, sha256: str) -> bytes | None:
        """The bytes of a record of `reference` by their SHA-256 in hex, None where they are not at hand.

        Terms of joint use are named by the hash of the canonical map of version to hash: that map is returned, and
        each version by its own hash.
        """
        ...


class Trail(Named, Protocol):
    """A way to read it: `Folder` reads an export, `streams.operations.trail.LiveTrail` the topics."""

    def partitions(self) -> list[int]:
        """The numbers of all partitions."""
        ...

    def links(self, partition: int) -> Iterator[Link]:
        """Yields a partition's links in the order in which they were written.

        Raises IncompleteError (5) where records are missing, IntegrityError (4) where they are others.
        """
        ...


def link(
    partition: int, offset: int, value: bytes, signature: bytes, records: Iterator[bytes], *, index: int | None = None
) -> Link:
    """The link of a manifest, and takes exactly its records from `records`, which go on behind them.

    Raises IncompleteError (5) where they end too early, IntegrityError (4) where the first is not the one it names,
    ValueError, KeyError or TypeError for what is no manifest. Whether they are the ones that were hashed is the
    question of `gatekeeper.audit.verify`.
    """
    said = orjson.loads(value)
    audit = said["audit"]
    if not isinstance(said["t1"], str):
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
