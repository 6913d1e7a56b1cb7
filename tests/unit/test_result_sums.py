"""The sums over results say what the command counts from the audit, however the story of the sends goes."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatekeeper.management.campaign import Campaign
from gatekeeper.management.result_sums import MOST, ResultSums
from tests.support.desk import YOUNG, Desk
from tests.support.invented import consenting, withdrawn

STEPS = (
    *("send", "again", "young", "broken", "stray", "release", "undo", "redecide", "uphold", "withdraw"),
    *("handoff", "more", "cancel"),
)


def step(desk: Desk, number: int, name: str) -> None:
    """Lets one thing happen that changes what becomes of a send, or seems to."""
    if name in ("send", "again", "young"):
        person = {"send": f"P-{number % 3 + 2}", "again": "P-2", "young": "P-1"}[name]
        desk.send(recipient_id=person, event_id=f"E-{number}")
    elif name == "broken":
        desk.send(controller_id="nobody", event_id=f"E-{number}")
    elif name == "stray":
        desk.send({"v": 1})
    elif name in ("release", "undo", "redecide", "uphold"):
        for item in range(len(desk.review)):
            desk.act(name, item=item)
    elif name == "withdraw":
        desk.learn(withdrawn("P-3"))
        desk.weigh()
    else:
        kind = "cancel" if name == "cancel" else "handoff"
        desk.campaign(kind, act_id=f"act-{number}", **({"again": True} if name == "more" else {}))


@settings(max_examples=30)
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
        counted.result(output.value)
    for offset, output in enumerate(desk.outputs.get("results", ())):
        sums.take(output.value, partition=0, offset=offset)
    found = sums.of("K-1")
    assert found is not None
    assert not found.incomplete
    assert found.counts("K-1", undecided=0, stray=sums.stray).told() == counted.counts().told() | wanted(counted)
    assert sum(found.verdicts.values()) - found.copies <= counted.decided


def wanted(counted: Campaign) -> dict[str, object]:
    told = counted.counts().told()
    done = counted.decided > 0 and not told["waiting_for_hand_off"] and not told["refused"]
    return {"expected": counted.decided + counted.refused.total(), "done": done}


def taken(*results: dict[str, Any], most: int = MOST) -> ResultSums:
    """The sums over results, given as what differs from a clear send of C1 in K-1; each is on partition 0."""
    sums = ResultSums(most)
    usual = {"outcome": "cleared", "campaign_id": "K-1", "controller_id": "C1", "verdict": "clear", "send": "sends/0/1"}
    for offset, more in enumerate(results):
        said = {name: value for name, value in {**usual, **more}.items() if value is not None}
        sums.take(orjson.dumps(said), partition=0, offset=offset)
    return sums


def told(sums: ResultSums, expected: int | None = None, controllers: Collection[str] | None = None) -> dict[str, Any]:
    found = sums.of("K-1", controllers)
    assert found is not None
    return {**found.counts("K-1", undecided=0).told(expected), "incomplete": found.incomplete}


WITHHELD = {"outcome": "withheld", "verdict": "hold", "primary": "A"}
HANDED = {"outcome": "handed_off", "send": None, "replaces": {"outcome": "cleared"}}


def test_sends_of_two_controllers_then_each_is_counted_for_whom_it_may_be_told() -> None:
    sums = taken({}, {**WITHHELD, "controller_id": "C2"}, {})
    assert told(sums)["decided"] == 3
    own = told(sums, controllers=("C1",))
    assert (own["decided"], own["cleared"], own["withheld"]) == (2, 2, 0)
    assert told(sums, controllers=())["decided"] == 0
    spans = {who: sums.of("K-1", who).spans for who in (None, ("C1",), ("C2",), ())}  # type: ignore[union-attr]
    assert spans == {None: {0: (0, 3)}, ("C1",): {0: (0, 3)}, ("C2",): {0: (1, 2)}, (): {}}
    other = sums.of("K-2")
    assert other is not None
    assert other.counts("K-2", undecided=0).told()["done"] is False


@pytest.mark.parametrize("results", [(HANDED,), ({}, HANDED, HANDED), ({"controller_id": "C2"}, {}, HANDED, HANDED)])
def test_the_result_of_a_send_is_no_longer_kept_then_its_campaign_is_incomplete(results: Any) -> None:
    assert told(taken(*results))["incomplete"] is True


def test_more_campaigns_than_are_kept_then_the_oldest_written_are_told_as_forgotten() -> None:
    sums = taken(*({"campaign_id": name} for name in ("K-1", "K-2", "K-1", "K-3")), most=2)
    assert [sums.of(name) is None for name in ("K-1", "K-2", "K-3", "unheard-of")] == [False, True, False, False]
    assert sums.of("K-2", ("C1",)) is None
    assert sums.of("K-2", ("C2",)) is not None, "whether others have such a campaign is nobody's business"
