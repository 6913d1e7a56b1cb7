"""The check of any campaign counts nothing twice, and a promised cure really clears."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import given

from gatekeeper.deciding.decide import Decision
from gatekeeper.management.preflight import Checked, cured, cures
from gatekeeper.policy.packs import load
from gatekeeper.policy.reasons import verdict
from schemas.events import Send
from tests.support import invented, people
from tests.support.invented import decide

PACKS = load("jp-pmark")


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
