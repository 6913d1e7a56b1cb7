"""The sums over results say what the command counts from the audit, however the story of the sends goes."""

from __future__ import annotations

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from gatekeeper.office.campaign import Campaign
from gatekeeper.office.result_sums import ResultSums
from tests.support.desk import YOUNG, Desk
from tests.support.invented import consenting, withdrawn

STEPS = ("send", "again", "young", "release", "undo", "redecide", "uphold", "withdraw", "handoff", "more", "cancel")


def step(desk: Desk, number: int, name: str) -> None:
    """Lets one thing happen that changes what becomes of a send, or seems to."""
    if name in ("send", "again", "young"):
        person = {"send": f"P-{number % 3 + 2}", "again": "P-2", "young": "P-1"}[name]
        desk.send(recipient_id=person, event_id=f"E-{number}")
    elif name in ("release", "undo", "redecide", "uphold"):
        for item in range(len(desk.review)):
            desk.act(name, item=item)
    elif name == "withdraw":
        desk.learn(withdrawn("P-3"))
        desk.weigh()
    else:
        kind = "cancel" if name == "cancel" else "handoff"
        desk.campaign(kind, act_id=f"act-{number}", **({"again": True} if name == "more" else {}))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(STEPS), max_size=12))
def test_any_story_then_the_sums_are_what_the_command_counts(names: list[str]) -> None:
    desk = Desk(*consenting("P-2"), *consenting("P-3"), *YOUNG)
    for number, name in enumerate(names):
        step(desk, number, name)
    counted, sums = Campaign("K-1"), ResultSums()
    for record in desk.records:
        counted.audit(orjson.dumps(record.model_dump(mode="json", by_alias=True)))
    for output in desk.outputs.get("recalls", ()):
        counted.recall(output.value)
    for output in desk.outputs.get("results", ()):
        assert sums.take(output.value) == "K-1"
    assert sums.of("K-1").counts("K-1", published=7).told() == {**counted.counts().told(), **wanted(counted, 7)}


def wanted(counted: Campaign, published: int) -> dict[str, object]:
    told = {**counted.counts().told(expected=None), "expected": max(published, counted.decided)}
    return {**told, "done": 0 < told["expected"] <= counted.decided and not told["waiting_for_hand_off"]}


def test_sends_of_two_controllers_then_each_is_counted_for_whom_it_may_be_told() -> None:
    sums = ResultSums()
    for controller, outcome in (("C1", "cleared"), ("C2", "withheld")):
        said = {"outcome": outcome, "campaign_id": "K-1", "controller_id": controller, "verdict": "v", "primary": "A"}
        sums.take(orjson.dumps({**said, "send": "sends/0/1"}))
    assert sums.of("K-1").counts("K-1", published=0).decided == 2
    own = sums.of("K-1", ("C1",)).counts("K-1", published=0)
    assert (own.decided, own.cleared, own.withheld) == (1, 1, {})
    assert sums.of("K-1", ()).counts("K-1", published=0).decided == 0
    assert sums.of("K-2").counts("K-2", published=0).told()["done"] is False


def test_records_that_are_no_results_of_a_campaign_then_nothing_is_counted() -> None:
    sums, shadow = ResultSums(), {"outcome": "withheld", "campaign_id": "K-1", "mode": "shadow"}
    for value in (None, b"", b"{", b"[]", b'{"outcome":"withheld"}', orjson.dumps(shadow)):
        assert sums.take(value) is None
