"""The properties of the domain that hold for every person (§4, P1 to P8 as far as the rules go)."""

from __future__ import annotations

from typing import Any

import orjson
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.audit.records.releases import RULES
from gatekeeper.deciding.answer import answer
from gatekeeper.deciding.decide import Decision
from gatekeeper.deciding.facts import Facts
from gatekeeper.deciding.snapshot import read_snapshot
from gatekeeper.engine.judged import Judged
from gatekeeper.engine.sends import Judge
from gatekeeper.identity import printed
from gatekeeper.knowledge.store import FactStore
from gatekeeper.policy.packs import load
from gatekeeper.policy.reasons import CATALOGUE, VERDICTS
from schemas.audit import AuditRecord
from schemas.codec import canonical
from schemas.decision import Decision as Printed
from schemas.events import Send
from schemas.record import Record
from tests.support import invented, people
from tests.support.facts import fact
from tests.support.invented import decide

POLICY = load("jp-pmark")
CLEAR = [invented.source(), invented.consent(event_time="2023-01-01")]
"""A person to whom an ordinary send is clear."""
JUDGE = Judge(POLICY, 8, tokens=invented.TOKENS, judge_misplaced=True)


def read(send: dict[str, Any]) -> Send:
    return Send.model_validate_json(orjson.dumps(send))


def viewed(store: FactStore, send: Send) -> Facts:
    return store.view(send, printed(invented.TOKENS, send), **invented.NOW)


def decided(facts: list[invented.Event], send: dict[str, Any] | None = None) -> Decision:
    store, one = invented.store(*facts), read(send or invented.send())
    return decide(one, viewed(store, one), store.reference, POLICY, invented.T)


def judged(facts: list[invented.Event], send: dict[str, Any]) -> tuple[Judged, FactStore]:
    store = invented.store(*facts)
    record = Record("mail.sends.v1", 0, 7, invented.T, None, orjson.dumps(send))
    return JUDGE.judge(record, store, invented.T), store


@given(people.people(), people.sends(), st.randoms(use_true_random=False))
def test_events_in_any_order_and_number_then_the_same_record(facts: Any, send: Any, rng: Any) -> None:
    first, _ = judged(facts, send)
    again = [*facts, *rng.choices(facts, k=len(facts))] if facts else []
    rng.shuffle(again)
    second, _ = judged(again, send)
    assert first.audit == second.audit


@given(people.people(), people.sends())
def test_birth_dates_on_file_then_no_record_holds_one_and_replay_finds_the_same(facts: Any, send: Any) -> None:
    found, _ = judged(facts, send)
    for born in people.BIRTHS:
        assert f'"{born}"'.encode() not in found.audit
    assert b"birth" not in found.audit
    one = read(send)
    before = viewed(invented.store(*facts), one)
    after = read_snapshot(before.snapshot)
    assert after.ages == before.ages
    reference = invented.store(*facts).reference
    assert decide(one, after, reference, POLICY, invented.T) == decide(one, before, reference, POLICY, invented.T)


@given(people.people(), people.sends(), people.nos())
def test_no_added_then_nothing_becomes_clear(facts: Any, send: Any, no: Any) -> None:
    if decided(facts, send).verdict != "clear":
        assert decided([*facts, no], send).verdict != "clear"


@given(people.people(), people.sends(), people.other_ids(), st.randoms(use_true_random=False))
def test_facts_of_another_id_then_no_order_matters_and_nothing_becomes_clear(
    facts: Any, send: Any, others: Any, rng: Any
) -> None:
    before, together = decided(facts, send), [*facts, *others]
    first, store = judged(together, send)
    assert before.verdict == "clear" or first.verdict != "clear"
    rng.shuffle(together)
    assert judged([*together, *others], send)[0].audit == first.audit
    facts_seen = viewed(store, read(send))
    assert read_snapshot(facts_seen.snapshot) == facts_seen
    assert b"P-2" not in first.audit


@given(people.people(), st.sampled_from(people.BESIDE))
def test_text_beside_one_address_then_nothing_is_cleared_without_a_release(facts: Any, beside: Any) -> None:
    home = {"id": "cp-1", "written": people.HOME}
    own = [invented.source(source_id="S-9", contact_points=[home]), invented.consent(record_id="R-9")]
    unreleased = [*own, *(event for event in facts if event[0] != "acts")]
    assert decided(unreleased, invented.send(delivery=beside)).verdict != "clear"


@given(people.people(), people.sends(), st.lists(people.released(), min_size=1, max_size=4))
def test_hard_reason_then_no_release_makes_it_clear(facts: Any, send: Any, acts: Any) -> None:
    before = [event for event in facts if event[0] != "acts"]
    if any(CATALOGUE[code].severity == "HARD" for code in decided(before, send).codes):
        assert decided([*before, *acts], send).verdict != "clear"


@given(people.people(), people.sends().filter(lambda send: send["message_class"] != "safety_legal"))
def test_erased_just_now_then_no_mail_but_what_is_owed(facts: Any, send: Any) -> None:
    erased = invented.suppression(kind="erasure", suppression_id="ERASED", received_at="2026-11-24T09:59:00+09:00")
    known = [event for event in facts if not (event[0] == "sources" and event[1].get("acquired_at", "") > "2026-11-24")]
    assert decided([*known, erased], send).verdict != "clear"


@given(
    people.people(),
    st.sampled_from(("deceased", "erasure", "objection", "cessation", "refusal_returned", "external")),
    st.sampled_from(("safety_legal", "rights_reply")),
    st.sampled_from(("JP", "GB", None)),
)
def test_mail_that_is_owed_then_only_an_address_where_mail_comes_back_withholds_it(
    facts: Any, stop: Any, message_class: Any, country: Any
) -> None:
    request = invented.event(kind="request_received")
    stopped = [*facts, invented.suppression(kind=stop, suppression_id="STOP"), request]
    found = decided(stopped, invented.send(message_class=message_class, country=country))
    returned = any(value.get("kind") == "undeliverable" for _, value in facts)
    assert found.codes in ((), ("CONTACT_UNDELIVERABLE",)[: int(returned)])


@given(people.people(), people.sends(), st.sampled_from(("2023-01-01", "2024-05-01")))
def test_guardians_no_then_no_word_of_the_child_clears_marketing(facts: Any, send: Any, said: str) -> None:
    child = [invented.suppression(suppression_id="X-guardian", received_at=said, expressed_by="guardian")]
    later = invented.consent(record_id="R-later", event_time="2025-06-02", recorded_at="2025-06-03")
    for topic, value in (*facts, invented.source(source_id="S-later"), later):
        # fifteen since 2025-09-30: every past consent of these people is earlier
        born = {"birth_date": "2010-09-30"} if topic == "sources" else {}
        spoken = {"expressed_by": "subject"} if value.get("expressed_by") == "guardian" else {}
        child.append((topic, {**value, **born, **spoken}))
    assert decided(child, {**send, "message_class": "marketing"}).verdict != "clear"


@given(people.people(), people.sends())
def test_policy_tightened_then_nothing_becomes_clear(facts: Any, send: Any) -> None:
    store, one = invented.store(*facts), read(send)
    view = viewed(store, one)
    if decide(one, view, store.reference, load("jp-appi"), invented.T).verdict != "clear":
        assert decide(one, view, store.reference, POLICY, invented.T).verdict != "clear"


@given(people.ruled_people().filter(bool), st.lists(people.nos(), max_size=2), st.data())
def test_fact_removed_then_nothing_becomes_clear(facts: Any, nos: Any, data: Any) -> None:
    # excepted by the domain: a no, a warning, an invalidated form; two tales of one source are such a warning
    removed = data.draw(st.integers(0, len(facts) - 1))
    topic, value = facts[removed]
    twins = topic == "sources" and sum(v.get("source_id") == value["source_id"] for _, v in facts) > 1
    if decided([*facts, *nos]).verdict != "clear" and not twins and value.get("notice_id") != "PRETICKED":
        found = decided([*facts[:removed], *facts[removed + 1 :], *nos])
        assert found.verdict != "clear" or _contradicted(facts, value)


def _contradicted(facts: list[invented.Event], removed: dict[str, Any]) -> bool:
    """Returns whether the removed source spoke against an undated one, which is SOURCE_CONFLICT."""
    return "source_id" in removed and any("source_id" in v and "acquired_at" not in v for _, v in facts)


@given(people.ruled_people(), st.sampled_from(invented.REFERENCE))
def test_reference_removed_then_nothing_becomes_clear(facts: Any, removed: Any) -> None:
    one = read(invented.send())
    full = invented.store(*facts)
    less = invented.store(*facts, reference=[event for event in invented.REFERENCE if event is not removed])
    if decide(one, viewed(full, one), full.reference, POLICY, invented.T).verdict != "clear":
        warning = removed[1].get("id") in ("PRETICKED", "B-LEAK", "B-FROZEN", "T-FACE")
        assert warning or decide(one, viewed(less, one), less.reference, POLICY, invented.T).verdict != "clear"


@given(people.people(), people.sends())
def test_anything_judged_then_never_fails_and_is_well_formed(facts: Any, send: Any) -> None:
    found, store = judged(facts, send)
    record = AuditRecord.model_validate_json(found.audit)
    decision = decide(read(send), viewed(store, read(send)), store.reference, POLICY, invented.T)
    printed = Printed.model_validate_json(orjson.dumps(answer(decision)))

    assert not found.failed
    assert len(found.outputs) == 1
    assert record.engine.rules == RULES
    assert (record.verdict, tuple(r.code for r in record.reasons)) == (found.verdict, found.codes)
    assert found.codes == tuple(dict.fromkeys(found.codes)), "no reason twice"
    assert (found.verdict == "clear") == (found.codes == ())
    assert bool(record.obligations) == (found.verdict == "confirm" or (found.verdict == "clear" and _advertises(send)))
    worst = max((CATALOGUE[code].verdict for code in found.codes), key=VERDICTS.index, default="clear")
    # who may not even be asked is blocked, though no reason is HARD (rule 6.5)
    assert printed.verdict == worst or (worst, printed.verdict) == ("confirm", "block")
    assert all(reason.clause and reason.remedy and reason.ja and reason.en for reason in printed.reasons)


def _advertises(send: dict[str, Any]) -> bool:
    return send["message_class"] in ("marketing", "confirmation")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="ascii")), inner),
    max_leaves=20,
)


@given(JSON)
def test_any_value_encoded_then_is_rfc_8785(value: Any) -> None:
    assert canonical(value) == rfc8785.dumps(value)


@given(st.binary(max_size=200), st.none() | st.binary(max_size=40))
def test_any_bytes_then_are_one_dead_letter_or_one_fault(value: bytes, key: bytes | None) -> None:
    found = JUDGE.judge(Record("mail.sends.v1", 0, 7, -1, key, value), invented.store(), invented.T)
    assert (found.dead, found.failed, found.codes) == (True, False, ("EVENT_INVALID",))
    for topic in ("sources", "consents", "suppressions", "reference"):
        assert FactStore().apply(fact(topic, 0, 0, key, value))


@given(people.ruled_people(), st.sampled_from(("mkt.nowhere", "C-77")), people.unknown_nos())
def test_registered_after_the_refusal_by_one_manager_then_nothing_becomes_clear(facts: Any, id_: Any, no: Any) -> None:
    kind = invented.purpose if "." in id_ else invented.controller
    late = kind(id=id_, recorded_at="2026-11-24T10:00:01+09:00")
    assert decided([*CLEAR, *facts, no, late]).verdict == decided([*CLEAR, *facts, no]).verdict
