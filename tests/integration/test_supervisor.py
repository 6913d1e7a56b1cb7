"""The supervisor of several processes, with small ones that note in a file what happens to them."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pytest

from streams.worker import supervisor
from tests.support import forked
from tests.support.supervised import Work, ending, supervised, waiting
from tests.support.world import until

pytestmark = pytest.mark.main


def noted(folder: Path, number: int, what: str) -> list[int]:
    """Returns the process ids of those that noted this, in order."""
    file = folder / str(number)
    lines = [line.split(" ") for line in file.read_text().splitlines()] if file.exists() else []
    return [int(pid) for said, pid in lines if said == what]


def lives(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[..., ForkServerProcess]]:
    """Runs a supervisor of these works, each with the code with which it ends, in a process of its own."""
    started: list[ForkServerProcess] = []

    def begin(*works: tuple[Work, int], silent: float = 60.0) -> ForkServerProcess:
        started.append(forked.CONTEXT.Process(target=supervised, args=(tmp_path, works, silent)))
        started[0].start()
        return started[0]

    yield begin
    started[0].kill()
    started[0].join()


def ended(process: ForkServerProcess) -> int | None:
    process.join(60)
    return process.exitcode


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_then_all_end_in_order(run, tmp_path: Path, sent: signal.Signals, code: int) -> None:
    process = run((waiting, 0), (waiting, 0))
    until(lambda: all(noted(tmp_path, number, "began") for number in (0, 1)), "both run")
    os.kill(process.pid, sent)
    assert ended(process) == code
    assert [noted(tmp_path, number, "stopped") for number in (0, 1)] == [
        noted(tmp_path, number, "began") for number in (0, 1)
    ]


@pytest.mark.parametrize(("code", "cause"), [(0, "stopped"), (1, "fault"), (3, "unavailable"), (70, "restart")])
def test_a_process_that_ends_by_itself_then_it_starts_again_and_the_other_goes_on(
    run, tmp_path: Path, code: int, cause: str
) -> None:
    process = run((waiting, 0), (ending, code))
    until(lambda: noted(tmp_path, 1, "began"), "it runs")
    os.kill(process.pid, signal.SIGTERM)
    assert ended(process) == 0
    assert [len(noted(tmp_path, 0, "began")), len(noted(tmp_path, 1, "tried"))] == [1, 3]
    assert len(noted(tmp_path, 1, f"{cause}=2")) == 1


@pytest.mark.parametrize("code", supervisor.FINAL)
def test_a_process_that_no_start_helps_then_all_end_with_its_code(run, tmp_path: Path, code: int) -> None:
    process = run((waiting, 0), (ending, code))
    assert ended(process) == code
    assert len(noted(tmp_path, 1, "tried")) == 1
    assert not any(map(lives, noted(tmp_path, 0, "began")))


def test_a_killed_process_then_it_is_started_again(run, tmp_path: Path) -> None:
    process = run((waiting, 0), (waiting, 0))
    (pid,) = until(lambda: noted(tmp_path, 0, "began"), "it runs")
    os.kill(pid, signal.SIGKILL)
    until(lambda: len(noted(tmp_path, 0, "began")) == 2, "it runs again")
    os.kill(process.pid, signal.SIGTERM)
    assert ended(process) == 0


def test_a_killed_supervisor_then_no_process_is_left(run, tmp_path: Path) -> None:
    process = run((waiting, 0), (waiting, 0))
    pids = until(
        lambda: len(found := [pid for n in (0, 1) for pid in noted(tmp_path, n, "began")]) == 2 and found, "both run"
    )
    process.kill()
    until(lambda: not any(map(lives, pids)), "both are gone")
    assert not any(noted(tmp_path, number, "stopped") for number in (0, 1))
