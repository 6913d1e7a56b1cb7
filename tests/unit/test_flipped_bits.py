"""One flipped bit in a worker's file of facts or ledger: `python -m tests.support.flips` tries more places."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.flips import STORES, Store


@pytest.mark.long("tests/unit/test_disk_tables.py")
@pytest.mark.parametrize(
    ("store", "words"),
    [*((store, ("--places", "10")) for store in STORES), ("facts", ("--places", "6", "--near", "consents/0"))],
    ids=["facts", "ledger", "a position"],
)
def test_given_a_flipped_bit_then_nobody_is_cleared_by_it_and_a_start_succeeds(
    store: Store, words: tuple[str, ...]
) -> None:
    # a process of its own: it forks, and this one has threads
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.flips", "--store", store, *words],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "read anew" in done.stdout, "some flip was met"
