"""Records name a person by a pseudonym, whose key an erasure destroys."""

from __future__ import annotations

import base64
import hmac
from itertools import count

from gatekeeper.audit.records.pseudonym import Subject, Subjects
from gatekeeper.ground.mac import fingerprint
from gatekeeper.ledger import entries
from gatekeeper.ledger.head import Head
from gatekeeper.ledger.state import LedgerState
from schemas.audit import AuditRecord
from tests.support import invented
from tests.support.one_send import CLEAR, SEND_JUDGE, send_record

FIRST, SECOND = bytes(range(32)), bytes(range(32, 64))


def subjects(*masters: bytes) -> Subjects:
    numbers = count()
    return Subjects(dict(enumerate(masters, 1)), lambda size: next(numbers).to_bytes(size))


def known(one: Subjects, state: LedgerState, person: str = "P-1") -> Subject | None:
    """Names a person and remembers what is to be remembered, as a worker does."""
    who, salt = one.of(person, state)
    for entry in salt:
        state.salts.take(entry.key, entry.value)
    return who


def named(one: Subjects, state: LedgerState, person: str = "P-1") -> str | None:
    """Returns a person's name in records."""
    who = known(one, state, person)
    return who.names(None)[0] if who else None


def test_person_named_then_it_is_the_hmac_of_the_specification() -> None:
    state = LedgerState()
    who = known(subjects(FIRST), state)
    assert who is not None
    assert state.salts.of(b"P-1") == bytes(16) + b"1"
    key = hmac.digest(FIRST, bytes(16), "sha256")
    subj = base64.urlsafe_b64encode(hmac.digest(key, b"P-1", "sha256")).decode().rstrip("=")
    assert who.names(b"raw") == (f"s1_{subj}", hmac.digest(key, b"raw", "sha256").hex())


def test_master_key_rotated_then_the_known_keep_their_name_and_the_new_use_the_new() -> None:
    state = LedgerState()
    before = named(subjects(FIRST), state)
    rotated = subjects(FIRST, SECOND)
    assert named(rotated, state) == before
    named(rotated, state, "P-2")
    assert state.salts.masters == {1, 2}


def test_erased_then_nobody_is_named_and_readmitted_anew() -> None:
    one, state = subjects(FIRST), LedgerState()
    before = named(one, state)
    assert named(one, LedgerState()) != before, "a lost salt is not made again"
    state.put(entries.unsalted(b"P-1"))
    state.put(entries.erased("P-1", 5))
    assert (named(one, state), state.salts.masters) == (None, set())
    assert state.salts.erased_at("P-1") == 5
    state.put(entries.readmitted("P-1"))
    assert state.salts.erased_at("P-1") is None
    assert named(one, state) not in (None, before)


def test_a_salt_that_outlives_its_erasure_then_it_is_not_used_and_deleted_once() -> None:
    state = LedgerState()
    left = [entries.salt(name, 1, bytes(16)) for name in ("P-1", "P-2", "P-3")]
    for entry in (entries.erased("P-1", 5), entries.erased("P-3", 5), *left):
        state.put(entry)
    assert (state.salts.of(b"P-1"), state.salts.of(b"P-2")) == (None, bytes(16) + b"1")
    for gone in (b"P-1", b"P-3"):
        assert state.expiry.due(9, 1) == [entries.unsalted(gone)]
        state.put(entries.unsalted(gone))
    assert state.expiry.due(9, 1) == []


def test_decision_recorded_then_it_names_the_person_and_proves_the_bytes() -> None:
    state = LedgerState()
    one = send_record()
    found = SEND_JUDGE.judge(one, invented.store(*CLEAR), invented.T, ledger=state)
    for entry in found.entries:
        state.put(entry)
    who = known(invented.SUBJECTS, state)
    read = AuditRecord.model_validate_json(found.audit)
    assert who is not None
    assert (read.subj, read.in_mac) == who.names(one.value)
    unread = AuditRecord.model_validate_json(
        SEND_JUDGE.judge(send_record(b"x"), invented.store(), invented.T, ledger=state).audit
    )
    assert (unread.subj, unread.in_mac) == (None, None), "nobody knows whom it is about"


def test_a_ledger_of_another_master_key_of_that_number_then_its_number_is_told() -> None:
    ours, others = {1: fingerprint(FIRST), 2: fingerprint(SECOND)}, {"1": fingerprint(FIRST), "2": fingerprint(FIRST)}
    head = Head.decode(Head(sends=0, masters=others).encode())
    assert head.other_master([1], ours) is None
    assert head.other_master([2, 1], ours) == 2


def test_a_ledger_judged_with_another_token_key_of_that_number_then_it_is_told() -> None:
    head = Head.decode(Head(sends=0, tokens={"1": fingerprint(FIRST, "token"), "3": "0" * 16}).encode())
    assert head.other_token({1: fingerprint(FIRST, "token"), 2: fingerprint(SECOND, "token")}) is None
    assert head.other_token({1: fingerprint(SECOND, "token")}) == 1
    assert fingerprint(FIRST, "token") != fingerprint(FIRST)
