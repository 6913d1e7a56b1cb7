"""Proofs over a Merkle tree of RFC 6962. A leaf is in the tree, or a later tree begins with an earlier one."""

from __future__ import annotations

from collections.abc import Sequence

from gatekeeper.audit.tlog.merkle import next_level, node_hash


def inclusion_proof(hashes: Sequence[bytes], index: int) -> list[bytes]:
    """The inclusion proof of the leaf at `index` in the tree over `hashes`, leaf's end first (RFC 6962, 2.1.1)."""
    return _path(_levels(hashes), index)


def inclusion_proofs(hashes: Sequence[bytes]) -> list[list[bytes]]:
    """The inclusion proof of every leaf of the tree, in order."""
    levels = _levels(hashes)
    return [_path(levels, index) for index in range(len(hashes))]


def check_consistency(size: int, root: bytes, later: int, later_root: bytes, proof: Sequence[bytes]) -> bool:
    """Tells whether a proof shows that the tree of `later` leaves begins with that of `size` leaves (RFC 9162)."""
    if not 0 <= size <= later:
        return False
    if size in (0, later):
        return not proof and (size == 0 or root == later_root)
    left = list(proof)
    node, last = size - 1, later - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    if node and not left:
        return False
    old = new = left.pop(0) if node else root
    while last:
        if node & 1 or node < last:
            if not left:
                return False
            sibling = left.pop(0)
            if node & 1:
                old, new = node_hash(sibling, old), node_hash(sibling, new)
            else:
                new = node_hash(new, sibling)
        node, last = node >> 1, last >> 1
    return not left and old == root and new == later_root


def _levels(hashes: Sequence[bytes]) -> list[list[bytes]]:
    """The levels of a tree below its root, the leaves first."""
    levels, level = [], list(hashes)
    while len(level) > 1:
        levels.append(level)
        level = next_level(level)
    return levels


def _path(levels: Sequence[Sequence[bytes]], index: int) -> list[bytes]:
    steps = ((level, index >> height) for height, level in enumerate(levels))
    return [level[at ^ 1] for level, at in steps if at ^ 1 < len(level)]
