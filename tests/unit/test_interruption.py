"""Signals that end a command: at once, after what must not be cut, or where a loop looks."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from gatekeeper.ground import interruption

STOP = signal.SIGUSR1


@pytest.fixture(autouse=True)
def listening() -> Iterator[None]:
    before = signal.getsignal(STOP), signal.getsignal(signal.SIGINT)
    interruption.listen((STOP,), SystemExit)
    yield
    interruption.forget()
    signal.signal(STOP, before[0])
    signal.signal(signal.SIGINT, before[1])


def test_a_signal_amid_what_is_held_then_that_is_finished_first() -> None:
    done = []

    def work() -> None:
        with interruption.held():
            with interruption.held():
                signal.raise_signal(STOP)
                done.append(1)
            done.append(2)

    with pytest.raises(SystemExit):
        work()
    assert done == [1, 2]


def test_a_loop_that_looks_then_it_ends_within_what_is_held() -> None:
    turns = []

    def work() -> None:
        with interruption.held():
            while True:
                interruption.look()
                turns.append(1)
                signal.raise_signal(STOP)

    with pytest.raises(SystemExit):
        work()
    assert turns == [1]
