"""A thief of a worker's key writes manifests beside the worker's own: the ledger's head says which ones count."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gatekeeper.audit.checks.branch import NO_FORK, Fork, fork
from gatekeeper.audit.tlog.notes import parse_vkey
from gatekeeper.audit.verify.export_check import verify
from schemas.codec import canonical
from tests.support.trails import Trail, seal

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


def test_given_a_fork_in_the_log_then_the_export_verifies_and_says_so(tmp_path: Path) -> None:
    trail = Trail(partitions=1, seed=5).write(4)
    folder = trail.export(tmp_path / "export")
    leaf = {"v": 1, "kind": "fork", "at": "2026-11-24T09:00:00.000Z", "partition": 0, "offset": 7, "sha256": "0" * 64}
    shutil.rmtree(folder / "log")
    leaves = [*(step.value for step in trail.steps), canonical(leaf)]
    seal(leaves, folder / "log", trail.log, trail.witness, at=1)
    report = verify(folder, witness=parse_vkey(trail.witness.verifier))
    assert (report.exit_code, report.findings) == (0, [])
    told = {"leaf": 4, "partition": 0, "offset": 7, "at": leaf["at"]}
    assert ("forked", told) in report.says
