"""A register of people who want no mail: the same entry in a newer file is the same word (domain rule 8.3.52)."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from gatekeeper.deciding.decide import Decision
from gatekeeper.policy.packs import load
from schemas.events import Send
from schemas.record import Record
from tests.support import invented

MONTH = 30 * 86_400_000
FIRST, AGREED, NEWER = "2026-06-01T00:00:00+09:00", "2026-07-01T00:00:00+09:00", "2026-08-01T00:00:00+09:00"


def decided(*files: dict[str, Any], consent: dict[str, Any] | None = None, **send: Any) -> Decision:
    """Returns what is decided after files of a register arrived, one a month."""
    yes = invented.consent(event_time=AGREED, **consent or {})
    store = invented.store(invented.source(), yes)
    for number, fields in enumerate(files):
        listed = invented.suppression(**{"kind": "external", "suppression_id": "reg-7", **fields})[1]
        arrived = invented.T - (10 - number) * MONTH
        assert store.apply(Record("suppressions", 0, number, arrived, None, orjson.dumps(listed))) is None
    one = Send.model_validate_json(orjson.dumps(invented.send(**send)))
    return invented.decide(one, invented.view(store, one), store.reference, load("jp-pmark"), invented.T)


BLOCKED = ("EXTERNAL_PREFERENCE_LISTED",)


def test_same_entry_in_a_newer_file_then_the_yes_between_stands() -> None:
    assert decided({"received_at": FIRST}).verdict == "clear"
    found = decided({"received_at": FIRST}, {"received_at": NEWER})
    assert (found.verdict, found.notes) == ("clear", ("SUPERSEDED_BY_LATER_CONSENT",))
    assert decided({"received_at": FIRST}, {"received_at": NEWER, "scope": {"channels": ["postal"]}}).verdict == "clear"


def test_newer_file_that_dates_the_entry_back_then_the_first_one_still_stops() -> None:
    assert decided({"received_at": NEWER}, {"received_at": FIRST}).codes == BLOCKED


def test_kind_that_no_rule_reads_with_a_last_day_then_it_is_unreadable_and_withholds() -> None:
    store = invented.store(invented.source(), invented.consent())
    until = invented.suppression(kind="court_order", effective_until="2026-02-01")[1]
    assert store.apply(Record("suppressions", 0, 0, invented.T, None, orjson.dumps(until))) == "field_invalid at kind"
    one = Send.model_validate_json(orjson.dumps(invented.send()))
    found = invented.decide(one, invented.view(store, one), store.reference, load("jp-pmark"), invented.T)
    assert found.codes == ("FACTS_UNAVAILABLE",)


def test_first_entry_for_email_alone_then_a_newer_one_for_post_is_a_new_word_there() -> None:
    first = {"received_at": FIRST, "scope": {"channels": ["email"]}}
    assert decided(first, {"received_at": NEWER}).codes == BLOCKED


def test_entry_taken_back_and_listed_again_then_it_is_a_new_word() -> None:
    taken_back = {"received_at": "2026-06-15T00:00:00+09:00", "state": "corrected"}
    assert decided({"received_at": FIRST}, taken_back).verdict == "clear"
    assert decided({"received_at": FIRST}, taken_back, {"received_at": NEWER}).codes == BLOCKED
    other = {"received_at": NEWER, "suppression_id": "reg-8"}
    assert decided({"received_at": FIRST}, other).codes == BLOCKED, "another entry"
    weak, near = {"received_at": FIRST, "token": "cp-9"}, [{"token": "cp-9", "score": 950}]
    assert decided(weak, {"received_at": NEWER}, match=near).codes == BLOCKED, "a weak match dates no certain one"


@pytest.mark.parametrize("scope", [{}, {"controller": "C2"}, {"group": "G1"}])
def test_entry_whatever_it_names_then_a_yes_to_another_company_lifts_nothing(scope: dict[str, str]) -> None:
    found = decided({"received_at": FIRST, "scope": scope}, consent={"controller_id": "C2"})
    assert found.verdict != "clear"
    assert ("EXTERNAL_PREFERENCE_LISTED" in found.codes) == (scope != {"controller": "C2"})
