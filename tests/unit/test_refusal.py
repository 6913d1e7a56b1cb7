"""A refused partition as a person looks at it: from where it may go on, and what that skips."""

from __future__ import annotations

from typing import Any

from gatekeeper.ledger.head import Head
from gatekeeper.ledger.refused import Refused
from gatekeeper.ledger.resumption import fingerprint, resumption
from gatekeeper.management.refusal import InputTopic, KeptRange, Position, ProposedSkip, Refusal
from schemas.codec import encode
from schemas.record import Record

SENDS, ACTS = KeptRange(0, 400), KeptRange(0, 9)
HEAD = Head(sends=100, acts=7, prev="0" * 64)


def refusal(
    key: str,
    *,
    sends_log: KeptRange = SENDS,
    acts_log: KeptRange = ACTS,
    head: Head | None = HEAD,
    claimed: dict[str, int] | None = None,
    fresh: dict[InputTopic, int] | None = None,
    **values: Any,
) -> Refusal:
    raw = head.encode() if head else None
    logs: dict[InputTopic, KeptRange] = {"sends": sends_log, "acts": acts_log}
    return Refusal(2, Refused(key, values, 5), head, raw, logs, claimed or {}, fresh or {})


def test_sends_that_expired_then_it_goes_on_at_the_first_kept_and_says_what_is_gone() -> None:
    found = refusal("error.sends_expired", sends_log=KeptRange(250, 400), topic="mail.sends.v1")
    assert (found.topic, found.range, found.suggested) == ("sends", KeptRange(250, 400), 250)
    assert found.position(250) == Position(250, 7)
    assert found.skips(Position(250, 7)) == [ProposedSkip("sends", 100, 250)]


def test_its_act_then_the_worker_finds_in_it_what_the_person_meant() -> None:
    found = refusal("error.sends_expired", sends_log=KeptRange(250, 400), topic="mail.sends.v1")
    act = found.act(found.position(260), act_id="a-1", at="2026-11-27T10:00:00Z", by="pm-7", reason="asked again")
    record = Record("mail.acts.v1", 2, 9, 0, b"partition/2", encode(act))
    one = resumption(
        [(record, act)], partition=2, refused="error.sends_expired", head=HEAD.encode(), counts=lambda _: True
    )
    assert one is not None
    assert (one.sends, one.acts, one.by) == (260, 7, "pm-7")
    assert act.head == fingerprint(HEAD.encode(), "error.sends_expired")
