"""A thief of a worker's key writes manifests beside the worker's own: the ledger's head says which ones count."""

from __future__ import annotations

import pytest

from gatekeeper.audit.checks.branch import NO_FORK, Fork, fork

Links = dict[str, str | None]
CHAIN: Links = {"a": None, "b": "a", "c": "b"}


def some(*names: str) -> frozenset[str]:
    return frozenset(names)


@pytest.mark.parametrize(
    ("links", "newest", "found"),
    [
        (CHAIN, "c", NO_FORK),
        ({"a": None, "x": "a", "b": "a"}, "b", Fork(beside=some("x"))),
        ({"a": None, "x": "a", "y": "x", "b": "a", "z": "y"}, "b", Fork(beside=some("x", "y", "z"))),
        ({**CHAIN, "x": "c", "y": "x"}, "c", Fork(ahead=some("x", "y"))),
        ({"s": "", "x": "s", "b": "s"}, "x", Fork(beside=some("b"))),
        (CHAIN, "gone", NO_FORK),
        ({"a": "b", "b": "a"}, "a", NO_FORK),
    ],
    ids=["one chain", "one beside", "a branch", "ahead", "the head is the thief's", "the head's is lost", "circle"],
)
def test_given_manifests_and_the_head_then_those_beside_its_branch(links: Links, newest: str, found: Fork) -> None:
    assert fork(links, newest) == found
