"""The topics of facts as a partition's head names them: positions, and a hash over all below.

Facts are kept for ever. So fewer of them below these positions, or others, means that withdrawals may be gone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import NamedTuple, Protocol, TypedDict

_HASH_BYTES = 16


class FactLog(TypedDict):
    """One topic. By partition: its first offset, and the next one to read. `hash`: hex, over all records below."""

    begin: Sequence[int]
    at: Sequence[int]
    hash: str


FactLogs = Mapping[str, FactLog]
"""The topics of facts, by name."""


class Content(NamedTuple):
    """The readable records of a log below a position: their number, and a hash over all of them in order."""

    records: int
    hash: bytes


class ReadLogs(Protocol):
    """The logs of facts as this process read them."""

    def begins(self, topic: str) -> Sequence[int]:
        """The first offset of each partition of a topic now."""

    def below(self, topic: str, positions: Sequence[int]) -> Sequence[Content] | None:
        """The content of each partition below its position; None if this process cannot tell."""

    def short_of(self, topic: str, positions: Sequence[int]) -> bool:
        """Tells whether a partition ends below its position."""


def combined(contents: Sequence[Content]) -> str:
    """The hash (hex) of a topic, over its partitions in order."""
    hashed = blake2b(digest_size=_HASH_BYTES)
    for content in contents:
        hashed.update(b"%d:%b" % content)
    return hashed.hexdigest()


def vanished(known: FactLogs, logs: ReadLogs, *, ended: bool) -> list[str]:
    """The topics that do not hold what they held when a head was written.

    `ended`: True if all was read that Kafka acknowledged after that head, so that a log's end is known.

    A partition that begins later or ends earlier lost records. So did one with another content below its position. A
    process sees that if it reads all facts from the beginning.
    """
    return sorted(topic for topic, log in known.items() if _lost(topic, log, logs, ended=ended))


def _lost(topic: str, log: FactLog, logs: ReadLogs, *, ended: bool) -> bool:
    begins = logs.begins(topic)
    if any(now > was for now, was in zip(begins, log["begin"], strict=False)) or len(begins) < len(log["begin"]):
        return True
    if ended and logs.short_of(topic, log["at"]):
        return True
    contents = logs.below(topic, log["at"])
    return contents is not None and combined(contents) != log["hash"]
