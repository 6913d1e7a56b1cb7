"""Records that are made to stop a partition or a worker: each has one answer, and the next one is handled."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from gatekeeper.engine import act as acts
from gatekeeper.engine import signers
from gatekeeper.knowledge.store import FactStore
from tests.support import invented, staff
from tests.support.desk import YOUNG, Desk
from tests.support.facts import fact
from tests.support.office import acted_by

DEEP = b"[" * 1_020 + b"]" * 1_020
"""JSON that one reader takes, and of which another can make no text."""


@pytest.fixture
def desk() -> Desk:
    found = Desk(*YOUNG)
    found.send()
    return found


def raises(*_: Any, **__: Any) -> Any:
    """A defect of ours, which quotes what it met."""
    raise ZeroDivisionError("花子")


@pytest.mark.parametrize("header", [None, b"\xff", DEEP])
def test_signature_that_cannot_be_read_then_nobody_signed(desk: Desk, header: Any) -> None:
    desk.sign = lambda record: [("gate-signature", header)]
    assert desk.act("release", **acted_by("kenji")) == ("refused", "unsigned")


@pytest.mark.parametrize(
    ("where", "name"),
    [(signers, "weigh"), (acts, "acted")],
    ids=lambda one: getattr(one, "__name__", one),
)
def test_defect_in_one_act_then_that_act_fails_on_record_and_the_next_is_done(
    desk: Desk, where: Any, name: str
) -> None:
    before, records = dict(desk.ledger), len(desk.records)
    with pytest.MonkeyPatch.context() as patch:
        if name == "acted":
            right = acts.acted
            patch.setattr(acts, name, lambda act, *what, **more: raises() if act else right(act, *what, **more))
        else:
            patch.setattr(where, name, raises)
        outcome, code = desk.act("release", **acted_by("kenji", evidence_ref="form-1"))
    assert outcome == "failed"
    assert (code or "").startswith("ZeroDivisionError-")
    assert len(desk.records) == records + 1, "one answer"
    assert "花子" not in desk.records[-1].model_dump_json()
    assert {key for key in desk.ledger if desk.ledger[key] != before.get(key)} <= {b"seen/release-1/a-1", b"seen/a-1/-"}
    assert desk.act("release", **acted_by("kenji", "a-2", evidence_ref="form-1")) == ("cleared", None)


def test_defect_where_a_faulty_fact_is_set_aside_then_all_wait_and_the_next_applies() -> None:
    store = FactStore(staff.ORIGIN)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gatekeeper.knowledge.store.named", raises)
        assert store.apply(fact("consents", 0, 0, b"P-9", b"{")) == "failed_ZeroDivisionError"
    assert store.unresolved.withhold_everybody
    assert store.apply(fact("consents", 0, 1, None, orjson.dumps(invented.consent()[1]))) is None


def test_defect_of_a_listener_then_everybody_is_withheld_and_the_next_is_applied() -> None:
    store = FactStore(staff.ORIGIN)
    store.listeners.append(raises)
    value = orjson.dumps(invented.consent()[1])
    assert store.apply(fact("consents", 0, 0, None, value)) == "failed_ZeroDivisionError"
    assert store.unresolved.withhold_everybody
    store.listeners.clear()
    assert store.apply(fact("consents", 0, 1, None, value)) is None
