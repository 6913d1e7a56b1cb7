"""A clearance judged again: what stands stays, what falls is called back once, and what nobody can tell waits."""

from __future__ import annotations

import msgspec
import orjson
import pytest

from gatekeeper.engine.recalls import weighed
from schemas.events import Delivery, Recall, Send
from schemas.topics import DAY_MS
from tests.support import invented
from tests.support.desk import YOUNG, Desk
from tests.support.facts import fact

NO = invented.consent(
    record_id="R-9", state="Withdrawn", purpose="*", channels="*", notice_id=None, event_time="2026-11-24"
)


@pytest.fixture
def desk() -> Desk:
    found = Desk(invented.source(batch_id="B-1"), invented.consent())
    assert found.send().verdict == "clear"
    return found


def test_withdrawn_then_one_recall_with_its_record_and_the_key_is_judged_afresh(desk: Desk) -> None:
    cleared = desk.records[-1]
    desk.learn(NO)
    (judged,) = desk.weigh()
    (output,) = judged.outputs
    recall = Recall.model_validate_json(output.value or b"")
    assert (recall.decision_id, recall.reasons, recall.event_id) == (cleared.did, ("CONSENT_WITHDRAWN",), "E-1")
    record = desk.records[-1]
    assert (record.stage, record.verdict, record.clearance, record.src) == ("recall", "block", cleared.did, cleared.src)
    assert dict(output.headers)["gate-decision-id"] == record.did.encode()
    assert record.did != cleared.did
    assert desk.weigh() == []
    assert desk.send().codes == ("CONSENT_WITHDRAWN",)


def test_weighed_twice_from_the_same_clearance_then_it_is_the_same_recall(desk: Desk) -> None:
    desk.learn(NO)
    (clearance,) = desk.state.clearances(desk.at)
    first, later = (weighed(msgspec.structs.replace(desk.now, at=desk.at + more), clearance) for more in (0, 5_000))
    assert first is not None
    assert later is not None
    assert first.did == later.did
    ids = {orjson.loads(one.outputs[0].value or b"")["recall_id"] for one in (first, later)}
    assert len(ids) == 1


def test_a_stop_of_the_name_with_another_honorific_then_it_calls_back(desk: Desk) -> None:
    place = invented.written("cp-1")
    row = {**place, "name": f"{place['name']}さん"}
    desk.learn(invented.suppression(written=row))
    found = invented.TOKENS.of("postal", Delivery.model_validate_json(orjson.dumps(row)))
    assert found is not None
    assert desk.state.tokens("P-1") >= {found.token.encode()}, "the queue looks at the person"
    (judged,) = desk.weigh()
    assert orjson.loads(judged.outputs[0].value or b"")["reasons"] == ["SUBJECT_OBJECTED"]


def test_a_stop_that_may_be_meant_then_it_calls_back_as_a_person_must_look(desk: Desk) -> None:
    topic, stop = invented.suppression(token="t-9", readings=[{"token": invented.token("cp-1"), "score": 800}])
    desk.learn((topic, stop))
    assert len(desk.weigh()) == 1
    assert (desk.records[-1].stage, desk.records[-1].verdict) == ("recall", "review")


def test_released_then_a_no_calls_it_back_and_the_release_is_gone() -> None:
    desk = Desk(*YOUNG)
    desk.send()
    assert desk.act("release") == ("cleared", None)
    assert desk.weigh() == []
    desk.learn(NO)
    (judged,) = desk.weigh()
    assert "RELEASE_SUPERSEDED" in orjson.loads(judged.outputs[0].value or b"")["reasons"]
    send = Send.model_validate_json(orjson.dumps(invented.send()))
    assert desk.state.about(send, desk.at).releases == b""


@pytest.mark.parametrize(
    ("topic", "key", "recalls"),
    [
        *(("consents", b"P-1", 1), ("suppressions", invented.token("cp-1").encode(), 1)),
        *(("reference", b"controller/C1", 0), ("reference", b"policy/jp-pmark", 0)),
    ],
)
def test_a_record_that_cannot_be_read_then_only_one_about_the_person_calls_back(
    desk: Desk, topic: str, key: bytes, recalls: int
) -> None:
    assert desk.store.apply(fact(topic, 0, 99, key, b"{"))
    assert len(desk.weigh()) == recalls
    assert desk.send(campaign_id="K-2").verdict == ("block" if recalls else "clear")


def test_facts_that_come_late_then_nothing_is_called_back(desk: Desk) -> None:
    desk.learn(NO)
    (clearance,) = desk.state.clearances(desk.at)
    assert weighed(msgspec.structs.replace(desk.now, as_of=desk.at - DAY_MS), clearance) is None


def test_a_defect_of_ours_then_it_is_called_back_and_counted(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gatekeeper.engine.evaluation.decide", lambda *_, **__: 1 // 0)
    (judged,) = desk.weigh()
    assert judged.failed
    assert desk.records[-1].reasons[0].code == "DECISION_FAILED"
