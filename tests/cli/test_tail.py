"""`gatekeeper tail`: committed records as they come, with personal data left out, until Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

from gatekeeper.settings import Settings
from schemas.topics import TOPICS

PERSONAL = ("花子", "hanako", "若葉町")


def personal(text: str) -> bool:
    return any(part in text for part in PERSONAL)


def test_a_send_then_it_is_printed_without_its_delivery(run, system, a_send) -> None:
    system.put("sends", json.dumps(a_send(1)).encode(), key=b"r1", headers=[("note", b"hanako")])
    spoken = run("tail", "sends", "--no-follow")
    assert spoken.code == 0
    assert spoken.out.startswith("0@0 r1 ")
    assert '"campaign_id":"autumn"' in spoken.out
    found = run("tail", system.settings.topic("sends"), "--no-follow", "--json").json
    assert (found["topic"], found["partition"], found["offset"], found["key"]) == ("sends", 0, 0, "r1")
    assert found["value"] == {**a_send(1), "delivery": "…"}
    assert found["headers"] == {"note": "…"}
    assert not personal(spoken.out + json.dumps(found, ensure_ascii=False))


@pytest.mark.parametrize(
    ("topic", "value"),
    [
        ("sends", b'{"name":"hanako"}'),
        ("sends", b"hanako@mail.example"),
        ("consents", b'{"v":1,"kind":"consent","recipient_id":"hanako@mail.example"}'),
        ("deadletter", b'{"delivery":{"name":"x"},"note":"hanako"}'),
        ("recalls", b"hanako"),
        ("recalls", b'{"send":[{"delivery":{"name":"hanako"}}]}'),
    ],
)
def test_what_cannot_be_read_then_nothing_of_it_is_printed(run, system, topic: str, value: bytes) -> None:
    system.put(topic, value, key=b"k")
    for arguments in ((), ("--json",)):
        done = run("tail", topic, "--no-follow", *arguments)
        assert done.code == 0
        assert "…" in done.out
        assert not personal(done.out)


def test_a_key_that_is_no_id_then_it_is_not_printed(run, system) -> None:
    system.put("sends", b"{}", key=b"hanako@mail.example")
    assert not personal(run("tail", "sends", "--no-follow").out)


def test_raw_then_all_is_printed_with_a_warning_and_no_control_character(run, system) -> None:
    system.put("sends", "花子\x1b[2J".encode() + b"\xff", key=b"hanako")
    done = run("tail", "sends", "--no-follow", "--raw")
    assert "personal data" in done.err
    assert "花子" in done.out
    assert "\x1b" not in done.out


def test_our_headers_on_our_topics_then_they_are_printed(run, system, a_send) -> None:
    headers = [("gate-decision-id", b"D"), ("ce_id", b"C"), ("note", b"hanako")]
    system.put("cleared", json.dumps(a_send(1)).encode(), key=b"r1", headers=headers)
    found = run("tail", "cleared", "--no-follow", "--json").json
    assert found["headers"] == {"gate-decision-id": "D", "ce_id": "C", "note": "…"}


def test_a_tombstone_then_it_is_printed_as_none(run, system) -> None:
    system.put("ledger", None, key=b"entry")
    assert run("tail", "ledger", "--no-follow", "--json").json["value"] is None


def test_max_then_it_stops_by_itself(run, system) -> None:
    for number in range(5):
        system.put("ledger", b"%d" % number, key=b"%d" % number)
    done = run("tail", "ledger", "--from-beginning", "--max", "3", "--json")
    assert done.code == 0
    assert [json.loads(line)["value"] for line in done.out.splitlines()] == [0, 1, 2]


def test_every_topic_of_the_registry_then_it_can_be_read(run, system) -> None:
    for name in TOPICS:
        assert run("tail", name, "--no-follow").code == 0


def test_following_and_ctrl_c_then_130_and_no_traceback(system) -> None:
    system.put("ledger", b'"first"', key=b"1")
    with subprocess.Popen(
        [sys.executable, "-m", "gatekeeper", "tail", "ledger", "--from-beginning"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    ) as tail:
        assert tail.stdout is not None
        assert "first" in tail.stdout.readline()
        system.put("ledger", b'"second"', key=b"2")
        assert "second" in tail.stdout.readline()
        tail.send_signal(signal.SIGINT)
        _, said = tail.communicate(timeout=30)
    assert tail.returncode == 130
    assert "Traceback" not in said


def test_an_unknown_topic_then_the_known_ones_are_named(run, system) -> None:
    says = run("tail", "owls").says(2)
    assert "owls" in says
    assert "cleared" in says


def test_no_broker_then_one_sentence_names_it(run, nowhere: str) -> None:
    assert nowhere in run("tail", "sends").says(3)


def test_no_topics_then_one_sentence_says_how_to_make_them(run, environment: Settings) -> None:
    assert environment.topic("sends") in run("tail", "sends").says(2)
