"""Each refusal to publish says what would be right, and never repeats a value that may be personal."""

from __future__ import annotations

import re
from typing import Any

import orjson
import pytest

from gatekeeper.deciding.reference import Reference
from gatekeeper.ground.times import span
from gatekeeper.management.publication import LineFault, Publication
from gatekeeper.policy.packs import load
from schemas.codec import decode
from tests.support import invented
from tests.support.world import PURPOSES, TEMPLATE, controller_record, send_to

NOW = span("2026-11-27T10:00:00+09:00", "Asia/Tokyo").first // 1000

RECALL = {"message_class": "safety_legal", "purpose": "service.orders", "template_id": "T2"}


def reference(*more: tuple[str, dict[str, Any]]) -> Reference:
    found = Reference()
    service = (("T2", {"transactional": ["postal"]}), ("T3", {"safety_legal": ["postal"]}))
    others = [(f"template/{id_}", {**TEMPLATE[1], "id": id_, "display_ok": shown}) for id_, shown in service]
    others.append(("ground/recall.kettle", invented.ground(id="recall.kettle")[1]))
    for _, fields in (controller_record(), *PURPOSES, TEMPLATE, *others, *more):
        value = orjson.dumps(fields)
        found.put(decode("reference", None, value), value, 0)
    return found


def refused(known: Reference | None = None, **fields: Any) -> LineFault | None:
    publication = Publication("sends", reference=known or reference(), packs=load("jp-pmark"), at=NOW)
    found = publication.read(orjson.dumps(send_to("P-1", **fields)))
    return found if isinstance(found, LineFault) else None


def test_send_that_the_gate_can_judge_then_it_may_be_published() -> None:
    assert [refused(**more) for more in ({}, {"mail_date": "2026-11-27"}, {"mail_date": "2027-01-25"})] == [None] * 3


@pytest.mark.parametrize(
    ("fields", "fault", "field", "hint"),
    [
        ({"purpose": "mkt.dm.onw"}, "purpose_unknown", "purpose", "allowed: mkt.dm.own, service.orders"),
        ({"controller_id": "C9"}, "controller_unknown", "controller_id", "it says C9, allowed: C1"),
        ({"mail_date": "2027-01-26"}, "mail_date_too_far", "mail_date", "allowed: 2026-11-27 to 2027-01-25"),
        ({"message_class": "transactional"}, "class_differs", "message_class", ""),
        (RECALL, "class_not_registered", "template_id", "it says safety_legal, allowed: transactional"),
        ({**RECALL, "template_id": "T3"}, "ground_missing", "ground", "recall, safety, breach"),
        ({"channel": "花子"}, "field_invalid", "channel", "postal, email"),
        ({"花子": 1}, "field_unknown", "", "mail_date, delivery"),
        ({"controller_id": "03-1234-5678"}, "controller_unknown", "controller_id", ""),
    ],
)
def test_send_that_the_gate_would_refuse_then_field_and_what_would_be_right(
    fields: dict[str, Any], fault: str, field: str, hint: str
) -> None:
    found = refused(**fields)
    assert found
    assert (found.fault, found.field) == (fault, field)
    assert hint in (found.hint.text() if found.hint else "")
    assert not re.search("花子|1234", found.sentence())


def test_a_stop_that_no_key_at_hand_can_compare_then_refused_and_without_a_key_not() -> None:
    stop = {"v": 1, "kind": "objection", "suppression_id": "X", "received_at": "2026-01-01"}
    value = orjson.dumps({**stop, "token": "t1k9_" + "A" * 43})
    found = Publication("suppressions", keys={"t1", "t1k2"}).read(value)
    assert isinstance(found, LineFault)
    assert (found.fault, found.field) == ("token_key_unknown", "token")
    assert "it says t1k9, allowed: t1, t1k2" in found.sentence("en")
    for keys in ((), {"t1k9"}):
        assert Publication("suppressions", keys=keys).read(value).suppression_id == "X"
