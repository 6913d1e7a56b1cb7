"""Companies in the chain of a provider's check: which words name one, and what a record about one changes."""

from __future__ import annotations

import pytest

from gatekeeper.deciding.chains import is_company, is_opt_out
from tests.support import invented
from tests.support.desk import Desk

LISTED = {"kind": "batch", "id": "B-A", "check": {**invented.CHECK, "basis": "consent", "chain": ["hoshi"]}}
BOUGHT = {"method": "indirect.purchased_list", "provided_by": "broker-a", "batch_id": "B-A"}


@pytest.mark.parametrize(
    ("word", "company", "opt_out"),
    [
        ("consent", False, False),
        ("Other", False, False),
        ("opt-out_filing", False, True),
        ("hoshi", True, False),
        ("consent-ltd", True, False),
        ("o.ther", True, False),
        ("con-sent", True, False),
    ],
)
def test_words_of_a_chain_then_each_is_a_basis_or_a_company(word: str, company: bool, opt_out: bool) -> None:
    assert (is_company(word), is_opt_out(word)) == (company, opt_out)


def test_a_company_that_is_registered_later_then_the_list_is_judged_by_it() -> None:
    desk = Desk(invented.source(**BOUGHT))
    desk.learn(invented.batch(**LISTED))
    assert desk.send(event_id="E-1").codes == ("PROVIDER_BASIS_MISSING",)
    desk.learn(invented.list_provider())
    assert desk.send(event_id="E-2").codes == ("THIRD_PARTY_UNCONFIRMED", "CONSENT_MISSING")
    desk.learn(invented.list_provider(opt_out=True))
    assert desk.send(event_id="E-3").codes == ("PROVIDER_OPTOUT_CHAIN",)
    facts = desk.records[-1].facts
    assert facts
    assert facts.refs["provider/hoshi"]
