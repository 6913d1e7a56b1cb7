"""Sends withheld because facts were late or unreadable: the gate judges each again by itself, to one outcome."""

from __future__ import annotations

import pytest

from gatekeeper.engine.reconsideration import NOTHING, reconsider
from tests.support import invented
from tests.support.desk import Desk

HOUR_MS = 3_600_000
WITHDRAWN = invented.consent(record_id="R-9", state="Withdrawn", purpose="*", channels="*", notice_id=None)
SUSPENDED = invented.controller(suspended_since="2026-01-01")
OFFSET = 77


@pytest.fixture
def desk() -> Desk:
    """A partition with one person to whom everything may be sent."""
    return Desk(invented.source(), invented.consent())


def late(desk: Desk) -> None:
    assert desk.send(late=True).codes == ("FACTS_STALE",)


def spoilt(desk: Desk) -> None:
    desk.spoil("P-1", OFFSET)
    assert desk.send().codes == ("FACTS_UNAVAILABLE",)


def acts(desk: Desk) -> list[tuple[object, str, str | None]]:
    """Returns by whom each act was done, what came of it, and its code."""
    return [(act.by, act.outcome, act.code) for record in desk.records if (act := record.act)]


def test_late_facts_then_the_gate_clears_the_send_with_one_record_and_obligations(desk: Desk) -> None:
    late(desk)
    desk.at += HOUR_MS
    assert desk.reconsider() == ["clear"]
    assert desk.reconsider() == []
    (cleared,) = desk.outputs["cleared"]
    assert dict(cleared.headers)["gate-obligations"] == b"MUST_PRINT_STOP_CONTACT"
    record = desk.records[-1]
    assert record.act
    assert (record.stage, record.act.kind, record.act.item) == ("act", "redecide", desk.told(0)["decision_id"])
    assert acts(desk) == [("gatekeeper", "cleared", None)]
    desk.check_ledger()


def test_unreadable_record_then_nothing_is_written_until_it_is_resolved(desk: Desk) -> None:
    spoilt(desk)
    before = len(desk.records)
    assert desk.reconsider() == ["withheld"]
    assert len(desk.records) == before
    desk.resolve(OFFSET)
    assert desk.reconsider() == ["clear"]
    desk.check_ledger()


@pytest.mark.parametrize(("fact", "reason"), [(WITHDRAWN, "CONSENT_WITHDRAWN"), (SUSPENDED, "SENDING_SUSPENDED")])
def test_a_fact_that_speaks_against_it_then_the_item_is_one_with_the_reasons_of_now(
    desk: Desk, fact: invented.Event, reason: str
) -> None:
    late(desk)
    desk.learn(fact)
    assert desk.reconsider() == ["block"]
    assert desk.reconsider() == [], "a suspension ends by one act of a person, and floods nobody"
    assert acts(desk) == [("gatekeeper", "withheld", None)]
    assert desk.all[-1].codes == (reason,)
    desk.check_ledger()


def test_a_person_was_first_then_the_gate_does_nothing(desk: Desk) -> None:
    late(desk)
    item = desk.review[0]
    desk.act("uphold")
    assert desk.reconsider() == []
    assert reconsider(desk.now, item) == NOTHING
    desk.check_ledger()


def test_the_gate_was_first_then_the_person_is_told(desk: Desk) -> None:
    late(desk)
    assert desk.reconsider() == ["clear"]
    assert desk.act("redecide") == ("refused", "closed")
    assert [topic for topic, _ in desk.out].count("cleared") == 1


def test_the_same_piece_cleared_meanwhile_then_the_item_is_a_duplicate(desk: Desk) -> None:
    late(desk)
    assert desk.send().verdict == "clear"
    assert desk.reconsider() == ["block"]
    assert desk.all[-1].codes == ("DUPLICATE_SEND",)
    assert desk.reconsider() == []
    desk.check_ledger()


def test_campaign_cancelled_since_then_nothing_of_it_goes_out(desk: Desk) -> None:
    late(desk)
    desk.campaign("cancel")
    assert desk.reconsider() == [None]
    assert "cleared" not in desk.outputs


def test_defect_of_ours_then_it_is_told_once_and_the_item_is_left_to_a_colleague(desk: Desk) -> None:
    late(desk)
    view = desk.store.view
    desk.store.view = lambda *_, **__: 1 / 0  # type: ignore[method-assign]
    desk.reconsider()
    assert acts(desk)[0][:2] == ("gatekeeper", "failed")
    desk.store.view = view  # type: ignore[method-assign]
    assert desk.reconsider() == []
    assert desk.act("redecide") == ("cleared", None)
    desk.check_ledger()
