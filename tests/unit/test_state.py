"""The state file of a long work: what was done is kept however it ends, and only its own call goes on with it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gatekeeper.cli.audit import state
from gatekeeper.ground.errors import UsageError
from schemas.values import Count

OF = state.of("count", to=3)


class Counted(state.State):
    """A count so far."""

    done: Count


@pytest.fixture(autouse=True)
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """The state is written down after each step."""
    monkeypatch.setattr(state, "SAVE_SECONDS", 0)
    monkeypatch.setattr(state, "SHARE", 1)


def count(file: Path, *, error: BaseException | None = None) -> list[int]:
    """Counts to three, behind what was counted before; amid the third step that is raised."""
    begun, steps = state.begun(file, Counted, OF), list[int]()
    done = begun.done if begun else 0
    with state.kept(file, lambda ended: None if ended else Counted(of=OF, done=done)) as step:
        while done < 3:
            with step():
                if error and done == 2:
                    raise error
                steps.append(done := done + 1)
    return steps


def test_interrupted_in_a_step_then_that_one_does_not_count_and_the_call_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "state"
    with pytest.raises(KeyboardInterrupt):
        count(file, error=KeyboardInterrupt())
    assert f"--state {file}" in capsys.readouterr().err
    assert file.stat().st_mode & 0o777 == 0o600
    assert count(file) == [3]
    assert not file.exists()


def test_a_state_of_another_call_then_exit_2_and_it_stays_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "state"
    state.Keeper(file).write(Counted(of=OF, done=1))
    before = file.read_bytes()
    for of in (state.of("count", to=4), state.of("recount", to=3)):
        with pytest.raises(UsageError) as caught:
            state.begun(file, Counted, of)
        assert (caught.value.key, file.read_bytes()) == ("error.state_of_another", before)


@pytest.mark.parametrize("change", ["others", "owner"])
def test_a_state_that_others_could_have_written_then_exit_2_and_it_stays_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    file = tmp_path / "state"
    state.Keeper(file).write(Counted(of=OF, done=1))
    before = file.read_bytes()
    if change == "owner":
        monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    else:
        file.chmod(0o602)
    with pytest.raises(UsageError) as caught:
        state.begun(file, Counted, OF)
    assert (caught.value.key, file.read_bytes()) == ("error.state_open", before)
