"""Person page, letter, explanation and audit records tell one history: each event at its instant, and the state once.

What the pages say is compared with `results`, `cleared` and `recalls`, from which they are not made.
"""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import Any

import orjson
from hypothesis import example, given
from hypothesis import strategies as st

from gatekeeper.audit.explanation.placed_record import PlacedRecord, pieces
from gatekeeper.audit.explanation.reference_signers import ReferenceSigners
from gatekeeper.console.inquiries import PieceHistory, by_time, worded
from gatekeeper.console.reference_view import Registered
from gatekeeper.ground.texts import text
from gatekeeper.ground.times import clock
from gatekeeper.knowledge.reference_log import ReferenceLog
from gatekeeper.knowledge.store import FactStore
from gatekeeper.management.policy_change import KnownPolicies
from schemas.topics import DAY_MS
from streams.operations.endorsement import Endorsed
from tests.support import invented, people
from tests.support.desk import TWO, YOUNG
from tests.support.records import Recorded, named
from tests.support.watched import REVIEWER_ACTS

ZONE = "Asia/Tokyo"
OF_RESULT = {"cleared": "cleared", "handed_off": "handed", "recalled": "recalled", "withheld": "withheld"}
"""The act's outcome that a result's outcome belongs to."""


def steps() -> st.SearchStrategy[Any]:
    """Returns what may happen to pieces of one person: sends of two campaigns, acts, facts, hand-offs and days."""
    facts = (people.nos() | people.givens()).map(lambda fact: ("fact", fact))
    others = st.sampled_from(("send", "send", "send 2", "weigh", "handoff", "more", "cancel", "days", "wait"))
    return st.lists(REVIEWER_ACTS | facts | others.map(lambda one: (one,)), min_size=4, max_size=16)


def known() -> st.SearchStrategy[tuple[list[invented.Event], dict[str, Any]]]:
    """Returns people, with a send of theirs."""
    usual = st.sampled_from(([invented.source(), invented.consent()], list(YOUNG), list(TWO), [invented.source()]))
    of_usual = st.tuples(usual, st.just(invented.send()))
    # of mail that is owed, each event goes out: several live clearances of one campaign are right there (rule 7.3.16)
    sends = people.sends().filter(lambda send: send["message_class"] != "safety_legal")
    return of_usual | of_usual | of_usual | st.tuples(people.people(), sends)


def told(case: Any, done: Any) -> Recorded:
    """Returns the desk after a history, in which no two things happen at one instant."""
    facts, send = case
    desk = Recorded(*[event for event in facts if event[0] != "acts"])
    desk.send(send)
    for number, step in enumerate(done):
        desk.at += 61_000
        kind = step[0]
        if kind == "fact":
            desk.learn(step[1])
        elif kind in ("send", "send 2"):
            more = {} if kind == "send" else {"campaign_id": "K-2"}
            desk.send({**send, "event_id": f"E-{number}", **more})
        elif kind == "weigh":
            desk.weigh()
        elif kind == "wait":
            desk.reconsider()
        elif kind == "days":
            desk.at += 5 * DAY_MS
        elif kind in ("handoff", "more", "cancel"):
            again = {"again": True} if kind == "more" else {}
            desk.campaign("cancel" if kind == "cancel" else "handoff", act_id=f"c-{number}", **again)
        elif desk.review:
            kind, item, by, evidence, bulk = step
            act = invented.item_act(
                kind, desk.told(item % len(desk.review)), by=by, evidence_ref=evidence, act_id=f"a-{number}"
            )
            desk.judged(invented.bare(act | {"bulk": bulk} if kind == "release" else act))
    return desk


def registered() -> Registered:
    signers = ReferenceSigners([], "mail.gatekeeper", {}.get)
    return Registered(Endorsed(ReferenceLog("g")), KnownPolicies(FactStore("g")), signers, named().references)


def fates(desk: Recorded) -> tuple[dict[str, str], set[str], set[str], set[str]]:
    """Returns the outcomes of results by decision id, and the decision ids cleared, called back and handed off."""
    results = [orjson.loads(one.value or b"") for one in desk.outputs.get("results", ())]
    cleared = {dict(one.headers)["gate-decision-id"].decode() for one in desk.outputs.get("cleared", ())}
    recalled = {orjson.loads(one.value or b"")["decision_id"] for one in desk.outputs.get("recalls", ())}
    handed = {one["replaces"]["decision_id"] for one in results if one["outcome"] == "handed_off"}
    return {one["decision_id"]: one["outcome"] for one in results}, cleared, recalled, handed


def say(key: str) -> str:
    return text(f"explanation.{key}", "en")


CLEAR: Any = ([invented.source(), invented.consent()], invented.send())
HELD: Any = (list(YOUNG), invented.send())
RELEASE = ("release", 0, "hanako", "scan-9", 1)


@given(known(), steps())
@example(CLEAR, [("fact", invented.withdrawn("P-1")), ("weigh",)])  # cleared, and called back two minutes later
@example(CLEAR, [("handoff",), ("send",), ("fact", invented.withdrawn("P-1")), ("weigh",)])
@example(CLEAR, [("send",)])  # a copy is withheld
@example(HELD, [("send",), RELEASE, ("redecide", 1, "taro", None, None), ("undo", 0, "hanako", None, None)])
def test_any_history_then_each_event_is_at_its_own_instant_and_the_state_told_once(case: Any, done: Any) -> None:
    desk = told(case, done)
    records = [orjson.loads(value) for value in desk.values]
    outcomes, cleared, recalled, handed = fates(desk)
    placed = [PlacedRecord(record, 3) for record in records]
    found = worded(placed, registered(), lang="en", zone=ZONE, today=date(2026, 11, 28))
    grouped = {piece[0].did: [one.record for one in piece] for piece in pieces(placed)}
    assert Counter(chapter.did for one in found for chapter in one.chapters) == Counter(one["did"] for one in records)
    for history in found:
        piece = grouped[history.first.did]
        order = [next(n for n, one in enumerate(records) if one["did"] == each["did"]) for each in piece]
        assert order == sorted(order), "in the order of the log"
        lines(history, piece, outcomes)
        dids = {one["did"] for one in piece}
        state(history, dids & cleared, recalled, handed)


def lines(history: PieceHistory, piece: list[dict[str, Any]], outcomes: dict[str, str]) -> None:
    """Each result has its line on the person page, at the instant of its record and with its own outcome."""
    shown = {(line.at, line.text.partition(": ")[2]) for line in history.lines("K")}
    assert len(shown) == len([*history.lines("K")]), "none twice"
    for record in piece:
        (said,) = [words for at, words in shown if at == record["at"]] or [""]
        outcome = outcomes.get(record["did"])
        if outcome is None:
            claims = [say(f"outcome_{one}") for one in ("cleared", "recalled")] + [say("verdict_clear")]
            assert not [one for one in claims if said.endswith(one)], "no result, no such claim"
            continue
        verdict = f"verdict_{record['verdict']}"
        words = {say(f"outcome_{OF_RESULT[outcome]}")} | (
            {say(verdict)} if outcome in ("cleared", "withheld") else set()
        )
        assert [one for one in words if said.endswith(one)], (outcome, said)
    shown_at = [at for at, _ in by_time([*history.lines("K")], ZONE)]
    assert shown_at == [clock(one["at"], ZONE) for one in piece if one["at"] in {at for at, _ in shown}]


def state(history: PieceHistory, cleared: set[str], recalled: set[str], handed: set[str]) -> None:
    """The state now is what `cleared`, `recalls` and the hand-offs left."""
    kind, live = history.state.kind, cleared - recalled
    assert len(live) <= 1
    assert (kind in ("cleared", "handed_off")) == bool(live), (kind, live)
    if live:
        assert (kind == "handed_off") == bool(live & handed)
    if kind in ("recalled", "recalled_late"):
        assert cleared
        assert cleared <= recalled
        newest = [one.did for one in history.chapters if one.did in cleared][-1]
        assert (kind == "recalled_late") == (newest in handed)
    made = next(one for one in history.chapters if one.did == history.state.did)
    assert history.state.at == made.instant
    assert made.at in history.now
