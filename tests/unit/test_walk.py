"""The way through a trail: of some time, shown and paced, and by day as well as in one go."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import orjson
from click.testing import CliRunner
from rich.progress import Progress

from gatekeeper.audit.export.export_reader import ExportReader
from gatekeeper.cli.audit import command
from gatekeeper.cli.audit.reading import Pace, TrailWalk
from gatekeeper.ground.times import instant, span
from schemas.topics import DAY_MS
from tests.support.trails import Trail


class Counted(Pace):
    """Holds nothing up, and counts what is done."""

    def __init__(self) -> None:
        super().__init__(0)
        self.records = 0

    def done(self, records: int) -> None:
        self.records += records


def test_from_a_time_on_then_what_was_before_is_passed_and_all_is_paced_and_shown(tmp_path: Path) -> None:
    trail, passed, pace = Trail(seed=4, partitions=1).write(6), list[bytes](), Counted()
    times = [orjson.loads(step.value)["t1"] for step in trail.steps]
    since, to = (span(times[number], "UTC").first // 1000 for number in (2, 4))
    export, counting = (
        ExportReader(trail.export(tmp_path / "out")),
        Progress(disable=True),
    )  # it counts and draws nothing
    walk = TrailWalk(export, since, to, pace, passed.append, bar=counting)
    assert [link.offset for link in walk.links(0)] == [step.offset for step in trail.steps[2:4]]
    assert passed == [record for step in trail.steps[:2] for record in step.records]
    every = sum(len(step.records) for step in trail.steps)
    assert (pace.records, counting.tasks[0].completed) == (every, every)


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
