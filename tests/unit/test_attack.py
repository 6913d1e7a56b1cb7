"""An attack that succeeds is seen: an act that an attacker may not do."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.chaos.attack import let_go
from tests.chaos.checker import Seen


class Observed:
    """An observer who is told what it sees."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []

    def put(self, topic: str, **said: Any) -> None:
        value = {"reasons": [], **said}
        self.seen.append(Seen(topic, 0, len(self.seen), b"K", json.dumps(value).encode()))


def decision(offset: int) -> dict[str, Any]:
    return {"stage": "intake", "src": {"topic": "t.sends.v1", "partition": 0, "offset": offset}}


def act(**more: Any) -> dict[str, Any]:
    said = {"act_id": "stolen-1", "kind": "release", "by": "kenji", "outcome": "cleared", **more}
    return {"stage": "release", "src": {"topic": "t.acts.v1", "partition": 0, "offset": 0}, "act": said}


WRONG = {
    "another address": ("cleared", {"delivery": {"lines": ["a", "山田様方"]}, "message_class": "marketing"}),
    "a defect": ("audit", {**decision(1), "reasons": [{"code": "DECISION_FAILED"}]}),
    "another's name": ("audit", act(by="hanako")),
    "a manager's act": ("audit", act(kind="erase")),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_an_attacker_may_not_then_it_is_found(wrong: str) -> None:
    observer = Observed()
    observer.put("cleared", delivery={"lines": ["a"]}, message_class="marketing")
    observer.put("audit", **act())
    observer.put("audit", **act(act_id="stolen-2", by="hanako", outcome="refused"))
    assert [*let_go(observer.seen)] == []
    topic, said = WRONG[wrong]
    observer.put(topic, **said)
    assert len([*let_go(observer.seen)]) >= 1
