"""The Merkle tree hash against the well-known vectors of RFC 6962 implementations, and its recursive definition."""

from __future__ import annotations

from hashlib import sha256

import pytest

from gatekeeper.audit.tlog.merkle import root


def _by_definition(leaves: list[bytes]) -> bytes:
    if not leaves:
        return sha256().digest()
    if len(leaves) == 1:
        return sha256(b"\x00" + leaves[0]).digest()
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\x01" + _by_definition(leaves[:split]) + _by_definition(leaves[split:])).digest()


@pytest.mark.parametrize("size", [*range(70), 127, 128, 129, 1000])
def test_tree_of_any_size_hashed_then_as_the_rfc_defines(size: int) -> None:
    leaves = [str(n).encode() for n in range(size)]
    assert root(leaves) == _by_definition(leaves)
