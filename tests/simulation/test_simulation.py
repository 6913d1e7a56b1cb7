"""The simulation is one: the same seed is the same history, and a planted bug is seen."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.simulation.bugs import BUGS, SEEDS, seen


@pytest.mark.parametrize("name", BUGS)
def test_given_a_planted_bug_then_the_simulation_sees_it(name):
    assert seen(name), f"{name} went unseen for {SEEDS} seeds"


def test_given_a_seed_then_its_history_is_the_same_in_every_process():
    code = "\n".join(
        (
            "from hashlib import sha256",
            "from tests.simulation.simulation import simulate",
            "one = simulate(7, 60)",
            "print(one.digest, sha256('/'.join(one.history).encode()).hexdigest())",
        )
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(said) == 1
