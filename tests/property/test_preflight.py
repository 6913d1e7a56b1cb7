"""The check of any campaign counts nothing twice, and a promised cure really clears."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.deciding.decide import Decision
from gatekeeper.management.preflight import Checked, cured, cures
from gatekeeper.policy.packs import load
from gatekeeper.policy.reasons import verdict
from schemas.events import Send
from tests.support import invented, people
from tests.support.invented import decide

PACKS = load("jp-pmark")
NOW = "2026-11-24T09:59:59+09:00"


def checked(facts: list[invented.Event], send: dict[str, Any]) -> tuple[Checked, Any]:
    store, one = invented.store(*facts), Send.model_validate_json(orjson.dumps(send))
    view = invented.view(store, one)
    return Checked(1, decide(one, view, store.reference, PACKS, invented.T), one, view), store.reference


def decided(facts: list[invented.Event], send: dict[str, Any]) -> Decision:
    return checked(facts, send)[0].decision


@given(people.people(), people.sends())
def test_cure_promised_then_without_what_it_takes_away_the_verdict_is_clear(facts: Any, send: Any) -> None:
    decision = decided(facts, send)
    for code, remedies in cures(decision).items():
        for remedy in remedies:
            taken = cured(decision, code, remedy)
            assert code in taken
            assert verdict(reason for reason in decision.reasons if reason.code not in taken) == "clear"


@given(st.lists(people.sources(warning=True) | people.givens() | people.nos() | people.asked(), min_size=1, max_size=6))
def test_new_act_of_the_person_promised_as_cure_then_it_clears(facts: Any) -> None:
    facts = [(topic, value) for topic, value in facts if not _ahead(value)]  # a no with a clock ahead is not lifted
    promised = {remedy for remedies in cures(decided(facts, invented.send())).values() for remedy in remedies}
    if promised & {"C", "N"}:
        assert decided([*facts, *signed_anew()], invented.send()).verdict == "clear"


def signed_anew() -> list[invented.Event]:
    """A complete form of today that names contact point and channel, signed by whoever may sign for the person."""
    said = {"event_time": NOW, "recorded_at": NOW, "expressed_by": "guardian", "contact_point_id": "cp-1"}
    return [invented.source(source_id="S-NEW", acquired_at=NOW), invented.consent(record_id="R-NEW", **said)]


def _ahead(value: dict[str, Any]) -> bool:
    times = [value.get(name) for name in ("event_time", "received_at", "effective_at")]
    return any(time and time[:10] >= "2026-11-24" for time in times)
