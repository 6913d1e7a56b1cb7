"""`gatekeeper withdraw`: for every controller or for none, acknowledged, and never echoing a contact value."""

from __future__ import annotations

import json
from typing import Any

import pytest

from schemas.codec import decode
from streams.client.reader import Reader

pytestmark = pytest.mark.main


def reference(value: dict[str, Any]) -> bytes:
    return json.dumps({"v": 1, **value}).encode()


def name_controllers(system, *names: str) -> None:
    for name in names:
        value = reference({"kind": "controller", "id": name})
        system.put("reference", value, key=f"controller/{name}".encode())


def consents(system) -> list[Any]:
    return [decode("consents", record.key, record.value) for record in system.records("consents")]


def test_known_controllers_then_consent_is_withdrawn_from_each_for_every_purpose(run, system) -> None:
    name_controllers(system, "midori")
    system.put("reference", b"{broken", key=b"controller/midoriya")  # withdrawn from, too
    done = run("withdraw", "r7", "--json")
    assert (done.code, done.err) == (0, "")
    events = {event.controller_id: event for event in consents(system)}
    assert events.keys() == {"midori", "midoriya"}
    for event in events.values():
        assert (event.recipient_id, event.state, event.purpose, event.channels) == ("r7", "Withdrawn", "*", "*")
    assert len({event.record_id for event in events.values()}) == 2
    with Reader(system.settings) as reader:
        for row in done.json["acknowledged"]:
            found = reader.at("consents", partition=row["partition"], offset=row["offset"])
            assert found is not None
            assert json.loads(found.value)["record_id"] == row["record_id"]


def test_an_unregistered_controller_or_purpose_then_it_is_written_and_said(run, system) -> None:
    assert "--controller" in run("withdraw", "r7").says(2), "none is known"
    assert consents(system) == []
    name_controllers(system, "midori")
    done = run("withdraw", "r7", "--controller", "midori", "--controller", "midroi", "--purpose", "mkt.dm.won")
    assert done.code == 0
    assert {event.controller_id for event in consents(system)} == {"midori", "midroi"}
    slip, purpose = done.err.splitlines()
    assert "midroi" in slip
    assert "midori" not in slip
    assert "mkt.dm.won" in purpose
    value = {"kind": "purpose", "id": "mkt.dm.own", "name_ja": "ご案内", "name_en": "News", "marketing": True}
    system.put("reference", reference(value), key=b"purpose/mkt.dm.own")
    known = run("withdraw", "r7", "--controller", "midori", "--purpose", "mkt", "--json")
    assert (known.code, known.err, known.json["unknown"]) == (0, "", [])


def test_a_contact_value_for_an_id_then_it_is_refused_and_not_repeated(run, system) -> None:
    name_controllers(system, "midori")
    for contact in ("hanako@mail.example", "090-1234-5678", "0312345678", "+819012345678", "緑野花子", "r 7", ""):
        says = run("withdraw", "--", contact).says(2)
        assert not contact or contact not in says
        assert consents(system) == [], contact


def test_an_option_of_another_form_then_it_is_named_and_nothing_is_written(run, system) -> None:
    name_controllers(system, "midori")
    for *before, option, value in (
        ("--at", "yesterday"),
        ("--at", "2026-13-01"),
        ("--purpose", "a b"),
        ("--controller", "a@b"),
        ("--controller", "midori", "--controller", "a@b"),
    ):
        says = run("withdraw", "r7", *before, option, value).says(2)
        assert option in says
        assert value not in says
        assert consents(system) == [], value


def test_nobody_named_then_the_stop_is_written_all_the_same(run, system, monkeypatch: pytest.MonkeyPatch) -> None:
    name_controllers(system, "midori")
    monkeypatch.delenv("GATEKEEPER_USER")
    monkeypatch.delenv("GATEKEEPER_USER_KEY")
    assert run("withdraw", "r7", "--json").json["by"] == "unnamed"
    assert len(consents(system)) == 1
