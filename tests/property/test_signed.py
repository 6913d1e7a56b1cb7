"""Nobody but a manager gets a send cleared that the law withholds, whatever the others write (domain rule 7).

The CRM's facts are fixed. Everybody else writes acts and records of `reference`, signed by a reviewer, an approver, a
stranger, the console or nobody, and copies what managers once signed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.staff import signatures
from schemas.codec import canonical
from tests.support import invented, policies, staff
from tests.support.facts import fact
from tests.support.office import SIGNED_AT, Office

TEN_MINUTES = 10 * 60_000
CLEAR = (invented.source(), invented.consent())


class Withheld(NamedTuple):
    """A send that the law withholds: the facts of its person, its fields, and the record of a manager that frees it."""

    facts: tuple[invented.Event, ...]
    send: dict[str, Any]
    freed_by: dict[str, Any]


def reference(event: invented.Event, **more: Any) -> dict[str, Any]:
    said: dict[str, Any] = {**event[1], **more}
    return said


SUSPENDED = invented.controller(notice_items=invented.NOTICE_ITEMS, suspended_since="2026-01-01")
UNKNOWN = {"v": 1, "kind": "purpose", "id": "mkt.new", "name_ja": "新しい案内", "name_en": "New", "marketing": True}
WITHHELD = {
    "notice": Withheld(
        (invented.source(notice_id="N-CARD"), invented.consent(notice_id="N-CARD")),
        {},
        reference(invented.notice(id="N-CARD")),
    ),
    "controller": Withheld((*CLEAR, SUSPENDED), {}, reference(invented.controller(notice_items=invented.NOTICE_ITEMS))),
    "batch": Withheld(
        (invented.source(batch_id="B-FROZEN"), invented.consent()), {}, reference(invented.batch(id="B-FROZEN"))
    ),
    "template": Withheld(CLEAR, {"template_id": "T-NEW"}, reference(invented.template(id="T-NEW"))),
    "purpose": Withheld(
        (
            invented.source(purposes_told=["mkt.new"], notice_id="N-NEW"),
            invented.consent(purpose="mkt.new", notice_id="N-NEW"),
            invented.notice(id="N-NEW", purposes=["mkt.new"]),
        ),
        {"purpose": "mkt.new"},
        UNKNOWN,
    ),
}


class Gate(Office):
    """A gate with its people, a person of the CRM, and a log of `reference` that anybody may write to."""

    def __init__(self, case: Withheld) -> None:
        super().__init__(*case.facts)
        self.case, self._offset = case, 1_000
        self.signed: list[staff.Line] = []

    def write(self, *lines: staff.Line) -> None:
        for name, value in lines:
            self._offset += 1
            record = fact("reference", 0, self._offset, name.encode(), value)
            self.store.apply(replace(record, timestamp=self.at))

    def offered(self) -> bool:
        """Sends the piece, and tells whether it goes out."""
        return self.send(event_id=f"E-{self._offset}-{len(self.records)}", **self.case.send).verdict == "clear"


RECORDS: list[dict[str, Any]] = [
    *(case.freed_by for case in WITHHELD.values()),
    policies.policy_record(policies.text(9), by=["hanako", "taro"]),
    {"v": 1, "kind": "resolution", "id": "r1", "topic": "consents", "partition": 1, "offset": 7, "by": "hanako",
     "reason": "entered again", "at": SIGNED_AT},
    {"v": 1, "kind": "resolution", "id": "r2", "of": "notice/CARD-V1", "version": 2, "by": ["hanako", "taro"],
     "evidence_ref": "scan-1", "at": SIGNED_AT},
    staff.person("mallory", ["manager"]),
    staff.person("kenji", ["manager"]),
    staff.person("hanako", keys=[{"id": "k1", "method": "key", "public": staff.key("mallory").public}]),
    staff.person("console", ["console"]),
]  # fmt: skip
SIGNERS = ("kenji", "yuki", "ami", "mallory", "console")
BY_OTHERS = ("hanako", "taro", "kenji", "yuki")


def steps() -> st.SearchStrategy[Any]:
    """Returns records and acts of everybody but the managers, with copies and time between them."""
    who = st.none() | st.sampled_from(SIGNERS)
    record = st.tuples(st.just("record"), st.integers(0, len(RECORDS) - 1), st.lists(who, max_size=2), st.booleans())
    kinds = st.sampled_from(("release", "approve", "redecide", "ask", "undo"))
    act = st.tuples(st.just("act"), kinds, st.sampled_from(BY_OTHERS), who)
    other = st.sampled_from((("copy",), ("later",), ("offer",)))
    return st.lists(record | record | act | other, min_size=3, max_size=12)


def forged(name: str, value: bytes, signer: str, *, as_manager: bool, number: int) -> staff.Line:
    """A signature by somebody, in the own name or in that of a manager."""
    made = signatures.of_reference(name, value, staff.key(signer), origin=staff.ORIGIN, at=SIGNED_AT, id_=f"f-{number}")
    if as_manager:
        said = orjson.loads(made) | {"by": "hanako"}
        text = signatures.message(said, origin=staff.ORIGIN, subject=name)
        made = canonical({**said, "sig": signatures.b64encode(staff.key(signer).sign(text)).decode()})
    return f"signature/f-{number}", made


def take(gate: Gate, step: Any, number: int) -> None:
    """Does one step."""
    if step[0] == "record":
        name, value = staff.line(RECORDS[step[1]])
        signers = [one for one in step[2] if one]
        signatures = [
            forged(name, value, one, as_manager=step[3], number=100 * number + place)
            for place, one in enumerate(signers)
        ]
        gate.write((name, value), *signatures)
    elif step[0] == "act" and gate.review:
        _, kind, person, signer = step
        said = invented.item_act(
            kind, gate.told(), by=person, act_id=f"a-{number}", at=SIGNED_AT, evidence_ref="scan-1"
        )
        gate.sign = lambda record: [staff.over(record.value or b"", at=SIGNED_AT, signer=signer)] if signer else []
        gate.judged(said)
    elif step[0] == "copy":
        gate.write(*gate.signed)
    elif step[0] == "later":
        gate.at += TEN_MINUTES // 3


def went_out(gate: Gate) -> bool:
    return bool(gate.outputs.get("cleared"))


@pytest.mark.parametrize("name", sorted(WITHHELD))
def test_managers_sign_then_the_piece_goes_out(name: str) -> None:
    """Each case is withheld for what a manager alone changes; so the property below can fail."""
    gate = Gate(WITHHELD[name])
    assert not gate.offered()
    gate.write(*staff.signed(gate.case.freed_by, "hanako", at=SIGNED_AT))
    assert gate.offered()


@pytest.mark.parametrize("name", sorted(WITHHELD))
@given(made=steps())
def test_everybody_but_the_managers_writes_then_nothing_withheld_goes_out(name: str, made: list[Any]) -> None:
    gate = Gate(WITHHELD[name])
    if name == "batch":  # a manager once let it go and froze it again: others may copy what freed it
        gate.signed = staff.signed(gate.case.freed_by, "hanako", at=SIGNED_AT, ids=["once"])
        frozen = {**gate.case.freed_by, "state": "quarantined"}
        gate.write(*gate.signed, *staff.signed(frozen, "hanako", at=SIGNED_AT, ids=["again"]))
    assert not gate.offered()
    for number, step in enumerate(made):
        take(gate, step, number)
        gate.offered()
    assert not went_out(gate)
