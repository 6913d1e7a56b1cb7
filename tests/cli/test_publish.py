"""`gatekeeper publish`: a file whole or not at all, byte for byte, and an honest word when the broker goes away."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gatekeeper.cli import publish
from gatekeeper.settings import Settings
from gatekeeper.texts import catalogue
from schemas.codec import Unreadable, decode
from streams.client.reader import Reader
from tests.cli.conftest import dying


def write(path: Path, *lines: object, end: str = "\n") -> Path:
    said = (line if isinstance(line, str) else json.dumps(line, ensure_ascii=False) for line in lines)
    path.write_text("".join(f"{line}{end}" for line in said), "utf-8")
    return path


def test_a_campaign_then_each_line_is_published_as_it_is(run, system, a_send, tmp_path: Path) -> None:
    lines = [json.dumps(a_send(number), ensure_ascii=False, indent=None) + "  " for number in range(50)]
    done = run("publish", str(write(tmp_path / "campaign.jsonl", *lines, "", end="\r\n")), "--json")
    assert done.code == 0
    assert done.json["published"] == 50
    assert done.json["topic"] == system.settings.topic("sends")
    records = system.records("sends")
    assert sorted(record.value.decode() for record in records) == sorted(lines)
    assert all(record.key == json.loads(record.value)["recipient_id"].encode() for record in records)
    assert {record.partition for record in records} == {0, 1}


def test_facts_then_they_go_to_their_topic_under_their_key(run, system, tmp_path: Path) -> None:
    file = write(tmp_path / "reference.jsonl", {"v": 1, "kind": "controller", "id": "midori"})
    spoken = run("publish", str(file), "--topic", "reference")
    assert (spoken.code, spoken.err) == (0, "")
    assert "Published 1 " in spoken.out
    (record,) = system.records("reference")
    assert record.key == b"controller/midori"


def test_stdin_or_a_pipe_then_it_is_published(run, system, a_send, monkeypatch: pytest.MonkeyPatch) -> None:
    body = "".join(json.dumps(a_send(number)) + "\n" for number in range(3)).encode()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(body)))
    assert run("publish", "-").code == 0
    assert len(system.records("sends")) == 3
    gave, takes = os.pipe()  # what a shell makes of <(...)
    os.write(takes, body)
    os.close(takes)
    assert run("publish", f"/dev/fd/{gave}").code == 0
    os.close(gave)
    assert len(system.records("sends")) == 6


def test_one_bad_line_then_it_is_named_without_its_value_and_nothing_is_published(
    run, system, a_send, tmp_path: Path
) -> None:
    file = write(
        tmp_path / "c.jsonl", a_send(0), a_send(1), a_send(2, channel="hanako@mail.example"), a_send(3, v=None)
    )
    says = run("publish", str(file)).says(2)
    assert all(part in says for part in (str(file), "line 3", "channel", "cannot be read: 2"))
    assert "hanako" not in says
    assert system.records("sends") == []


def test_bad_lines_that_are_allowed_then_all_are_published_under_the_key_they_seem_to_have(
    run, system, a_send, tmp_path: Path
) -> None:
    file = write(tmp_path / "c.jsonl", a_send(0), a_send(1, channel="owl"), "no json")
    assert run("publish", str(file), "--allow-invalid", "--json").json["published"] == 3
    assert {record.key for record in system.records("sends")} == {b"r0", b"r1", None}


def test_from_line_then_only_the_rest_is_published(run, system, a_send, tmp_path: Path) -> None:
    file = write(tmp_path / "c.jsonl", *(a_send(number) for number in range(10)))
    assert run("publish", str(file), "--from-line", "8", "--json").json["published"] == 3
    assert {record.key for record in system.records("sends")} == {b"r7", b"r8", b"r9"}
    assert "10" in run("publish", str(file), "--from-line", "11").says(2)


@pytest.mark.parametrize(
    ("name", "content"),
    [("nothing.jsonl", None), ("empty.jsonl", b""), ("blank.jsonl", b"\n\r\n\n"), ("endless.jsonl", b"x" * 2**20)],
)
def test_no_readable_file_then_one_sentence_names_it(run, system, tmp_path: Path, name: str, content: bytes) -> None:
    file = tmp_path / name
    if content is not None:
        file.write_bytes(content)
    assert str(file) in run("publish", str(file), "--allow-invalid").says(2)
    assert str(tmp_path) in run("publish", str(tmp_path)).says(2)
    assert system.records("sends") == []


def test_no_broker_then_one_sentence_names_it(run, nowhere: str, a_send, tmp_path: Path) -> None:
    assert nowhere in run("publish", str(write(tmp_path / "c.jsonl", a_send(1)))).says(3)


def test_no_topic_then_one_sentence_says_how_to_make_it(run, environment: Settings, a_send, tmp_path: Path) -> None:
    says = run("publish", str(write(tmp_path / "c.jsonl", a_send(1)))).says(2)
    assert environment.topic("sends") in says
    assert "topics create" in says


def test_a_broker_that_dies_midway_then_the_acknowledged_lines_and_the_way_on_are_told(
    run, a_send, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(tmp_path / "c.jsonl", *(a_send(number) for number in range(30)))
    with dying(tmp_path, monkeypatch, window=20) as broker:
        says = run("publish", str(file)).says(5)
        assert "acknowledged 20 lines" in says
        assert "--from-line 21" in says
        monkeypatch.undo()
        monkeypatch.setenv("GATEKEEPER_BROKER", broker.start().bootstrap)
        assert run("publish", str(file), "--from-line", "21").code == 0
        with Reader(Settings()) as reader:
            keys = [record.key for record in reader.read("sends")]
    assert sorted(keys) == sorted(f"r{number}".encode() for number in range(30))


def test_every_fault_of_the_codec_then_it_has_a_sentence_in_both_languages(a_send) -> None:
    whole = json.dumps(a_send(1)).encode()
    bad: list[tuple[str, bytes | None, bytes | None]] = [
        ("sends", None, None),
        ("sends", None, b" " * 20_000),
        ("sends", b"k" * 300, whole),
        ("sends", None, b"{"),
        ("sends", None, whole[:-1] + b',"v":1}'),
        ("sends", b"other", whole),
        ("sends", None, b"{}"),
        ("sends", None, whole[:-1] + b',"more":1}'),
        ("sends", None, whole.replace(b'"postal"', b'"owl"')),
        ("reference", None, b'{"v":1,"kind":"owl"}'),
        ("reference", None, b'{"v":1}'),
    ]
    seen = set()
    for topic, key, value in bad:
        with pytest.raises(Unreadable) as refused:
            decode(topic, key, value)
        seen.add(refused.value.fault)
    sentences = {key.removeprefix("fault."): both for key, both in catalogue().items() if key.startswith("fault.")}
    judged = {"controller_unknown", "purpose_unknown", "mail_date_too_far", "headers_too_long", "failed"}
    of_policies = {"policy_text_missing", "policy_wrong", "policy_hash_differs", "policy_differs"}
    told = {name for name in sentences if not name.startswith("answer_")}
    assert seen | judged | of_policies == told, "a fault without a sentence, or a sentence without a fault"
    assert all(both["ja"] and both["en"] for both in sentences.values())


def test_a_real_process_then_the_sentence_comes_in_japanese_and_no_traceback(tmp_path: Path) -> None:
    file = tmp_path / "nothing.jsonl"
    done = subprocess.run(
        [sys.executable, "-m", "gatekeeper", "publish", str(file)],
        env={"GATEKEEPER_LANG": "ja", "PYTHONPATH": str(Path(publish.__file__).parents[2])},
        capture_output=True,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 2
    assert done.stdout == b""
    assert done.stderr.decode().startswith("エラー: ")
    assert str(file) in done.stderr.decode()
    assert done.stderr.count(b"\n") == 1
