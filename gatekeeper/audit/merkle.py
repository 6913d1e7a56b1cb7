"""The Merkle tree of RFC 6962, section 2.1: its hash, and the checks of its proofs (RFC 9162, sections 2.1.3-2.1.4)."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

EMPTY = sha256().digest()
"""The root of a tree without leaves."""


def leaf(data: bytes) -> bytes:
    """Returns the 32 bytes that stand for a leaf: its data hashed behind 0x00."""
    return sha256(b"\x00" + data).digest()


def node(left: bytes, right: bytes) -> bytes:
    """Returns the 32 bytes that stand for two subtrees: both hashed behind 0x01."""
    return sha256(b"\x01" + left + right).digest()


def root(leaves: Sequence[bytes]) -> bytes:
    """Returns the 32 bytes of the root over `leaves` in order; SHA-256 of nothing for no leaf."""
    return over([leaf(data) for data in leaves])


def over(hashes: Sequence[bytes]) -> bytes:
    """Returns the root over subtrees of one size, of which the last may be smaller.

    A last node without partner goes up as it is, which gives the same tree as the RFC's split at the largest power
    of two.
    """
    if not hashes:
        return EMPTY
    level = list(hashes)
    while len(level) > 1:
        odd = level[-1:] if len(level) % 2 else []
        level = [node(left, right) for left, right in zip(level[::2], level[1::2], strict=False)] + odd
    return level[0]


def included(hash_: bytes, *, index: int, size: int, root: bytes, proof: Sequence[bytes]) -> bool:
    """Returns whether the proof shows a leaf's hash at `index` of the tree of this size and root."""
    if not 0 <= index < size:
        return False
    place, last, found = index, size - 1, hash_
    for sibling in proof:
        if last == 0:
            return False
        if place & 1 or place == last:
            found = node(sibling, found)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            found = node(found, sibling)
        place, last = place >> 1, last >> 1
    return last == 0 and found == root


def consistent(*, old_size: int, old_root: bytes, new_size: int, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Returns whether the proof shows that the newer tree holds all of the older, in the same order, and then more."""
    if old_size == new_size:
        return old_root == new_root and not proof
    if old_size == 0:
        return old_root == EMPTY and not proof
    if not 0 < old_size < new_size:
        return False
    path = list(proof) if old_size & (old_size - 1) else [old_root, *proof]
    if not path:
        return False
    place, last = old_size - 1, new_size - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    old = new = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            old, new = node(sibling, old), node(sibling, new)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            new = node(new, sibling)
        place, last = place >> 1, last >> 1
    return last == 0 and (old, new) == (old_root, new_root)
