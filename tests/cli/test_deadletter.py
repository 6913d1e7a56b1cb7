"""`gatekeeper deadletter`: what could not be read, without its content, and its resolution."""

from __future__ import annotations

import base64
import json

import pytest

from schemas.codec import decode

pytestmark = pytest.mark.main

SECRET = '{"v":1,"name":"緑野 花子","mail":"hanako@mail.example"\x1b[2J'.encode()


def dead(system, source: str, fault: str = "not_json", place: str = "", value: bytes = SECRET) -> None:
    headers = [
        ("gate-reason", b"EVENT_INVALID"),
        ("gate-fault", fault.encode()),
        ("gate-place", place.encode()),
        ("gate-source", source.encode()),
        ("gate-decision-id", b"A" * 26),
    ]
    system.put("deadletter", value, key=b"hanako@mail.example", headers=headers)


def test_dead_letters_then_the_list_says_why_and_never_what(run, system) -> None:
    dead(system, "sends/1/120", "field_missing", "purpose")
    dead(system, "consents/0/0")
    listed = run("deadletter", "list")
    assert (listed.code, listed.err) == (0, "")
    _, send, consent = listed.out.splitlines()
    assert all(part in send for part in ("sends/1/120", "a required field is missing", "purpose", "not needed"))
    assert "consents/0/0" in consent
    assert "it is not JSON in UTF-8" in consent
    rows = [json.loads(line) for line in run("deadletter", "list", "--json").out.splitlines()]
    assert [(row["source"], row["open"]) for row in rows] == [("sends/1/120", False), ("consents/0/0", True)]
    assert "hanako" not in listed.out + json.dumps(rows)


def test_show_then_content_comes_only_when_asked_and_cannot_drive_the_terminal(run, system) -> None:
    dead(system, "sends/1/120", "field_missing", "purpose")
    shown = run("deadletter", "show", "sends/1/120")
    assert shown.code == 0
    assert all(part in shown.out for part in ("EVENT_INVALID", "a required field is missing", "purpose", "A" * 26))
    assert "hanako" not in shown.out
    raw = run("deadletter", "show", "sends/1/120", "--raw")
    assert "personal data" in raw.err
    assert "緑野 花子" in raw.out
    assert "\x1b" not in raw.out
    found = run("deadletter", "show", f"{system.settings.topic('sends')}/1/120", "--raw", "--json").json
    assert base64.b64decode(found["value_base64"]) == SECRET


def test_an_unreadable_fact_then_its_resolution_is_written_once_for_all(run, system) -> None:
    system.put("consents", SECRET, key=b"r1")
    for _ in range(2):  # its dead letter may have expired
        done = run("deadletter", "resolve", "consents/0/0", "--by", "hanako", "--reason", "asked the shop", "--json")
        assert (done.code, done.err) == (0, "")
    dead(system, "consents/0/0")
    records = system.records("reference")
    assert {record.key for record in records} == {b"resolution/consents-0-0"}
    value = decode("reference", records[-1].key, records[-1].value)
    assert (value.topic, value.partition, value.offset, value.by) == ("consents", 0, 0, "hanako")
    (row,) = [json.loads(line) for line in run("deadletter", "list", "--json").out.splitlines()]
    assert row["open"] is False
    assert row["resolution"]["reason"] == "asked the shop"
    assert "resolved by hanako" in run("deadletter", "list").out


def test_nothing_to_resolve_then_one_sentence_says_why_and_nothing_is_written(run, system) -> None:
    system.put("consents", SECRET, key=b"r1")
    system.put("reference", b'{"v":1,"kind":"controller","id":"midori"}', key=b"controller/midori")
    for source, by, part in (
        ("sends/0/0", "hanako", "platform"),
        ("owls/0/0", "hanako", "consents"),
        ("consents/0/-1", "hanako", "consents/3/120"),
        ("consents/0/99", "hanako", "consents/0/99"),
        ("consents/99/0", "hanako", "consents/99/0"),
        ("consents/0/0", "花子", "--by"),
        ("reference/0/0", "hanako", "can be read"),
    ):
        assert part in run("deadletter", "resolve", source, "--by", by, "--reason", "why").says(2)
    assert len(system.records("reference")) == 1
    assert "sends/0/5" in run("deadletter", "show", "sends/0/5").says(2)
    assert (run("deadletter", "list").code, run("deadletter", "list", "--json").out) == (0, "")
