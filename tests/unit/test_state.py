"""The state file of a long work: interrupted anywhere, the same call goes on and says what one in one go says."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gatekeeper.audit.what_if import WhatIf
from gatekeeper.cli.audit import command, replay, state
from gatekeeper.errors import UnavailableError, UsageError
from tests import policies
from tests.records import Named, export, of_demo
from tests.worlds import until

SOME = 330
"""So many records are taken before the interruption; 50 are in a transaction, so that it comes inside of one."""


@pytest.fixture(scope="module")
def demo() -> tuple[list[bytes], Named]:
    values, names = of_demo()
    return list(islice(values, 600)), names


@pytest.fixture
def folder(tmp_path: Path, demo: tuple[list[bytes], Named]) -> Path:
    return export(tmp_path / "out", *demo)


@pytest.fixture(autouse=True)
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """The state is written down after each step."""
    monkeypatch.setattr(state, "SAVE_SECONDS", 0)
    monkeypatch.setattr(state, "SHARE", 1)


def called(*arguments: Any) -> Result:
    return CliRunner().invoke(command, [str(each) for each in arguments])


def told(*arguments: Any) -> tuple[int, Any]:
    done = called(*arguments, "--json")
    return done.exit_code, json.loads(done.stdout)


CALLS: dict[str, tuple[object, str]] = {"replay": (replay, "replay"), "what-if": (WhatIf, "add")}
"""What each command does with one record."""


def words(verb: str, folder: Path) -> list[Any]:
    return [verb, folder] if verb == "replay" else [verb, folder, "--policy", "jp-appi"]


@contextmanager
def interrupted(verb: str, error: BaseException, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Has the command end that way before it takes the record after SOME; yields one entry for each that was taken."""
    owner, name = CALLS[verb]
    done, taken = getattr(owner, name), list[int]()

    def take(*arguments: Any) -> Any:
        if len(taken) == SOME:
            raise error
        taken.append(1)
        return done(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, take)
        yield taken


@pytest.mark.parametrize("verb", CALLS)
@pytest.mark.parametrize("error", [KeyboardInterrupt(), UnavailableError("error.disk", path="x", detail="x")])
def test_interrupted_inside_of_a_transaction_then_the_same_call_says_what_one_in_one_go_says(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str, error: BaseException
) -> None:
    file, call = tmp_path / "state", words(verb, folder)
    expected = told(*call)
    with interrupted(verb, error, monkeypatch):
        assert called(*call, "--state", file).exit_code != 0
    assert (file.stat().st_mode & 0o777, json.loads(file.read_bytes())["next"]) == (0o600, {"0": 11})
    with interrupted(verb, error, monkeypatch) as taken:
        assert told(*call, "--state", file) == expected
    assert len(taken) == 600 - SOME // 50 * 50


@pytest.mark.parametrize("verb", CALLS)
def test_interrupted_then_it_says_how_to_go_on(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    with interrupted(verb, KeyboardInterrupt(), monkeypatch):
        assert f"--state {tmp_path / 'state'}" in called(*words(verb, folder), "--state", tmp_path / "state").stderr


def test_what_if_killed_then_the_same_call_says_what_one_in_one_go_says(folder: Path, tmp_path: Path) -> None:
    file, call = tmp_path / "state", words("what-if", folder)
    process = [sys.executable, "-m", "gatekeeper", "audit", *call, "--state", file, "--rate", "25"]
    with subprocess.Popen(process, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        until(lambda: file.exists() and json.loads(file.read_bytes())["decisions"], "some are counted", 30)
        running.send_signal(signal.SIGKILL)
    assert 0 < json.loads(file.read_bytes())["decisions"] < 600
    assert told(*call, "--state", file) == told(*call)


def test_what_if_that_came_to_its_end_then_the_state_is_gone_and_the_next_call_begins_anew(
    folder: Path, tmp_path: Path
) -> None:
    file, call = tmp_path / "state", words("what-if", folder)
    first = told(*call, "--state", file)
    assert not file.exists()
    assert told(*call, "--state", file) == first


OTHERS: dict[str, Callable[[Path, Path], list[Any]]] = {
    "command": lambda folder, _: words("replay", folder),
    "policy": lambda folder, _: ["what-if", folder, "--policy", "jp-pmark"],
    "from": lambda folder, _: [*words("what-if", folder), "--from", "2020-01-01T00:00:00Z"],
    "to": lambda folder, _: [*words("what-if", folder), "--to", "2099-01-01T00:00:00Z"],
    "folder": lambda _, other: words("what-if", other),
}


@pytest.mark.parametrize("other", OTHERS)
def test_a_state_of_another_call_then_exit_2_and_it_stays_as_it_was(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, demo: tuple[list[bytes], Named], other: str
) -> None:
    file, elsewhere = tmp_path / "state", export(tmp_path / "elsewhere", *demo)
    about = elsewhere / "export.json"
    about.write_bytes(about.read_bytes().replace(b"mail.", b"test."))
    with interrupted("what-if", KeyboardInterrupt(), monkeypatch):
        called(*words("what-if", folder), "--state", file)
    before = file.read_bytes()
    done = called(*OTHERS[other](folder, elsewhere), "--state", file)
    assert isinstance(done.exception, UsageError), done
    assert (done.exception.key, file.read_bytes()) == ("error.state_of_another", before)


def test_a_policy_file_that_was_changed_then_the_state_is_another_calls(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy, file = tmp_path / "ours.toml", tmp_path / "state"
    policy.write_text(policies.text(9), "utf-8")
    with interrupted("what-if", KeyboardInterrupt(), monkeypatch):
        called("what-if", folder, "--policy", policy, "--state", file)
    policy.write_text(policies.text(9) + "\n", "utf-8")
    done = called("what-if", folder, "--policy", policy, "--state", file)
    assert isinstance(done.exception, UsageError)


@pytest.mark.parametrize("spoilt", [b"", b"[]", b"{", {"cells": [1]}, {"next": {"x": 0}}, {"decisions": "1"}])
def test_a_state_of_what_if_that_cannot_be_read_then_exit_2_and_it_stays_as_it_was(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoilt: bytes | dict[str, Any]
) -> None:
    file, call = tmp_path / "state", words("what-if", folder)
    with interrupted("what-if", KeyboardInterrupt(), monkeypatch):
        called(*call, "--state", file)
    content = spoilt if isinstance(spoilt, bytes) else json.dumps({**json.loads(file.read_bytes()), **spoilt}).encode()
    file.write_bytes(content)
    done = called(*call, "--state", file)
    assert isinstance(done.exception, UsageError), done
    assert (done.exception.key, file.read_bytes()) == ("error.state_unreadable", content)
