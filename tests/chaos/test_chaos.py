"""Half a minute of chaos, and a short round of loss: `scripts/chaos` has more of both, and on three brokers."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.chaos import rollback
from tests.chaos.observer import Observer
from tests.chaos.round import run
from tests.support.world import World

SECONDS, SEED = 30.0, int(os.environ.get("CHAOS_SEED", "1"))


def implied(where: dict[str, Any], _: Observer) -> tuple[str, ...]:
    """Asserts besides that the ledger, which is the gate's own affair, is what the audit records imply."""
    World(where["bootstrap"], where["prefix"], where["partitions"]).check_ledger()
    return ()


@pytest.mark.long("the simulation, whose worlds hurt the same worker")
@pytest.mark.timeout(900)  # a slow machine is given longer
def test_given_half_a_minute_of_chaos_then_every_promise_is_kept(tmp_path: Path) -> None:
    report = run(tmp_path, brokers=1, seconds=SECONDS, seed=SEED, also=implied)
    assert report.found == [], report


@pytest.mark.long("tests/integration/test_put_back.py, and the simulation, which puts logs back")
@pytest.mark.timeout(900)
def test_given_a_broker_put_back_then_no_lost_no_clears_anybody(
    tmp_path: Path,
) -> None:
    report = rollback.run(tmp_path, brokers=1, seconds=6, seed=1, partitions=1, workers={"worker-0": ()})
    assert report.found == [], report
    assert report.landed.keys() == {"put_back_stopped"}
