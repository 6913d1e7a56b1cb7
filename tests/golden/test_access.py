"""The table of golden cases as AuthZEN questions: the answers are those of `gatekeeper decide`."""

from __future__ import annotations

from typing import Any

import pytest

from gatekeeper.deciding.answer import answer
from gatekeeper.engine.evaluation import Moment
from gatekeeper.engine.evaluator import Evaluator
from gatekeeper.ledger.state import LedgerState
from gatekeeper.policy.packs import load
from gatekeeper.service.access_evaluation import OF_ACTION, OF_RESOURCE, AccessRequest, judged
from tests.support import invented
from tests.support.golden_cases import CASES, decided, events, millis

OF_THE_LEDGER = {"acts", "asks", "checkpoint", "clearances", "unavailable"}
"""Parts of a case that no fact topic brings."""
ASKED = [name for name, case in CASES.items() if OF_THE_LEDGER.isdisjoint(case)][::12]


def question(send: dict[str, Any]) -> AccessRequest:
    return AccessRequest.model_validate(
        {
            "subject": {"type": "controller", "id": send["controller_id"]},
            "action": {"name": "send", "properties": {name: send[name] for name in send.keys() & OF_ACTION}},
            "resource": {
                "type": "recipient",
                "id": send["recipient_id"],
                "properties": {name: send[name] for name in send.keys() & OF_RESOURCE},
            },
        }
    )


@pytest.mark.parametrize("name", ASKED)
def test_golden_case_asked_then_the_answer_of_decide(name: str) -> None:
    case = CASES[name]
    reference, facts = events(case)
    send = invented.send(**case.get("send", {}))
    now = Moment(
        Evaluator(load(case.get("policy", "jp-pmark")), tokens=invented.gate(*case.get("keys", (1,)))),
        invented.store(*facts, reference=reference),
        LedgerState(),
        millis(case["at"]) if "at" in case else invented.T,
        millis(case["as_of"]) if "as_of" in case else None,
    )
    found = judged(now, question(send), positions={})
    assert found["decision"] is (case["verdict"] == "clear")
    told = answer(decided(case), send["channel"])
    assert {field: found["context"][field] for field in told} == told
