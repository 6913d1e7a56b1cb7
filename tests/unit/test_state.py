"""The state file of a long work: interrupted anywhere, the same call goes on and says what one in one go says."""

from __future__ import annotations

import json
import os
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

from gatekeeper.audit.checks.by_hash import Library
from gatekeeper.audit.checks.what_if import WhatIf
from gatekeeper.cli.audit import command, replay, state, what_if
from gatekeeper.errors import IntegrityError, UnavailableError, UsageError
from gatekeeper.policy.packs import load
from schemas.codec import canonical
from tests import policies
from tests.records import Named, export, of_demo, of_every_kind
from tests.worlds import until

SOME = 330
"""So many records are taken before the interruption; 50 are in a transaction, so that it comes inside of one."""


@pytest.fixture(scope="module")
def demo() -> tuple[list[bytes], Named]:
    """One of the first records does not follow, one does not depend on the policy, and of one nothing can be told."""
    made, names = of_demo()
    values, (others, more) = list(islice(made, 600)), of_every_kind()
    names.references |= more.references
    names.policies |= more.policies
    values[10] = forged(values[10], campaign="K-9")
    values[20] = next(value for value in others if left_out(value, names))
    policy = json.loads(values[30])["policy"]
    values[30] = forged(values[30], policy={**policy, "sha256": "0" * 64})
    return values, names


def forged(value: bytes, **changed: Any) -> bytes:
    return canonical({**json.loads(value), **changed})


def left_out(value: bytes, names: Named) -> int:
    found = WhatIf(load("jp-appi").home[0], Library(names))
    found.add(value)
    return found.left_out


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


CUTS = [KeyboardInterrupt(), UnavailableError("error.disk", path="x", detail="x")]


@pytest.mark.parametrize("verb", CALLS)
@pytest.mark.parametrize("error", CUTS)
def test_interrupted_inside_of_a_transaction_then_the_same_call_says_what_one_in_one_go_says(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str, error: BaseException
) -> None:
    file, call = tmp_path / "state", words(verb, folder)
    expected = told(*call)
    said = expected[1]
    if verb == "replay":
        assert ([one["finding"] for one in said["found"]], said["findings"]["unknown"]) == (["drift", "unknown"], 1)
    else:
        assert (said["left_out"], said["unknown"]) == (1, 1)
    with interrupted(verb, error, monkeypatch):
        assert called(*call, "--state", file).exit_code != 0
    assert (file.stat().st_mode & 0o777, json.loads(file.read_bytes())["marks"]["0"]["offset"]) == (0o600, 10)
    with interrupted(verb, error, monkeypatch) as taken:
        assert told(*call, "--state", file) == expected
    assert len(taken) == 600 - SOME // 50 * 50


@pytest.mark.parametrize("verb", CALLS)
@pytest.mark.parametrize("error", CUTS)
def test_interrupted_then_it_says_how_to_go_on(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str, error: BaseException
) -> None:
    with interrupted(verb, error, monkeypatch):
        assert f"--state {tmp_path / 'state'}" in called(*words(verb, folder), "--state", tmp_path / "state").stderr


@pytest.mark.parametrize("verb", CALLS)
@pytest.mark.parametrize("form", [(), ("--json",)], ids=["table", "json"])
@pytest.mark.parametrize(("output", "code"), [("full", 3), ("closed", 141)])
def test_a_report_that_is_not_read_then_it_is_told_again(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str, form: Any, output: str, code: int
) -> None:
    file, call = tmp_path / "state", words(verb, folder)
    reading, writing = os.pipe()
    os.close(reading)
    process = [sys.executable, "-m", "gatekeeper", "audit", *call, *form, "--state", file]
    with open("/dev/full" if output == "full" else writing, "wb") as stdout:
        done = subprocess.run(process, stdout=stdout, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert (done.returncode, f"--state {file}" in done.stderr) == (code, True), done
    expected = told(*call)
    with interrupted(verb, KeyboardInterrupt(), monkeypatch) as taken:
        assert (told(*call, "--state", file), taken) == (expected, [])


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


@pytest.mark.parametrize("verb", CALLS)
def test_other_rules_then_the_state_is_another_calls(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    file, call = tmp_path / "state", words(verb, folder)
    with interrupted(verb, KeyboardInterrupt(), monkeypatch):
        called(*call, "--state", file)
    monkeypatch.setattr(replay if verb == "replay" else what_if, "RULES", "other")
    done = called(*call, "--state", file)
    assert isinstance(done.exception, UsageError), done
    assert done.exception.key == "error.state_of_another"


@pytest.mark.parametrize("change", ["group", "others", "owner"])
def test_a_state_that_others_could_have_written_then_exit_2_and_it_stays_as_it_was(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    file, call = tmp_path / "state", words("replay", folder)
    assert called(*call, "--state", file).exit_code == 1
    before = file.read_bytes()
    if change == "owner":
        monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    else:
        file.chmod(0o620 if change == "group" else 0o602)
    done = called(*call, "--state", file)
    assert isinstance(done.exception, UsageError), done
    assert (done.exception.key, file.read_bytes()) == ("error.state_open", before)


def test_a_pipe_as_state_then_nothing_waits_for_it(folder: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert isinstance(called(*words("replay", folder), "--state", tmp_path / "pipe").exception, UsageError)


@pytest.mark.parametrize("verb", CALLS)
@pytest.mark.parametrize("name", ["x" * 300, "circle", "file/state"])
def test_a_disk_that_does_not_give_the_state_then_exit_3(folder: Path, tmp_path: Path, verb: str, name: str) -> None:
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    (tmp_path / "file").touch()
    done = called(*words(verb, folder), "--state", tmp_path / name)
    assert isinstance(done.exception, UnavailableError), done


def test_a_state_that_cannot_be_removed_then_exit_3(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError):
        state.Keeper(tmp_path).write(None)


def _take_away(file: Path) -> None:
    file.unlink()
    file.parent.rmdir()


@pytest.mark.parametrize("error", [KeyboardInterrupt(), IntegrityError("error.trail_order", partition=0, offset=0)])
def test_a_state_that_cannot_be_written_at_the_end_then_that_is_told_and_the_work_ends_as_it_did(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], error: BaseException
) -> None:
    file = tmp_path / "there" / "state"
    file.parent.mkdir()

    def work() -> None:
        with state.kept(file, lambda _: state.State(of="0" * 64)):
            _take_away(file)
            raise error

    with pytest.raises(type(error)):
        work()
    assert f"{file} cannot be written" in capsys.readouterr().err


def test_a_disk_that_is_full_then_it_is_told_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "there" / "state"
    file.parent.mkdir()
    with pytest.raises(UnavailableError), state.kept(file, lambda _: state.State(of="0" * 64)) as step, step():
        _take_away(file)
    assert "cannot be written" not in capsys.readouterr().err


def test_a_state_that_takes_long_to_write_then_it_is_written_more_seldom(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Clock:
        now = 0.0

        def monotonic(self) -> float:
            return self.now

    @contextmanager
    def slow(file: Path) -> Iterator[Any]:
        clock.now += 3
        with file.open("w") as handle:
            yield handle

    clock = Clock()
    monkeypatch.setattr(state, "time", clock)
    monkeypatch.setattr(state, "whole", slow)
    monkeypatch.setattr(state, "SAVE_SECONDS", 2)
    monkeypatch.setattr(state, "SHARE", 10)
    keeper = state.Keeper(tmp_path / "state")
    keeper.write(state.State(of="0" * 64))
    clock.now += 26
    assert not keeper.due()
    clock.now += 1
    assert keeper.due()


@pytest.mark.parametrize("spoilt", [b"", b"[]", b"{", {"cells": [1]}, {"marks": {"0": 0}}, {"decisions": "1"}])
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
