"""Records as Kafka holds them: one that was read, and one to write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Headers = tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class Refusal:
    """What could not be taken of a record that Kafka holds: the fault, and the SHA-256 (hex) of what stands there.

    `what`: its headers alone, and it has key and value; all of the record but perhaps its key; or the whole batch,
    which begins at `base`, so that nobody knows whom its records are about.
    """

    fault: str
    sha256: str
    what: Literal["headers", "record", "batch"] = "record"
    base: int = 0


@dataclass(frozen=True, slots=True)
class Record:
    """One record that was read; `timestamp` is the broker's, in milliseconds.

    `topic`: the broker's name for what a worker takes, the registry's name for what a command reads.
    `refused`: what of it could not be taken.
    """

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()
    refused: Refusal | None = None

    def header(self, name: str) -> str:
        """The last header of this name, '' without one."""
        return next((value.decode("utf-8", "replace") for key, value in reversed(self.headers) if key == name), "")


@dataclass(frozen=True, slots=True)
class Output:
    """One record to write, to a topic of the registry."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers
