"""The report of a coverage check is a leaf of the sealed log: it fits one, whatever was found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from gatekeeper.audit.checks.accounts import OUTPUTS
from gatekeeper.audit.checks.coverage import covered
from gatekeeper.audit.checks.coverage_report import TOLD, CoverageFinding, Covered, Range, report
from gatekeeper.audit.checks.pairing import Records, Signed
from gatekeeper.audit.log.writer import LEAF_BYTES
from gatekeeper.audit.tlog.notes import Vkey, parse_vkey
from tests.support.manifests import Writer, manifest
from tests.support.trails import signing_key

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
