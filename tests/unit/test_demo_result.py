"""The demo's count: it must notice a send that was lost, doubled, or sent where its verdict forbids."""

from __future__ import annotations

from typing import Any

import pytest

from gatekeeper.demo.result import DemoResult
from schemas.audit import AuditRecord
from schemas.decision import Verdict


def _record(offset: int, verdict: Verdict) -> AuditRecord:
    fields: dict[str, Any] = dict.fromkeys(AuditRecord.model_fields)
    src = {"topic": "mail.sends.v1", "partition": 0, "offset": offset, "timestamp": 0}
    return AuditRecord.model_construct(
        **{**fields, "did": f"D{offset}", "stage": "intake", "verdict": verdict, "reasons": (), "src": _Origin(**src)}
    )


class _Origin:
    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)


@pytest.fixture
def right() -> DemoResult:
    tally = DemoResult(frozenset({(0, 0), (0, 1), (0, 2)}))
    for offset, verdict, topic in ((0, "clear", "cleared"), (1, "confirm", "review"), (2, "block", "deadletter")):
        tally.audit(_record(offset, verdict))  # type: ignore[arg-type]
        tally.output(topic, f"D{offset}")
    return tally


def test_given_one_decision_and_one_place_each_then_nothing_is_missing_or_wrong(right: DemoResult) -> None:
    assert (right.missing(), right.wrong()) == (0, 0)
    assert right.by_output() == {"cleared": 1, "review": 1, "deadletter": 1}
    assert right.by_verdict() == {"clear": 1, "confirm": 1, "review": 0, "block": 1}


def test_given_a_send_without_audit_record_then_it_is_missing() -> None:
    assert DemoResult(frozenset({(0, 0)})).missing() == 1


def test_given_a_decision_that_put_out_nothing_then_it_is_missing() -> None:
    tally = DemoResult(frozenset({(0, 0)}))
    tally.audit(_record(0, "clear"))
    assert tally.missing() == 1


def test_given_a_second_audit_record_then_it_is_wrong(right: DemoResult) -> None:
    right.audit(_record(1, "confirm"))
    assert right.wrong() == 1


def test_given_a_second_output_then_it_is_wrong(right: DemoResult) -> None:
    right.output("review", "D1")
    assert right.wrong() == 1


def test_given_a_withheld_send_on_cleared_then_it_is_wrong() -> None:
    tally = DemoResult(frozenset({(0, 0)}))
    tally.audit(_record(0, "block"))
    tally.output("cleared", "D0")
    assert tally.wrong() == 1


def test_given_an_output_that_nobody_decided_then_it_is_wrong(right: DemoResult) -> None:
    right.output("cleared", "D9")
    assert right.wrong() == 1
