"""The exceptions of the law from the opt-in to e-mail: by whom they are not in force."""

from __future__ import annotations

from typing import Any

import orjson

from gatekeeper.deciding import decide as deciding
from gatekeeper.deciding.decide import Decision
from gatekeeper.deciding.plan import Plans
from gatekeeper.policy.packs import load
from schemas.events import Send
from tests.support import invented
from tests.support.policies import policy_record, today

AT = invented.T + 30 * 86_400_000
ON = ("ask_cap = 1", 'ask_cap = 1\nstatutory_exception = "opinion-7"')
CARD = invented.source(method="direct.business_card", channel="email", evidence_ref="card-1")


def decided(*facts: invented.Event, of: str = "jp-appi", by: Any = ("hanako", "taro")) -> Decision:
    """Returns the decision on an e-mail of a company whose policy has the exceptions in force."""
    put = ("reference", policy_record(today(7, ON, of=of), by=by, since=AT - 86_400_000))
    known = invented.store(*facts, reference=(invented.controller(mail_order=False), *invented.REFERENCE[1:], put))
    one = Send.model_validate_json(orjson.dumps(invented.send(channel="email")))
    packs = known.activations.over(load(of))
    return deciding.decide(Plans(known.reference, packs, AT).of(one), one, invented.view(known, one, at=AT))


def test_one_manager_then_it_is_not_in_force() -> None:
    assert decided(CARD, by="hanako").policy.name == "jp-appi@3"


def test_mark_then_never_in_force() -> None:
    decision = decided(CARD, of="jp-pmark")
    assert (decision.policy.name, decision.primary) == ("jp-pmark@3", "EMAIL_OPT_IN_MISSING")
