"""The findings of a check put down to causes: a second change stands beside the first, and never behind it."""

from __future__ import annotations

import pytest

from gatekeeper.audit.verify.findings import Report, causes_of

Told = tuple[str, int | None, int | None, int]


def told(report: Report) -> list[Told]:
    """Returns the causes of a report: code, partition, offset, and the number of findings."""
    return [(one.first.code, one.first.partition, one.first.offset, one.count) for one in causes_of(report.findings)]


@pytest.mark.parametrize("code", ["act_signature", "forged_manifest", "missing_manifest", "omitted_record"])
def test_a_flipped_bit_beside_a_second_attack_then_both_are_causes(code: str) -> None:
    report = Report()
    report.add("torn_transaction", (0, 5), count=3)
    report.add(code, (0, 5), kid="k", leaf=4, topic="mail.sends.v1", input=7)
    assert told(report) == [("torn_transaction", 0, 5, 1), (code, 0, 5, 1)]
