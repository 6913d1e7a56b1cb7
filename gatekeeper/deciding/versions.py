"""All versions of a reference record with their arrivals, and the hash by which snapshots name them."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import Generic, NamedTuple, TypeVar

from schemas.codec import canonical

M = TypeVar("M")


class Version(NamedTuple, Generic[M]):
    """One version: its arrival in milliseconds since the epoch, the SHA-256 of its bytes, and its model."""

    arrived: int
    sha256: str
    model: M


class Versions(Generic[M]):
    """Versions in the order of arrival. A repetition of the newest record of an id is no version."""

    __slots__ = ("_newest", "all")

    def __init__(self) -> None:
        self.all: list[Version[M]] = []
        self._newest: dict[str, Version[M]] = {}

    def __iter__(self) -> Iterator[Version[M]]:
        return iter(self.all)

    def add(self, id_: str, model: M, value: bytes, arrived: int) -> None:
        """Adds the record with these bytes. It never arrives before an earlier one of its id, even by a wrong clock."""
        digest, newest = sha256(value).hexdigest(), self._newest.get(id_)
        if newest is None or newest.sha256 != digest:
            self._newest[id_] = Version(max(arrived, newest.arrived) if newest else arrived, digest, model)
            self.all.append(self._newest[id_])

    @property
    def named(self) -> bytes:
        """The versions by arrival and hash, as canonical JSON. A snapshot names these bytes by their SHA-256."""
        return canonical([[one.arrived, one.sha256] for one in self.all])
