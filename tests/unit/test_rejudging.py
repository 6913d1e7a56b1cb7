"""Sends withheld because facts were late or unreadable: the gate judges each again by itself, to one outcome."""

from __future__ import annotations

import pytest

from tests.support import invented
from tests.support.desk import Desk

WITHDRAWN = invented.consent(record_id="R-9", state="Withdrawn", purpose="*", channels="*", notice_id=None)
SUSPENDED = invented.controller(suspended_since="2026-01-01")


@pytest.fixture
def desk() -> Desk:
    """A send that waits for facts; to its person everything may be sent."""
    found = Desk(invented.source(), invented.consent())
    assert found.send(late=True).codes == ("FACTS_STALE",)
    return found


def acts(desk: Desk) -> list[tuple[object, str, str | None]]:
    """Returns by whom each act was done, what came of it, and its code."""
    return [(act.by, act.outcome, act.code) for record in desk.records if (act := record.act)]


def test_late_facts_then_the_gate_clears_the_send_with_one_record_and_obligations(desk: Desk) -> None:
    desk.at += 3_600_000
    assert desk.reconsider() == ["clear"]
    assert desk.reconsider() == []
    (cleared,) = desk.outputs["cleared"]
    assert dict(cleared.headers)["gate-obligations"] == b"MUST_PRINT_STOP_CONTACT"
    record = desk.records[-1]
    assert record.act
    assert (record.stage, record.act.kind, record.act.item) == ("act", "redecide", desk.told(0)["decision_id"])
    assert acts(desk) == [("gatekeeper", "cleared", None)]
    desk.check_ledger()


@pytest.mark.parametrize(("fact", "reason"), [(WITHDRAWN, "CONSENT_WITHDRAWN"), (SUSPENDED, "SENDING_SUSPENDED")])
def test_a_fact_that_speaks_against_it_then_the_item_is_one_with_the_reasons_of_now(
    desk: Desk, fact: invented.Event, reason: str
) -> None:
    desk.learn(fact)
    assert desk.reconsider() == ["block"]
    assert desk.reconsider() == [], "a suspension ends by one act of a person, and floods nobody"
    assert acts(desk) == [("gatekeeper", "withheld", None)]
    assert desk.all[-1].codes == (reason,)
    desk.check_ledger()


def test_defect_of_ours_then_it_is_told_once_and_the_item_is_left_to_a_colleague(desk: Desk) -> None:
    view = desk.store.view
    desk.store.view = lambda *_, **__: 1 / 0  # type: ignore[method-assign]
    desk.reconsider()
    assert acts(desk)[0][:2] == ("gatekeeper", "failed")
    desk.store.view = view  # type: ignore[method-assign]
    assert desk.reconsider() == []
    assert desk.act("redecide") == ("cleared", None)
    desk.check_ledger()
