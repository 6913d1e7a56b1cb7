"""All versions of a reference record with their arrivals, and the hash by which snapshots name them (rule 7.5.23)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
    """Versions in the order of arrival. A repetition of the newest record of an id is no version.

    `resolved`: the numbers of the versions that two managers stand for, 1 = the first.
    """

    __slots__ = ("_all", "_entries", "_first", "_newest", "resolved")

    def __init__(self) -> None:
        self.resolved: frozenset[int] = frozenset()
        self._all: list[Version[M]] = []
        self._entries: list[tuple[int, str]] = []  # versions and resolutions
        self._first = b""
        self._newest: dict[str, str] = {}

    def __iter__(self) -> Iterator[Version[M]]:
        return iter(self._all)

    def add(self, id_: str, model: M, value: bytes, arrived: int) -> None:
        """Adds the record with these bytes, after those that came before it."""
        digest = sha256(value).hexdigest()
        if self._newest.get(id_) != digest:
            self._first = self._first or value
            self._newest[id_] = digest
            self._all.append(Version(arrived, digest, model))
            self._entries.append((arrived, digest))

    def resolve(self, number: int, value: bytes, arrived: int) -> None:
        """Adds the resolution with these bytes, which names a version; one that is still to come is not named."""
        if number <= len(self._all) and number not in self.resolved:
            self.resolved |= {number}
            self.note(value, arrived)

    def note(self, value: bytes, arrived: int) -> None:
        """Lists a record with these bytes that is about the versions, and is none."""
        self._entries.append((arrived, sha256(value).hexdigest()))

    @property
    def binding(self) -> Sequence[Version[M]]:
        """The versions from the highest resolved one on, which holds from the beginning; all without a resolution."""
        return self._all[max(self.resolved) - 1 :] if self.resolved else self._all

    @property
    def listed(self) -> bytes:
        """Versions and resolutions by arrival and hash, as canonical JSON."""
        return canonical([[arrived, digest] for arrived, digest in self._entries])

    @property
    def named(self) -> bytes:
        """The bytes that a snapshot names by their SHA-256: the record while there is one alone, else the list."""
        return self._first if len(self._entries) == 1 else self.listed


def in_force(versions: Sequence[Version[M]], when: int | None) -> Version[M]:
    """The version in force at an instant, in microseconds since the epoch; None = undated.

    A version is in force from its arrival, the first from always. An undated fact takes the first.
    """
    current = versions[0]
    for version in versions[1:]:
        if when is not None and version.arrived * 1000 <= when:
            current = version
    return current
