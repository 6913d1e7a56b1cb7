"""The privacy manager's acts in the read model: done once the worker says so, and without the person."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson
import pytest

from gatekeeper.console import given_reasons
from gatekeeper.index import act_log, items
from gatekeeper.index.act_log import Answered
from gatekeeper.index.model import Model
from gatekeeper.review.review_item import ActProof
from schemas.record import Record
from tests.support import invented

AT = "2026-11-24T01:00:00.000Z"
ACT = {"v": 1, "kind": "suspend", "act_id": "a1", "at": AT, "by": "taro", "reason": "incident 7"}
SUSPENDED = {**ACT, "subject": "controller/midori"}


@pytest.fixture
def model(tmp_path: Path) -> Model:
    return Model(tmp_path, (items.PART, act_log.PART), zone="Asia/Tokyo")


def record(topic: str, value: Any, place: int = 0) -> Record:
    return Record(topic, 0, place, invented.T, None, value if isinstance(value, bytes) else orjson.dumps(value), ())


def answer(act: dict[str, Any], outcome: str = "recorded") -> dict[str, Any]:
    told = {"act_id": act["act_id"], "kind": act["kind"], "by": act["by"], "item": None, "outcome": outcome}
    return {"did": "D", "mode": "live", "verdict": None, "reasons": [], "act": told}


PROOF = ActProof("taro", "k1", "vouched", "console", "password")


@pytest.mark.parametrize("answered_first", [False, True])
def test_an_act_then_it_waits_until_the_worker_has_answered(model: Model, answered_first: bool) -> None:
    done = answer(SUSPENDED)
    done["act"]["signed"] = [{**asdict(PROOF), "sig": "AAAA", "subject": "suspend/controller/midori"}]
    both = [record("acts", SUSPENDED), record("audit", done)]
    if not answered_first:
        model.take(both[:1])
        with model.read() as db:
            assert act_log.answered(db, "a1") == Answered(written=True)
            assert act_log.answered(db, "a2") == Answered(written=False)
    for one in reversed(both) if answered_first else both:
        model.take([one])
    with model.read() as db:
        assert act_log.answered(db, "a1") == Answered(written=True, outcome="recorded", signed=PROOF)
        (act,) = act_log.recent(db, most=5)
        dump, places = "\n".join(db.iterdump()), given_reasons.places(db, ["a1", "a2"])
    assert (act.kind, act.subject, act.by, act.outcome) == ("suspend", "controller/midori", ("taro",), "recorded")
    assert (places, "incident 7" in dump) == ({"a1": (0, 0)}, False)


def test_an_erasure_then_the_model_does_not_hold_whom_it_was_about(model: Model) -> None:
    act = {**ACT, "kind": "erase", "recipient_id": "R-secret"}
    model.take([record("acts", act), record("audit", answer(act)), record("audit", answer(act), 1)])
    with model.read() as db:
        (told,) = act_log.recent(db, most=5, facts_only=True)
        dump = "\n".join(db.iterdump())
    assert (told.subject, told.item, told.outcome) == (None, None, "recorded")
    assert "R-secret" not in dump
