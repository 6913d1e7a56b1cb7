"""Records that are made to stop a partition or a worker: each has one answer, and the next one is handled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from gatekeeper.engine import act as acts
from gatekeeper.engine import signers
from gatekeeper.knowledge.store import FactStore
from schemas.record import Record
from tests.support import invented, staff
from tests.support.desk import YOUNG, Desk
from tests.support.facts import fact
from tests.support.office import SIGNED_AT, acted_by

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


def claimed(desk: Desk, **fields: Any) -> Callable[[Record], list[tuple[str, bytes]]]:
    """Signs as somebody does who has no key: every field is right, and the signature is not."""

    def sign(record: Record) -> list[tuple[str, bytes]]:
        said = {"kind": "release", "act_id": "a-1", "by": "hanako", **orjson.loads(record.value or b""), **fields}
        value, by = record.value or b"", said["by"]
        return [staff._header(said, value, by, at=SIGNED_AT, origin=staff.ORIGIN, signer="mallory")]

    return sign


@pytest.mark.parametrize("absent", ["act_id", "had"])
def test_act_that_is_not_complete_then_it_is_a_dead_letter(desk: Desk, absent: str) -> None:
    desk.sign = claimed(desk)
    value = invented.item_act("release", desk.told(), **acted_by("kenji"))
    del value[absent]
    assert desk.judged(value)[0] == "unreadable"
    desk.sign = lambda record: staff.signature(record.value, at=SIGNED_AT)
    assert desk.act("release", **acted_by("kenji", "a-2")) == ("cleared", None)


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


def test_act_whose_signature_nobody_can_weigh_then_it_counts_for_nothing(desk: Desk) -> None:
    act = acts.ActRecord.of(
        Record("mail.acts.v1", 3, 1, desk.at, None, orjson.dumps(invented.item_act("note", desk.told())))
    )
    assert signers.counts(act, desk.store.log, "unsigned") is False
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(signers, "weigh", raises)
        assert signers.counts(act, desk.store.log, "signed") is False


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
