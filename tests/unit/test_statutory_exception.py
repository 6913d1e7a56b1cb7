"""The exceptions of the law from the opt-in to e-mail: by whom they are in force, and what ends them."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from gatekeeper.deciding import decide as deciding
from gatekeeper.deciding.decide import Decision
from gatekeeper.deciding.plan import Plans
from gatekeeper.deciding.statutory_exception import STATUTORY_EXCEPTION
from gatekeeper.policy.packs import load
from schemas.events import Send
from tests.support import invented
from tests.support.policies import policy_record, today

AT = invented.T + 30 * 86_400_000
ON = ("ask_cap = 1", 'ask_cap = 1\nstatutory_exception = "opinion-7"')
CARD = {"method": "direct.business_card", "channel": "email"}
CONTROLLER = {"mail_order": False}


def decided(
    *facts: invented.Event,
    of: str = "jp-appi",
    by: Any = ("hanako", "taro"),
    controller: dict[str, Any] = CONTROLLER,
    switched: tuple[str, str] = ON,
    **send: Any,
) -> Decision:
    """Returns the decision on an e-mail of a company whose policy has the exceptions in force."""
    put = ("reference", policy_record(today(7, switched, of=of), by=by, since=AT - 86_400_000))
    known = invented.store(*facts, reference=(invented.controller(**controller), *invented.REFERENCE[1:], put))
    one = Send.model_validate_json(orjson.dumps(invented.send(**{"channel": "email", **send})))
    packs = known.activations.over(load(of))
    return deciding.decide(Plans(known.reference, packs, AT).of(one), one, invented.view(known, one, at=AT))


def source(**fields: Any) -> invented.Event:
    return invented.source(**{**CARD, "evidence_ref": "card-1", **fields})


def test_business_card_then_the_mail_goes_out_and_says_by_what() -> None:
    decision = decided(source())
    assert (decision.verdict, decision.codes, decision.consent) == ("clear", (), None)
    assert STATUTORY_EXCEPTION in decision.notes
    assert decision.policy.name == "jp-appi@7"


def test_shipped_pack_then_an_opt_in_is_needed() -> None:
    decision = decided(source(), switched=("ask_cap = 1", "ask_cap = 1\nrejudge_hours = 0"))
    assert (decision.verdict, decision.primary) == ("block", "EMAIL_OPT_IN_MISSING")
    assert load("jp-appi").at(AT).statutory_exception is None


@pytest.mark.parametrize(
    "controller", [{}, {"mail_order": None}, {"mail_order": True}], ids=["silent", "null", "mail order"]
)
def test_company_that_may_sell_by_mail_order_then_an_opt_in_is_needed(controller: dict[str, Any]) -> None:
    assert decided(source(), controller=controller).primary == "EMAIL_OPT_IN_MISSING"


def test_one_manager_then_it_is_not_in_force() -> None:
    assert decided(source(), by="hanako").policy.name == "jp-appi@3"


def test_mark_then_never_in_force() -> None:
    decision = decided(source(), of="jp-pmark")
    assert (decision.policy.name, decision.primary) == ("jp-pmark@3", "EMAIL_OPT_IN_MISSING")


@pytest.mark.parametrize(
    ("fields", "clear"),
    [
        ({"method": "direct.contract"}, True),
        ({"method": "direct.support_call"}, False),
        ({"method": "direct.support_call", "relationship": "customer"}, True),
        ({"method": "direct.observed", "notice_id": None}, False),
        ({"method": "public.web", "business": True, "notice_id": None}, True),
        ({"method": "public.web", "notice_id": None}, False),
        ({"method": "public.directory", "business": True, "notice_id": None}, False),
        ({"state": "quarantined"}, False),
        ({"retention_until": "2026-12-01"}, False),
        ({"birth_date": "2013-01-01"}, False),
        ({"may_be_minor": True}, False),
        ({"contact_points": []}, False),
        ({"collected_by": "C2"}, False),
    ],
)
def test_source_then_it_stands_for_the_opt_in_or_not(fields: dict[str, Any], clear: bool) -> None:
    decision = decided(source(**fields))
    assert (decision.verdict == "clear") is clear, decision.codes
    assert clear or decision.verdict in ("block", "review")


@pytest.mark.parametrize(
    "no",
    [
        invented.consent(state="Withdrawn", channels=["postal"]),
        invented.consent(state="Refused", purpose="mkt.dm.food"),
        invented.suppression(received_at="2020-01-01", scope={"controller": "C1", "channels": ["postal"]}),
    ],
    ids=["withdrawal by post", "refusal of food", "objection to post"],
)
def test_any_no_then_the_exception_is_over(no: invented.Event) -> None:
    assert decided(source(), no).primary == "EMAIL_OPT_IN_MISSING"


def test_proven_consent_then_that_is_the_basis() -> None:
    decision = decided(source(), invented.consent(channels=["email"]))
    assert (decision.verdict, STATUTORY_EXCEPTION in decision.notes) == ("clear", False)
    assert decision.consent
