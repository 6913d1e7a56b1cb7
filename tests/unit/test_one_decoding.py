"""Every record is decoded once, where it is read (ADR 29)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jiter
import orjson
import pytest
from pydantic import BaseModel, TypeAdapter

from gatekeeper.engine.act import ActRecord
from gatekeeper.engine.acts import handling
from schemas import plain_send
from schemas.record import Record
from tests.support import invented, staff
from tests.support.desk import YOUNG, Desk, arrival_signature
from tests.support.facts import fact

DECODERS: tuple[tuple[Any, str], ...] = (
    (jiter, "from_json"),
    (orjson, "loads"),
    (json, "loads"),
    (plain_send, "_decode"),
    (TypeAdapter, "validate_json"),
)
Decodings = Counter[bytes]


@pytest.fixture
def decodings(monkeypatch: pytest.MonkeyPatch) -> Decodings:
    """Counts how often each value is decoded, by any decoder of the product."""
    found = Decodings()

    def counted(decoder: Callable[..., Any]) -> Callable[..., Any]:
        def counting(*args: Any, **more: Any) -> Any:
            found.update(one for one in args if isinstance(one, bytes))
            return decoder(*args, **more)

        return counting

    for owner, name in DECODERS:
        monkeypatch.setattr(owner, name, counted(getattr(owner, name)))
    of_class = vars(BaseModel)["model_validate_json"].__func__
    monkeypatch.setattr(BaseModel, "model_validate_json", classmethod(counted(of_class)))
    return found


@pytest.fixture
def desk() -> Desk:
    found = Desk(*YOUNG)
    found.send()
    return found


def test_act_send_and_fact_are_decoded_once(desk: Desk, decodings: Decodings) -> None:
    value = orjson.dumps(invented.item_act("release", desk.told(), act_id="a-1", at=staff.instant(desk.at), by="kenji"))
    record = Record("mail.acts.v1", 3, 1, desk.at, None, value)
    record = replace(record, headers=arrival_signature(record))
    decodings.clear()
    (found,) = handling(replace(ActRecord.of(record), about=desk.review[-1], counted=1)).step(desk.now, [], 1)
    assert orjson.loads(found.audit)["act"]["outcome"] == "cleared"
    assert decodings[value] == 1
    said = invented.purpose(id="mkt.new")[1] | {"by": None}
    lines = staff.signed(staff.line(said), "hanako", "taro", at=staff.instant(desk.at))
    records = [fact("reference", 1, 900 + number, key.encode(), value) for number, (key, value) in enumerate(lines)]
    decodings.clear()
    assert [desk.store.apply(record) for record in records] == [None] * 3
    assert desk.store.reference.purposes.get("mkt.new")
    assert [decodings[value] for _, value in lines] == [1] * 3

    value = orjson.dumps(invented.send(event_id="E-9"))
    record = Record("mail.sends.v1", 3, 9, desk.at, b"P-1", value)
    assert desk.judge.judge(record, desk.store, desk.at, ledger=desk.state).verdict
    assert decodings[value] == 1
    learned = fact("consents", 1, 900, None, orjson.dumps(invented.consent()[1]))
    decodings.clear()
    assert desk.store.apply(learned) is None
    assert decodings[learned.value or b""] == 1
