"""Some seconds of an attack: `scripts/attack` has more of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.chaos.attack import attacked

SECONDS, SEED = 8.0, int(os.environ.get("ATTACK_SEED", "1"))


@pytest.mark.long("tests/property/test_signed.py and test_hostile_records.py; `scripts/attack` alone runs more")
@pytest.mark.timeout(600)  # a slow machine is given longer
def test_given_some_seconds_of_an_attack_then_every_promise_is_kept(tmp_path: Path) -> None:
    report = attacked(tmp_path, seconds=SECONDS, seed=SEED)
    assert report.found == [], report
