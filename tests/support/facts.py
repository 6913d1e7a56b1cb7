"""Records of the fact topics, as the log took them."""

from __future__ import annotations

from gatekeeper.knowledge.file_arrival import filed
from schemas.record import Record, Refusal

T = 1_795_482_000_000
"""2026-11-24T10:00:00+09:00 in milliseconds."""


def fact(
    topic: str,
    partition: int,
    offset: int,
    key: bytes | None,
    value: bytes | None,
    refused: Refusal | None = None,
) -> Record:
    """Returns a record that the log took when it was recorded, else at the instant of the invented sends."""
    found = filed((topic, partition, offset), key, value, at=T, zone="Asia/Tokyo")
    return Record(topic, partition, offset, found.timestamp, key, value, refused=refused)
