"""The hash by which a record is known again, and with it the log in which it stands."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

HASH_BYTES = 16
MARK_DIGITS = 16


def record_hash(record: Any) -> bytes:
    """The hash of a readable record: of its offset, its broker's time, its key and its value."""
    key, value = record.key, record.value
    whole = getattr(value, "sha256", "")  # a value that is too long was cut
    hasher = blake2b(b"%d %d %b" % (record.offset, record.timestamp, whole.encode()), digest_size=HASH_BYTES)
    for part in (key, value):
        hasher.update(b"-" if part is None else b"%d:" % len(part))
        hasher.update(part or b"")
    return hasher.digest()


def mark(record: Any) -> tuple[int, str]:
    """The offset of a readable record, and the beginning of its hash in hex."""
    return int(record.offset), record_hash(record).hex()[:MARK_DIGITS]
