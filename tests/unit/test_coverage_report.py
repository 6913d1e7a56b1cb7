"""The report of a coverage check is a leaf of the sealed log: it fits one, whatever was found."""

from __future__ import annotations

import base64
import tracemalloc
from collections.abc import Sequence
from typing import Any

import orjson
import pytest

from gatekeeper.audit.checks.accounts import OUTPUTS
from gatekeeper.audit.checks.coverage import covered
from gatekeeper.audit.checks.coverage_report import TOLD, CoverageFinding, Covered, Range, report
from gatekeeper.audit.checks.pairing import Input, Placed, Records, Signed
from gatekeeper.audit.log.writer import LEAF_BYTES
from gatekeeper.audit.tlog.notes import Vkey, parse_vkey
from gatekeeper.engine.manifest import Taken
from schemas.topics import logical_name
from tests.support.manifests import SENDS, Writer, manifest
from tests.support.trails import Trail, signing_key

AT = "2026-01-01T00:00:00.000Z"


def partition(number: int, findings: int) -> Covered:
    """One that has run for years, all of whose inputs and outputs have expired."""
    claimed = {topic: Range(10**10, 2 * 10**10, 10**10) for topic in ("sends", "acts")}
    lost = dict.fromkeys(("sends", "acts", *OUTPUTS), 10**9)
    wrong = [CoverageFinding("missing_output", number, "audit", 10**10 + n, "x" * 120) for n in range(findings)]
    return Covered(number, 10**8, 10**10, claimed, lost, wrong, [], [])


def checked(written: list[tuple[bytes, str]], keys: Sequence[Vkey] = ()) -> Covered:
    manifests = [Signed(offset, *one) for offset, one in enumerate(written)]
    none: dict[str, Any] = {"records": Records(0, []), "inputs": {}, "outputs": {}, "head": None}
    return covered(0, manifests, keys=keys, first=0, settled=9, **none)


def test_256_partitions_with_many_findings_then_it_fits_a_leaf_and_counts_them_all() -> None:
    value = report([partition(number, 50) for number in range(256)], group="mail.gatekeeper", at=AT)
    said = orjson.loads(value)
    assert len(value) <= LEAF_BYTES
    assert said["found"] == 256 * 50
    assert 10 <= len(said["findings"]) <= TOLD
    assert said["partitions"]["in"]["sends"] == [[10**10, 2 * 10**10, 10**10]] * 256
    assert said["partitions"]["expired"]["cleared"] == [10**9] * 256


def test_a_manifest_whose_key_is_no_key_s_name_then_no_sealed_report_holds_it() -> None:
    ours = signing_key("mail.gatekeeper/worker")
    person = "narumi.kanaria@mail.example"
    found = checked([Writer(ours).next(0), (manifest(person), "AAAA")], [parse_vkey(ours.verifier)])
    assert [(one.fault, one.offset, one.detail) for one in found.findings] == [("unknown_key", 1, "?")]
    assert person.encode() not in report([found], group="mail", at=AT)


@pytest.mark.parametrize(
    "taken", [Taken(SENDS, 0, 2**53 - 1, 2**53 - 1), Taken(SENDS, 0, 2**53 - 1, 1, [(0, 2**52), (0, 2**52)])]
)
def test_a_manifest_that_claims_too_much_then_memory_is_for_the_others(taken: Taken) -> None:
    tracemalloc.start()
    try:
        found = checked([(manifest("k", taken=[taken]), ""), Writer(signing_key("mail.gatekeeper/worker")).next(0)])
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert [(one.fault, one.offset, one.detail) for one in found.findings] == [
        ("unreadable_manifest", 0, "field_invalid at n")
    ]
    assert (found.manifests, most < 1 << 20) == (1, True)


def covering(trail: Trail) -> Covered:
    """Returns what coverage finds of a partition whose inputs hold what its manifests say, and what was skipped."""
    offsets: dict[str, set[int]] = {"sends": set(), "acts": set()}
    for step in trail.steps:
        said = orjson.loads(step.value)
        for one in said["in"]:
            empty = {gap["first"] + n for gap in one["gaps"] for n in range(gap["n"])}
            offsets[logical_name(one["topic"])] |= {*range(one["from"], one["to"])} - empty
        for one in said.get("skipped", ()):
            offsets[logical_name(one["topic"])] |= {*range(one["from"], one["to"])}
    placed = enumerate(value for step in trail.steps for value in step.records)
    return covered(
        0,
        [Signed(step.offset, step.value, base64.b64encode(step.sig).decode()) for step in trail.steps],
        keys=[parse_vkey(trail.worker.verifier)],
        first=0,
        settled=10**6,
        records=Records(0, (Placed(*one) for one in placed)),
        inputs={name: Input(0, sorted(found)) for name, found in offsets.items()},
        outputs={},
        head=None,
    )


@pytest.mark.parametrize("skipped", [{"sends": 40}, {"sends": 1, "acts": 1}])
def test_given_offsets_that_a_person_skipped_then_it_says_who_and_finds_nothing(skipped: dict[str, int]) -> None:
    found = covering(Trail(seed=3, partitions=1).write(6).resume(0, skipped=skipped).write(6))
    assert found.findings == []
    told = [(one.topic, one.to - one.start, one.by, one.refused) for one in found.skipped]
    assert told == [(name, count, "taro", "error.sends_expired") for name, count in skipped.items()]
    assert orjson.loads(report([found], group="mail", at=AT))["skipped"][0]["by"] == "taro"
