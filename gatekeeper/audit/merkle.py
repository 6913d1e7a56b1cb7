"""The Merkle tree hash of RFC 6962, section 2.1, over whole values; all else of trees is in `verify`."""

from __future__ import annotations

from collections.abc import Sequence

from gatekeeper.audit.verify import leaf_hash, root_of


def root(leaves: Sequence[bytes]) -> bytes:
    """Returns the 32 bytes of the root over `leaves` in order; SHA-256 of nothing for no leaf."""
    return root_of([leaf_hash(leaf) for leaf in leaves])
