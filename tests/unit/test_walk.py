"""The way through a trail: of some time, shown and paced, and by day as well as in one go."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import orjson
from click.testing import CliRunner

from gatekeeper.cli.audit import command
from gatekeeper.ground.times import instant, span
from schemas.topics import DAY_MS
from tests.support.trails import Trail


def test_replayed_day_by_day_then_each_record_is_derived_once_and_the_same_is_found(tmp_path: Path) -> None:
    trail = Trail(seed=4, partitions=2, apart=(36_000_000, 72_000_000)).write(12)
    folder = trail.export(tmp_path / "out")

    def findings(*more: str) -> Counter[str]:
        done = CliRunner().invoke(command, ["replay", str(folder), "--json", *more])
        assert done.exit_code == 0, done
        return Counter(orjson.loads(done.stdout)["stages"])

    whole, days = findings(), list[Counter[str]]()
    at = span("2026-11-24", "UTC").first // 1000
    while sum(map(Counter.total, days)) < whole.total() and len(days) < 12:
        days.append(findings("--from", instant(at), "--to", instant(at := at + DAY_MS)))
    assert sum(days, Counter[str]()) == whole
    assert len([day for day in days if day]) > 2
