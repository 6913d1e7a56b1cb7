"""Work on all cores gives what `map` gives, in its order and in bounded memory, and a killed process is no silence."""

from __future__ import annotations

import os
import signal
from itertools import islice

import pytest

from gatekeeper.cli import cores
from gatekeeper.cli.cores import AHEAD, TOGETHER, mapped
from gatekeeper.errors import UnavailableError

MANY = 5 * TOGETHER + 3


def test_many_items_then_the_results_are_those_of_map_and_other_processes_made_them() -> None:
    secret = object()  # cannot be sent
    done = list(mapped(lambda n: (n * 2, os.getpid(), secret is not None), range(MANY), processes=2))
    assert [one[0] for one in done] == [n * 2 for n in range(MANY)]
    assert os.getpid() not in {pid for _, pid, _ in done}


def test_few_items_or_one_core_then_no_process_is_made() -> None:
    for count, processes in ((TOGETHER - 1, 2), (MANY, 1)):
        assert {*mapped(lambda _: os.getpid(), range(count), processes=processes)} == {os.getpid()}


def test_a_reader_that_stops_then_not_all_items_were_taken() -> None:
    taken = []

    def items():
        for n in range(100 * TOGETHER):
            taken.append(n)
            yield n

    coming = mapped(abs, items(), processes=2)
    assert [*islice(coming, 3)] == [0, 1, 2]
    coming.close()
    assert len(taken) <= (AHEAD * 2 + 1) * TOGETHER


def test_an_error_of_the_work_then_it_is_raised_here() -> None:
    with pytest.raises(ZeroDivisionError):
        list(mapped(lambda n: 1 // (n - 7), range(MANY), processes=2))


def test_a_process_that_is_killed_then_the_command_ends_with_3() -> None:
    def killed(n: int) -> int:
        if n == TOGETHER + 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return n

    with pytest.raises(UnavailableError) as error:
        list(mapped(killed, range(MANY), processes=2))
    assert error.value.key == "error.core_ended"


def test_the_cores_then_there_is_one_at_least() -> None:
    assert cores.cores() >= 1
