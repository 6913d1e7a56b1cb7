"""An erasure leaves the proof whole, and nothing of the person in it (P6)."""

from __future__ import annotations

import hashlib
import re
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.audit.tlog import merkle
from gatekeeper.engine.judged import Judged
from gatekeeper.engine.manifest import Taken, manifest
from gatekeeper.ground.times import instant
from gatekeeper.ledger.state import LedgerState
from schemas.audit import AuditRecord
from schemas.manifests import Manifest
from tests.support import canaries, invented, people
from tests.support.canaries import PEOPLE
from tests.support.desk import JUDGE, Desk

STEPS = ("send", "release", "uphold", "ask", "undo", "handoff", "cancel", "weigh", "erase", "readmit")
OF_ITEMS = ("release", "uphold", "ask", "undo")


def chained(judged: list[Judged]) -> list[bytes]:
    """Returns the manifests of transactions of one record each."""
    values: list[bytes] = []
    policy = JUDGE.packs.at(invented.T)
    for number, one in enumerate(judged):
        prev = hashlib.sha256(values[-1]).hexdigest() if values else None
        taken = [Taken("mail.sends.v1", number, number + 1, 1)]
        named: dict[str, Any] = {"writer": "w", "kid": "gk/worker+00000000", "partition": 3, "dead_facts": 0}
        named |= {"as_of": {}, "taken": taken, "prev": prev, "policy": policy, "t0": invented.T, "t1": invented.T}
        values.append(manifest(**named, judged=[one]))
    return values


def act(desk: Desk, kind: str) -> None:
    """Does one thing with the person that all is about."""
    if kind in ("erase", "readmit"):
        for by in ("hanako", "taro")[: 2 if kind == "readmit" else 1]:
            desk.at += 1000
            said = {"v": 1, "kind": kind, "act_id": f"{kind}-{desk.at}", "at": instant(desk.at), "by": by}
            desk.judged({**said, "recipient_id": "P-1", "reason": f"{PEOPLE[0]}"[:200]})
    elif kind in ("handoff", "cancel"):
        desk.campaign(kind, act_id=f"{kind}-{desk.at}-{len(desk.records)}")
    elif kind == "weigh":
        desk.weigh()
    elif desk.review:
        desk.act(kind, reason=PEOPLE[1]["name"], evidence_ref="form-1", act_id=f"{kind}-{len(desk.records)}")


@given(
    people.people(), st.lists(st.tuples(st.sampled_from(STEPS), people.sends(), st.sampled_from(PEOPLE)), max_size=8)
)
def test_erased_then_the_chain_is_valid_and_nothing_of_the_person_is_left(facts: Any, steps: Any) -> None:
    desk, gone = Desk(*facts), False
    for number, (step, sent, delivery) in enumerate(steps):
        gone = step == "erase" or (gone and step != "readmit")
        if step == "send":
            desk.send({**sent, "event_id": f"E-{number}", "delivery": delivery})
        elif step not in OF_ITEMS or not gone:  # a later act leaves the item's state: docs/reference/limits.md
            act(desk, step)
    before = [one.audit for one in desk.all]
    act(desk, "erase")
    desk.weigh()
    desk.send({**invented.send(), "event_id": "E-after", "delivery": PEOPLE[2]})
    assert [one.audit for one in desk.all][: len(before)] == before

    values, prev = chained(desk.all), None
    for value, one in zip(values, desk.all, strict=True):
        said = Manifest.model_validate_json(value)
        assert (said.root, said.prev) == (merkle.root([one.audit]).hex(), prev)
        prev = hashlib.sha256(value).hexdigest()
    left = {key: value for key, value in desk.ledger.items() if value and b"/P-1/" in key}
    assert [orjson.loads(value).keys() for key, value in left.items() if key.startswith(b"erased/")] == [
        {"at", "until", "v"}
    ]
    assert not [key for key in left if not key.startswith((b"erased/", b"clear/"))]
    written = b"\n".join([*values, *(one.audit for one in desk.all), *left, *left.values()])
    assert not canaries.found(written)
    told = b"".join(one.audit for one in desk.all) + b"".join(values)
    assert b"P-1" not in re.sub(rb'"s1_[\w-]{43}"', b"", told)  # a pseudonym is random, and may hold any three letters
    last = AuditRecord.model_validate_json(desk.all[-1].audit)
    assert (last.subj, last.in_mac) == (None, None)
    again = LedgerState()
    for key, value in left.items():
        again.take(key, value)
    assert again.salts.of(b"P-1") is None
