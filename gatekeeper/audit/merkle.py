"""The Merkle tree hash of RFC 6962, section 2.1."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256


def root(leaves: Sequence[bytes]) -> bytes:
    """Returns the 32 bytes of the root over `leaves` in order; SHA-256 of nothing for no leaf.

    A leaf is hashed behind 0x00 and a pair behind 0x01. A last node without partner goes up as it is, which gives
    the same tree as the RFC's split at the largest power of two.
    """
    if not leaves:
        return sha256().digest()
    level = [sha256(b"\x00" + leaf).digest() for leaf in leaves]
    while len(level) > 1:
        odd = level[-1:] if len(level) % 2 else []
        pairs = zip(level[::2], level[1::2], strict=False)
        level = [sha256(b"\x01" + left + right).digest() for left, right in pairs] + odd
    return level[0]
