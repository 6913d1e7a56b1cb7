"""Work on all cores gives what `map` gives, in its order and in bounded memory, and a killed process is no silence."""

from __future__ import annotations

import os
import signal
import threading

import psutil
import pytest

from gatekeeper.cli import cores
from gatekeeper.cli.cores import TOGETHER, beside, mapped
from gatekeeper.ground import forks
from gatekeeper.ground.errors import UnavailableError

MANY = 5 * TOGETHER + 3


def test_many_items_then_the_results_are_those_of_map_and_other_processes_made_them() -> None:
    secret = object()  # cannot be sent
    done = list(mapped(lambda n: (n * 2, os.getpid(), secret is not None), range(MANY), processes=2))
    assert [one[0] for one in done] == [n * 2 for n in range(MANY)]
    assert os.getpid() not in {pid for _, pid, _ in done}


def test_a_reader_that_stops_then_work_under_way_ends() -> None:
    coming, going = os.pipe()

    def endless(n: int) -> int:
        os.close(coming)
        return n if n == 0 else signal.pause() or n

    working = mapped(endless, range(3), processes=2, together=1)
    assert next(working) == 0
    os.close(going)
    working.close()
    assert os.read(coming, 1) == b""  # no process holds the other end
    os.close(coming)


def test_a_process_that_is_killed_then_the_command_ends_with_3() -> None:
    def killed(n: int) -> int:
        if n == TOGETHER + 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return n

    with pytest.raises(UnavailableError) as error:
        list(mapped(killed, range(MANY), processes=2))
    assert error.value.key == "error.core_ended"


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the machine have two cores."""
    monkeypatch.setattr(cores, "cores", lambda: 2)


@pytest.mark.usefixtures("two")
def test_a_task_beside_then_another_process_does_it_and_its_result_comes() -> None:
    secret = object()  # cannot be sent
    with beside(lambda: (os.getpid(), secret is not None)) as result:
        assert (found := result())[1]
    assert found[0] != os.getpid()


def test_another_thread_then_no_process_is_forked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forks, "ENDING_SECONDS", 0.01)
    monkeypatch.setattr(forks, "THREADS", 1)
    over = threading.Event()
    thread = threading.Thread(target=over.wait, name="of-a-connection", args=(30,))
    thread.start()
    try:
        with pytest.raises(RuntimeError, match="of-a-connection"):
            list(mapped(abs, range(MANY), processes=2))
    finally:
        over.set()
        thread.join(30)


def test_a_process_that_says_nothing_then_3_names_it_and_none_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cores, "SILENT_SECONDS", 0.3)
    monkeypatch.setattr(cores, "_LOOK_SECONDS", 0.05)
    with pytest.raises(UnavailableError) as error:
        list(mapped(lambda n: signal.pause() if n else n, range(3), processes=2, together=1))
    assert error.value.key == "error.core_silent"
    assert not psutil.pid_exists(error.value.values["process"])
