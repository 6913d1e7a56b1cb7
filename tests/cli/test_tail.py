"""`gatekeeper tail`: committed records as they come, with personal data left out, until Ctrl-C."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import datetime

import pytest
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource

from schemas.codec import decode
from tests.support.world import until

pytestmark = pytest.mark.main
PERSONAL = ("花子", "hanako", "若葉町")


def personal(text: str) -> bool:
    return any(part in text for part in PERSONAL)


def test_a_send_then_one_line_and_as_json_the_record_without_its_delivery(run, system, a_send) -> None:
    system.put("sends", json.dumps(a_send(1)).encode(), key=b"r1", headers=[("note", b"hanako")])
    spoken = run("tail", "sends", "--no-follow")
    assert (spoken.code, spoken.err) == (0, "")
    (line,) = spoken.out.splitlines()
    at, *rest = line.split()
    assert datetime.fromisoformat(at).tzinfo is not None
    assert rest == ["r1", "-", "-"]
    found = run("tail", system.settings.topic("sends"), "--no-follow", "--json").json
    assert (found["topic"], found["partition"], found["offset"], found["key"]) == ("sends", 0, 0, "r1")
    assert found["value"] == {**a_send(1), "delivery": "…"}
    assert found["headers"] == {"note": "…"}
    assert not personal(spoken.out + json.dumps(found, ensure_ascii=False))


def test_what_cannot_be_read_then_nothing_of_it_is_printed(run, system) -> None:
    for topic, value in (
        ("sends", b'{"name":"hanako"}'),
        ("consents", b'{"v":1,"kind":"consent","recipient_id":"hanako@mail.example"}'),
        ("deadletter", b'{"delivery":{"name":"x"},"note":"hanako"}'),
        ("recalls", b'{"send":[{"delivery":{"name":"hanako"}}]}'),
    ):
        system.put(topic, value, key=b"hanako@mail.example")
        for arguments in ((), ("--json",)):
            done = run("tail", topic, "--no-follow", *arguments)
            assert (done.code, "…" in done.out, personal(done.out)) == (0, True, False)


def test_raw_then_who_looks_is_on_record_first_and_no_control_character_is_printed(
    run, system, monkeypatch: pytest.MonkeyPatch
) -> None:
    system.put("sends", "花子\x1b[2J".encode() + b"\xff", key=b"hanako")
    done = run("tail", "sends", "--no-follow", "--raw", "--by", "taro")
    assert "personal data" in done.err
    assert "花子" in done.out
    assert "\x1b" not in done.out
    (record,) = system.records("acts")
    act = decode("acts", record.key, record.value)
    assert (act.kind, act.subject, act.by) == ("reveal_topic", "topic/sends", "taro")
    assert act.act_id in done.err
    assert "花子" in run("tail", "sends", "--no-follow", "--raw", "--json").json["value"]
    assert [decode("acts", each.key, each.value).by for each in system.records("acts")] == ["taro", "hanako"]
    monkeypatch.delenv("GATEKEEPER_USER")
    monkeypatch.delenv("GATEKEEPER_USER_KEY")
    assert "--by" in run("tail", "sends", "--no-follow", "--raw").says(2)
    assert len(system.records("acts")) == 2


def test_raw_where_the_act_is_not_acknowledged_then_nothing_is_shown(run, system) -> None:
    system.put("sends", b"hanako", key=b"r1")
    acts = ConfigResource(
        ConfigResource.Type.TOPIC,
        system.settings.topic("acts"),
        incremental_configs=[ConfigEntry("max.message.bytes", "10", incremental_operation=AlterConfigOpType.SET)],
    )
    admin = AdminClient({"bootstrap.servers": system.settings.broker})
    admin.incremental_alter_configs([acts])[acts].result(30)

    def refused() -> bool:
        with suppress(AssertionError):
            system.put("acts", b"a long record")
            return False
        return True

    until(refused, "a broker that heeds the setting")
    assert "nothing is shown" in run("tail", "sends", "--no-follow", "--raw").says(3)
