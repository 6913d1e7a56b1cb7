"""HMAC-SHA256 (RFC 2104) under a key of 32 bytes, in two steps for speed, as each send needs several.

`hmac.digest` and a new `sha256()` look up the hash at each call, which takes longer than hashing. A copy of a begun
hash does not.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _hashlib import HASH

KEY_BYTES = 32
_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))
_INNER_REST, _OUTER_REST = bytes(KEY_BYTES).translate(_INNER), bytes(KEY_BYTES).translate(_OUTER)
"""Padding of a key to a block of SHA-256."""

_EMPTY = sha256()


def begun(key: bytes) -> tuple[HASH, HASH]:
    """The inner and the outer hash, each begun with its block of the key.

    Raises ValueError unless the key has 32 bytes.
    """
    if len(key) != KEY_BYTES:
        raise ValueError(f"a key has {KEY_BYTES} bytes")
    inner, outer = _EMPTY.copy(), _EMPTY.copy()
    inner.update(key.translate(_INNER) + _INNER_REST)
    outer.update(key.translate(_OUTER) + _OUTER_REST)
    return inner, outer


def ended(inner: HASH, outer: HASH, message: bytes) -> HASH:
    """The hash of the outer over the inner over a message. Both hashes are used up, so give copies to keep them."""
    inner.update(message)
    outer.update(inner.digest())
    return outer


def fingerprint(secret: bytes, role: str = "master") -> str:
    """16 hex digits that identify a random key of this role and reveal nothing about it."""
    return sha256(f"gate/{role}/1\0".encode() + secret).hexdigest()[:16]
