"""The results of a send: one for each change of what becomes of it, and nobody's name in any."""

from __future__ import annotations

import orjson
import pytest

from gatekeeper.audit.checks.accounts import resulted
from schemas.codec import decode
from schemas.events import Result
from tests.support.desk import YOUNG, Desk
from tests.support.invented import consenting


def results(desk: Desk) -> list[Result]:
    """Returns the results so far, each read as others read it, and held against its audit record."""
    found = [decode("results", one.key, one.value) for one in desk.outputs.get("results", ())]
    named = [dict(one.headers)["gate-decision-id"].decode() for one in desk.outputs.get("results", ())]
    assert named == [one.decision_id for one in found]
    assert named == [judged.did for judged in desk.all if resulted(orjson.loads(judged.audit))]
    return found


def told(desk: Desk) -> list[tuple[str, str | None, str | None]]:
    """Returns of each result its outcome, and the outcome and reason that it replaces."""
    return [
        (one.outcome, one.replaces.outcome if one.replaces else None, one.replaces.primary if one.replaces else None)
        for one in results(desk)
    ]


def test_send_that_is_decided_then_its_result_has_codes_and_place_alone() -> None:
    desk = Desk(*consenting("P-1"))
    desk.send(recipient_id="P-1", event_id="E-1")
    desk.send(recipient_id="P-2", event_id="E-2")
    cleared, withheld = (orjson.loads(one.value or b"") for one in desk.outputs["results"])
    at = {name: cleared[name] for name in ("at", "decision_id")}
    scope = {"campaign_id": "K-1", "controller_id": "C1"}
    assert cleared == {
        "v": 1, "event_id": "E-1", **scope, "outcome": "cleared", "verdict": "clear", "send": "sends/3/1", **at,
    }  # fmt: skip
    assert (withheld["outcome"], withheld["primary"]) == ("withheld", "SOURCE_UNKNOWN")
    assert withheld["reasons"] == [reason.code for reason in desk.records[-1].reasons]
    assert [one.key for one in desk.outputs["results"]] == [b"E-1", b"E-2"]
    assert not any(b"P-" in (one.value or b"") for one in desk.outputs["results"]), "the person's id"


def test_item_released_and_taken_back_and_judged_again_then_each_step_has_a_result() -> None:
    desk = Desk(*YOUNG)
    desk.send()
    assert desk.act("release") == ("cleared", None)
    assert desk.act("undo") == ("recalled", None)
    assert desk.act("redecide", item=0) == ("withheld", None)
    assert told(desk) == [
        ("withheld", None, None),
        ("cleared", "withheld", "AGE_UNCERTAIN"),
        ("recalled", "cleared", None),
        ("withheld", None, None),
    ]
    assert [one.send for one in results(desk)] == ["sends/3/1", None, None, None]
    assert {one.event_id for one in results(desk)} == {"E-1"}


TRACE = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_a_send_with_a_trace_then_its_results_and_a_release_of_it_have_it() -> None:
    desk = Desk(*YOUNG)
    desk.send(headers=(("traceparent", TRACE), ("shop", b"7")))
    desk.send({"v": 1}, headers=(("traceparent", TRACE),))
    desk.act("release")
    topics = ("review", "cleared", "results", "deadletter")
    found = [[dict(one.headers).get("traceparent") for one in desk.outputs[topic]] for topic in topics]
    assert found == [[TRACE], [TRACE], [TRACE] * 3, [None]]
    assert all("shop" not in dict(one.headers) for one in desk.outputs["results"])


@pytest.mark.parametrize("values", [[TRACE + b"0"], [b"narumi"], [b"00-" + b"0" * 32 + TRACE[35:]], [TRACE, TRACE]])
def test_a_trace_that_is_not_well_formed_then_its_result_has_none(values: list[bytes]) -> None:
    desk = Desk(*YOUNG)
    desk.send(headers=tuple(("traceparent", value) for value in values))
    (result,) = desk.outputs["results"]
    assert [name for name, _ in result.headers] == ["gate-decision-id"]
