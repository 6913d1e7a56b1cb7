"""Merkle trees of RFC 6962, and the names of the tiles that hold them (C2SP tlog-tiles)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256

TILE = 256
"""Number of hashes or leaves in a whole tile."""
LEAF_PREFIX, NODE_PREFIX = sha256(b"\x00"), sha256(b"\x01")
"""Each hash of a tree begins with one of these. Copying a begun hash takes less time than a new one."""


def leaf_hash(leaf: bytes) -> bytes:
    """The hash of a leaf: SHA-256 of 0x00 and its bytes."""
    hashed = LEAF_PREFIX.copy()
    hashed.update(leaf)
    return hashed.digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of a node: SHA-256 of 0x01 and the hashes of its two halves."""
    hashed = NODE_PREFIX.copy()
    hashed.update(left + right)
    return hashed.digest()


def root_of(hashes: Sequence[bytes]) -> bytes:
    """The root over leaf hashes in order; SHA-256 of nothing for none."""
    level = list(hashes)
    while len(level) > 1:
        level = next_level(level)
    return level[0] if level else sha256().digest()


def next_level(level: list[bytes]) -> list[bytes]:
    """The nodes over a level's nodes. A last node without partner moves up unchanged, as the RFC's split requires."""
    begun, nodes = NODE_PREFIX.copy, list[bytes]()
    for left, right in zip(level[::2], level[1::2], strict=False):
        node = begun()
        node.update(left + right)
        nodes.append(node.digest())
    return nodes + level[-1:] if len(level) % 2 else nodes


def root_from_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes | None:
    """The root to which a proof leads from a leaf's hash. None if no tree of that size has such a proof."""
    if not 0 <= index < size:
        return None
    hash_, last, left = leaf, size - 1, list(proof)
    while last:
        if index & 1 or index < last:
            if not left:
                return None
            sibling = left.pop(0)
            hash_ = node_hash(sibling, hash_) if index & 1 else node_hash(hash_, sibling)
        index, last = index >> 1, last >> 1
    return None if left else hash_


def root(leaves: Sequence[bytes]) -> bytes:
    """The 32 bytes of the root over `leaves` in order; SHA-256 of nothing for no leaf."""
    return root_of([leaf_hash(leaf) for leaf in leaves])


def tile_path(level: int | str, number: int, width: int = TILE) -> str:
    """The name of a tile in a log: `tile/0/x001/234.p/5` for the first five of number 1,234."""
    digits = str(number)
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    *high, low = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    return f"tile/{level}/" + "".join(f"x{part}/" for part in high) + low + (f".p/{width}" if width < TILE else "")


def tile_widths(size: int) -> Iterator[int]:
    """Yields the number of hashes or leaves in each tile of a level that has `size` of them."""
    return (min(TILE, size - begin) for begin in range(0, size, TILE))
