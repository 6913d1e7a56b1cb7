"""Records as Kafka holds them: one that was read, and one to write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Headers = tuple[tuple[str, bytes], ...]
Coordinates = tuple[str, int, int]
"""The place of a record: topic (registry name), partition and offset."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """The unreadable part of a Kafka record: the fault, and the SHA-256 (hex) of the stored bytes.

    `what`: `headers` if only the headers are unreadable, and key and value are there. It is `record` if at most the key
    is readable. It is `batch` if the whole batch from `base` on is unreadable. Nobody knows whom the records of such a
    batch are about.
    """

    fault: str
    sha256: str
    what: Literal["headers", "record", "batch"] = "record"
    base: int = 0


@dataclass(frozen=True, slots=True)
class Record:
    """One record that was read; `timestamp` is the broker's, in milliseconds.

    `topic`: the broker's name in a worker, the registry's name in a command. `refused`: the unreadable part, None
    without one. `era`: of an input, as in an audit record.
    """

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()
    refused: Refusal | None = None
    era: int = 0

    def header(self, name: str) -> str:
        """The last header of this name, '' without one or for one that is null."""
        last = next((value for key, value in reversed(self.headers) if key == name), b"")
        return (last or b"").decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Output:
    """One record to write, to a topic of the registry."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers
