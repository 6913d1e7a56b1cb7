"""Branches of a partition's manifests: the one that counts by the ledger's head or a statement, and the others."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

Links = Mapping[str, str | None]
"""SHA-256 (hex) of each manifest, in the order of their offsets, to that of the manifest before it."""


class Fork(NamedTuple):
    """Manifests that are not on the branch that counts, by SHA-256 (hex).

    `beside`: another manifest on the branch has their predecessor, or that of a manifest before them. `ahead`: they
    follow the newest one, so the next head tells whether they count. `apart`: the sealed manifests are on another
    branch than the ledger's head.
    """

    beside: frozenset[str] = frozenset()
    ahead: frozenset[str] = frozenset()
    apart: bool = False


NO_FORK = Fork()


def fork(
    links: Links,
    newest: str,
    *,
    sealed: str | None = None,
    chosen: str | None = None,
    known: Collection[str] = (),
) -> Fork:
    """The manifests beside the branch of `newest`, and those ahead of it. A thief of a worker's key writes beside it.

    `newest`: the SHA-256 of the manifest that the ledger's head names, read after these manifests. `sealed`: the
    manifest sealed last. `chosen`: a manifest that a statement chose. The branch is then its own, up to `newest` if
    that is on it. `known`: manifests that were beside the branch before. Where manifests are lost before one, nothing
    is known of it, and it is neither.
    """
    if chosen in links and chosen != sealed and chosen not in (newest, *lineage(links, newest)):
        newest = chosen or newest
    line = [*lineage(links, newest)] if newest in links else []
    apart = sealed is not None and (newest in known or (bool(line) and sealed not in (newest, *line)))
    if not line:
        return Fork(apart=apart)
    on, before_on = {newest, *line[:-1]}, {*line}
    beside, ahead = {*known} - on, {newest}
    for hash_, before in links.items():
        if hash_ in on:
            continue
        if before in before_on or before in beside:
            beside.add(hash_)
        elif before in ahead:
            ahead.add(hash_)
    return Fork(frozenset(beside), frozenset(ahead - {newest}), apart)


def lineage(links: Links, newest: str) -> Iterator[str | None]:
    """Yields the manifests before this one, back to the last one that is known; None stands before the first."""
    seen, at = {newest}, newest
    while at in links:
        before = links[at]
        yield before
        if before is None or before in seen:
            return
        seen.add(before)
        at = before


def parting(links: Links, one: str, other: str) -> tuple[str | None] | None:
    """The newest manifest from which both branches come, None if none is known.

    The result holds None if the branches have different first manifests.
    """
    mine = {one, *lineage(links, one)}
    return next(((hash_,) for hash_ in (other, *lineage(links, other)) if hash_ in mine), None)
