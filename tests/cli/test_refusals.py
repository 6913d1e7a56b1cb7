"""What every command says in the same way: no broker, no topics, a wrong setting, an output that cannot be written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gatekeeper.ground.settings import Settings
from streams.client import broker_access
from tests.cli.conftest import Run, send
from tests.support import forked
from tests.support.policies import today
from tests.support.world import key_folder

pytestmark = pytest.mark.main


def commands(folder: Path) -> list[tuple[str, ...]]:
    """Commands that need a broker, whose files are in a folder."""
    (folder / "campaign.jsonl").write_text(json.dumps(send(1)))
    (folder / "cards.csv").write_text("code,answer,date\n1,yes,2026-11-05\n")
    (folder / "policy.toml").write_text(today(7))
    file = str(folder / "campaign.jsonl")
    why = ("--reason", "x")
    return [
        ("audit", "explain", "e-1"),
        ("audit", "export", "--out", str(folder / "export")),
        ("audit", "seal", "--once"),
        ("campaign", "show", "K-1"),
        ("check", file),
        ("console", "--port", "0"),
        ("deadletter", "list"),
        ("deadletter", "resolve", "consents/0/0", *why),
        ("erase", "p-1", *why, "--yes"),
        ("handoff", "K-1", "--out", str(folder / "out.csv")),
        ("import", "answers", str(folder / "cards.csv")),
        ("policy", "activate", str(folder / "policy.toml"), "--from", "now", "--yes"),
        ("publish", file),
        ("report", "--from", "2026-11-01", "--to", "2026-11-30"),
        ("review", "list"),
        ("status",),
        ("suspend", "C1", *why),
        ("tail", "sends"),
        ("topics", "create"),
        ("topics", "verify"),
        ("withdraw", "r7"),
    ]


def test_no_broker_then_one_sentence_names_it_and_nothing_is_made(
    run: Run, nowhere: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEKEEPER_USER", "hanako")
    monkeypatch.setenv("GATEKEEPER_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("GATEKEEPER_LOG", str(tmp_path / "log"))
    monkeypatch.setenv("GATEKEEPER_KEYS", str(tmp_path / "keys"))
    assert run("keys", "init").code == 0
    for words in commands(tmp_path):
        assert nowhere in run(*words).says(3), words
    assert not [name for name in ("export", "out.csv") if (tmp_path / name).exists()]
    listed = run("topics", "list")
    assert (listed.code, "mail.sends.v1" in listed.out) == (0, True), "that needs none"


def test_no_topics_then_one_sentence_says_how_to_make_them(
    run: Run, environment: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEKEEPER_KEYS", str(key_folder()))
    named = ("deadletter", "publish", "status", "withdraw", "tail")
    for words in (one for one in commands(tmp_path) if one[0] in named):
        assert "topics create" in run(*words, *(("--by", "hanako") if words[0] == "withdraw" else ())).says(2), words
    found = run("topics", "verify", "--json")
    assert (found.code, len(found.json["differences"]) > 9) == (1, True)


def test_a_wrong_setting_or_none_then_one_sentence_names_it(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker_access, "CONNECT_MS", 300)
    monkeypatch.setenv("GATEKEEPER_BROKER", "kafka..example:9092")
    assert "no such host name" in run("topics", "verify").says(3)
    monkeypatch.setenv("GATEKEEPER_PARTITIONS", "many")
    assert "GATEKEEPER_PARTITIONS" in run("topics", "verify").says(2)
    monkeypatch.delenv("GATEKEEPER_PARTITIONS")
    monkeypatch.delenv("GATEKEEPER_BROKER")
    monkeypatch.chdir(tmp_path)  # in which no `gatekeeper broker` left its address
    assert "gatekeeper broker" in run("topics", "verify").says(2)
    monkeypatch.setenv("GATEKEEPER_BROKR", "x")
    assert "GATEKEEPER_BROKER" in run("topics", "verify").says(2)


def test_a_reason_that_says_nothing_then_2_before_any_broker_is_asked(run: Run, nowhere: str) -> None:
    for words in (("erase", "p-1", "--yes"), ("readmit", "p-1"), ("suspend", "C1"), ("source", "quarantine", "B1")):
        assert "--reason" in run(*words, "--reason", " ", "--by", "hanako").says(2)


def test_output_that_cannot_be_written_then_it_is_said_and_a_broken_pipe_is_141() -> None:
    with open("/dev/full", "wb") as full:
        done = listed(full.fileno())
    assert done.returncode == 3, done.stderr
    assert done.stderr.startswith("error: The output cannot be written (No space left on device).")
    assert done.stderr.count("\n") == 1
    read, written = os.pipe()
    os.close(read)
    done = listed(written, "--json")
    os.close(written)
    assert (done.returncode, done.stderr) == (141, "")


def listed(stdout: int, *words: str) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-c", "from gatekeeper.cli import main; main()", "topics", "list", *words]
    known = {"PYTHONPATH": ".", "GATEKEEPER_LANG": "en"}
    return subprocess.run(program, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False, env=known, timeout=60)


def test_a_real_process_then_the_sentence_comes_in_japanese_and_no_traceback(tmp_path: Path) -> None:
    file = tmp_path / "nothing.jsonl"
    done = forked.run("publish", file, env={"GATEKEEPER_LANG": "ja"}, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("エラー: ")
    assert str(file) in done.stderr
    assert done.stderr.count("\n") == 1
