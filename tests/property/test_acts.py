"""Acts of reviewers, in any order, clear nothing in the person's place, and no piece goes out twice (P4)."""

from __future__ import annotations

from collections import Counter
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from schemas.events import Send
from schemas.topics import DAY_MS
from tests.support import invented, people
from tests.support.desk import JUDGE, TWO, YOUNG, Desk
from tests.support.invented import decide
from tests.support.watched import REVIEWER_ACTS


def steps() -> st.SearchStrategy[Any]:
    """Returns acts, with further facts, sends, hand-offs and days between them."""
    facts = (people.nos() | people.givens()).map(lambda fact: ("fact", fact))
    others = st.sampled_from((("send",), ("send",), ("weigh",), ("handoff",), ("cancel",), ("days",)))
    return st.lists(REVIEWER_ACTS | REVIEWER_ACTS | facts | others, min_size=6, max_size=16)


RELEASABLE = {
    "AGE_UNCERTAIN",
    "CREATIVE_PERSON_UNRELEASED",
    "JURISDICTION_UNKNOWN",
    "NAME_NEAR_STOP",
    "PRINT_UNACCOUNTED",
    "RELEASE_EXPIRED",
    "SOURCE_CONFLICT",
}
"""All that a reviewer may release by the law (domain rule 7.2.12); no reviewer stands in for the person."""


def forbidden(desk: Desk, send: dict[str, Any]) -> set[str]:
    """Returns the reasons against the send that no reviewer may release, whatever reviewers said."""
    one = Send.model_validate_json(orjson.dumps(send))
    asks = desk.state.about(one, desk.at).asks
    decision = decide(
        one, invented.view(desk.store, one, at=desk.at, asks=asks), desk.store.reference, JUDGE.packs, desk.at
    )
    return set(decision.codes) - RELEASABLE


def reviewable() -> st.SearchStrategy[tuple[list[invented.Event], dict[str, Any]]]:
    """Returns people and sends, most of which a reviewer may release or ask about."""
    unproven = [*TWO[:2], invented.consent(evidence_ref=None, notice_id=None)]
    unsaid = [invented.source(may_be_minor=True, purposes_told=["mkt.dm.own"])]
    known = st.sampled_from((list(YOUNG), list(YOUNG), list(TWO), unproven, unsaid, [invented.source()]))
    return st.tuples(known, st.just(invented.send())) | st.tuples(people.people(), people.sends())


@given(reviewable(), steps())
def test_any_acts_then_nothing_goes_out_in_the_persons_place_and_nothing_twice(case: Any, done: Any) -> None:
    facts, send = case
    desk = Desk(*[event for event in facts if event[0] != "acts"])
    desk.send(send)
    released: Counter[str] = Counter()
    for number, step in enumerate(done):
        desk.at += 60_000
        if step[0] == "fact":
            desk.learn(step[1])
        elif step[0] == "send":
            desk.send(send)
        elif step[0] == "weigh":
            desk.weigh()
        elif step[0] == "days":
            desk.at += 20 * DAY_MS
        elif step[0] in ("handoff", "cancel"):
            desk.campaign(step[0], act_id=f"{step[0]}-{number}")
        elif desk.review:
            kind, item, by, evidence, bulk = step
            told = desk.told(item % len(desk.review))
            never = forbidden(desk, send)
            standing = desk.state.standing(told["recipient_id"], told["decision_id"])
            act = invented.item_act(kind, told, by=by, evidence_ref=evidence, act_id=f"a-{number}")
            outcome, _ = desk.judged(invented.bare(act | {"bulk": bulk} if kind == "release" else act))
            assert outcome != "failed"
            if outcome == "cleared":
                assert not never
                assert kind != "release" or evidence is not None, "what a reviewer may release needs evidence"
                assert kind != "release" or bulk == 1, "what is above the threshold is one of two"
                assert kind != "approve" or (standing and standing.by != by)
                released[told["decision_id"]] += 1
        desk.check_ledger()  # and that one clearance of the key lives at most
    assert all(count == 1 for count in released.values())
