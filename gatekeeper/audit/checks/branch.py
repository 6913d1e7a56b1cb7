"""A fork in a partition's manifests: the branch that the ledger's head names counts, and the other one is forged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

Links = Mapping[str, str | None]
"""SHA-256 (hex) of each manifest, in the order of their offsets, to that of the manifest before it."""


class Fork(NamedTuple):
    """Manifests that are not on the branch of the ledger's head, by SHA-256 (hex).

    `beside`: another manifest on the branch has their predecessor, or that of a manifest before them. `ahead`: they
    follow the newest one, so the next head tells whether they count.
    """

    beside: frozenset[str] = frozenset()
    ahead: frozenset[str] = frozenset()


NO_FORK = Fork()


def fork(links: Links, newest: str) -> Fork:
    """The manifests beside the branch of `newest`, as a thief of a worker's key writes them, and those ahead of it.

    `newest`: the SHA-256 of the manifest that the ledger's head names, read after these manifests. Where manifests are
    lost before one, nothing is known of it, and it is neither.
    """
    branch: dict[str | None, str] = {}
    at: str | None = newest
    while at is not None and at in links and (before := links[at]) not in branch:
        branch[before] = at
        at = before
    if not branch:
        return NO_FORK
    on, beside, ahead = {*branch.values()}, set[str](), {newest}
    for hash_, before in links.items():
        if hash_ not in on and (before in branch or before in beside):
            beside.add(hash_)
        elif hash_ not in on and before in ahead:
            ahead.add(hash_)
    return Fork(frozenset(beside), frozenset(ahead - {newest}))
