"""A person who did not answer is asked again where the policy says so, and a person who answered is not (7.1.11)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson

from gatekeeper.policy.packs import Packs, load
from schemas.events import Send
from tests.support import invented
from tests.support.desk import BROKER
from tests.support.invented import decide

BOUGHT = {**BROKER, "source_id": "S-0", "contact_points": ("cp-1",)}
HOME = load("jp-pmark").home[0]
ASKED = "2025-09-01T10:00:00+09:00"
"""The window of 30 days closes on 2025-10-01, and 12 months later is before T."""


def codes(*facts: invented.Event, months: int | None = 12, **send: Any) -> tuple[str, ...]:
    """The reasons of a send on a bought list, under a policy that asks again after so many months."""
    policies = (replace(HOME, ask_again_months=months),)
    store = invented.store(invented.source(**BOUGHT), *facts)
    one = Send.model_validate_json(orjson.dumps(invented.send(**send)))
    return decide(one, invented.view(store, one), store.reference, Packs(policies, policies), invented.T).codes


ASKS = ("THIRD_PARTY_UNCONFIRMED", "CONSENT_MISSING")


def test_silence_longer_than_the_policy_waits_then_asked_anew() -> None:
    assert codes(invented.ask(at=ASKED)) == ASKS
    question = {"message_class": "confirmation", "source_id": "S-0", "request_id": "Q-9"}
    assert codes(invented.ask(at=ASKED), **question) == ()


def test_refused_then_no_time_asks_again() -> None:
    refused = invented.consent(state="Refused", answers="Q-1", channels=["email"], event_time="2025-09-10")
    assert codes(invented.ask(at=ASKED), refused) == ("CONSENT_REFUSED",)


def test_yes_taken_back_then_no_time_asks_again() -> None:
    yes = invented.consent(answers="Q-1", event_time="2025-09-10")
    back = invented.consent(record_id="R-2", state="Withdrawn", event_time="2025-09-20")
    assert codes(invented.ask(at=ASKED), yes, back) == ("CONSENT_WITHDRAWN", "CONFIRMATION_CAP_REACHED")
