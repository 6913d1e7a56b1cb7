"""One fault of a manifest has one word and one place, whether sealer, coverage or the check of an export finds it."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from gatekeeper.audit.checks.chain import Chain
from gatekeeper.audit.checks.coverage import covered
from gatekeeper.audit.checks.pairing import Placed, Records, Signed
from gatekeeper.audit.tlog.log_faults import Fault
from gatekeeper.audit.tlog.notes import parse_vkey
from gatekeeper.audit.verify.export_check import verify
from schemas.codec import canonical
from tests.support.trails import GROUP, Step, Trail, signing_key

TRAIL = Trail(partitions=1, seed=5, acting=0).write(6)
STRANGER = signing_key(f"{GROUP}/worker", seed=99)
Change = Callable[[Step], Step]
Found = set[tuple[str, int | None]]
"""The faults and offsets that one of the three names."""


def said(step: Step, **fields: Any) -> Step:
    """Returns a step whose manifest says something else, as whoever has the worker's key writes it."""
    value = canonical({**orjson.loads(step.value), **fields})
    return replace(step, value=value, sig=TRAIL.worker.sign(value))


def first_range(step: Step, **more: int) -> Step:
    """Returns a step whose first range of an input has other numbers, each by as many."""
    first, *rest = orjson.loads(step.value)["in"]
    return said(step, **{"in": [first | {name: first[name] + count for name, count in more.items()}, *rest]})


CHANGES: dict[Fault, Change] = {
    "moved_manifest": lambda step: said(step, partition=1),
    "unsigned_manifest": lambda step: replace(step, sig=b""),
    "forged_manifest": lambda step: replace(step, sig=STRANGER.sign(step.value)),
    "unknown_key": lambda step: said(step, kid=STRANGER.kid),
    "miscounted_range": lambda step: first_range(step, n=1),
    "skipped_offset": lambda step: first_range(step, **{"from": 1, "n": -1}),
    "repeated_offset": lambda step: first_range(step, **{"from": -1, "n": 1}),
    "broken_chain": lambda step: said(step, prev="0" * 64),
    "repeated_manifest": lambda step: replace(TRAIL.steps[2], offset=step.offset),
}
"""A fault, and the change that makes it."""


def by_sealer(steps: list[Step]) -> Found:
    chain = Chain({}, keys=lambda: [parse_vkey(TRAIL.worker.verifier)])
    signed = [(step, base64.b64encode(step.sig).decode()) for step in steps]
    return {(one.fault, one.offset) for step, sig in signed for one in chain.take(0, step.offset, step.value, sig)[1]}


def by_coverage(steps: list[Step]) -> Found:
    found = covered(
        0,
        [Signed(step.offset, step.value, base64.b64encode(step.sig).decode()) for step in steps],
        keys=[parse_vkey(TRAIL.worker.verifier)],
        first=0,
        settled=10**6,
        records=Records(0, [Placed(*one) for one in enumerate(value for step in steps for value in step.records)]),
        inputs={},
        outputs={},
        head=None,
    )
    # a range stands on its input, all else on `manifests`
    places = {one["from"]: step.offset for step in steps for one in orjson.loads(step.value)["in"]}
    return {
        (one.fault, one.offset if one.topic == "manifests" else places.get(one.offset, places.get(one.offset + 1)))
        for one in found.findings
    }


def by_check(steps: list[Step], folder: Path) -> Found:
    TRAIL.export(folder)
    TRAIL.put(folder, [replace(step, index=None) for step in steps])
    shutil.rmtree(folder / "log")
    return {(one.code, one.offset) for one in verify(folder).findings}


@pytest.mark.parametrize("fault", CHANGES)
def test_given_a_fault_of_a_manifest_then_all_three_call_it_by_one_word(fault: Fault, tmp_path: Path) -> None:
    changed = CHANGES[fault](TRAIL.steps[3])
    steps = [*TRAIL.steps[:3], changed, *TRAIL.steps[4:]]
    told = by_sealer(steps), by_coverage(steps), by_check(steps, tmp_path / "export")
    assert [(fault, changed.offset) in each for each in told] == [True] * 3, told


def test_given_nothing_wrong_then_none_of_the_three_finds_any(tmp_path: Path) -> None:
    told = by_sealer(TRAIL.steps), by_coverage(TRAIL.steps), by_check(TRAIL.steps, tmp_path / "export")
    assert told == (set(), set(), {("no_log", None)})
