"""Going on through a trail: behind the manifest that was taken last, and nowhere else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gatekeeper.audit.checks.trail import Link
from gatekeeper.cli.audit import command
from gatekeeper.cli.audit.reading import Pace
from gatekeeper.cli.audit.walk import Mark, Walk
from gatekeeper.errors import UsageError
from streams.operations.trail import Bounds, LiveTrail
from tests.trails import Step, Trail

VERBS = {"replay": [], "what-if": ["--policy", "jp-appi", "--allow-widening"]}


class Live(LiveTrail):
    """The steps of one partition of a running system, whose topic `manifests` ends there."""

    def __init__(self, steps: list[Step], end: int) -> None:
        self._steps = steps
        bounds = {0: (steps[0].offset if steps else end, end)}
        self.bounds = Bounds(since=None, manifests=bounds, audit=bounds, covered={0: 0})

    def links(self, partition: int) -> Iterator[Link]:
        for step in self._steps:
            yield Link(partition, step.offset, step.value, step.sig, step.records)


class Counted(Pace):
    """Holds nothing up, and counts what is done."""

    def __init__(self) -> None:
        super().__init__(0)
        self.records = 0

    def done(self, records: int) -> None:
        self.records += records


@pytest.fixture
def trail() -> Trail:
    return Trail(seed=4, partitions=1).write(6)


def walked(
    steps: list[Step], marks: dict[int, Mark], *, whole: bool = False, end: int = 100
) -> tuple[list[int], list[bytes], Walk, Counted]:
    """Returns the offsets that are taken, the records that are passed, and what went there, how fast."""
    passed, pace = list[bytes](), Counted()
    walk = Walk(Live(steps, end), None, None, pace, Path("state"), passed.append, whole=whole)
    walk.go_on(marks, 1)
    taken = []
    for link in walk.links(0):
        walk.took(link)
        taken.append(link.offset)
    return taken, passed, walk, pace


def mark(step: Step) -> dict[int, Mark]:
    return {0: Mark.of(Link(0, step.offset, step.value, step.sig, step.records))}


@pytest.mark.parametrize("whole", [True, False])
def test_behind_a_mark_then_what_it_stands_on_is_passed_and_paced_and_shown_and_the_rest_is_taken(
    trail: Trail, whole: bool
) -> None:
    taken, passed, walk, pace = walked(trail.steps, mark(trail.steps[2]), whole=whole)
    assert taken == [step.offset for step in trail.steps[3:]]
    assert passed == [record for step in trail.steps[:3] for record in step.records]
    every = sum(len(step.records) for step in trail.steps)
    assert (pace.records, walk.bar.tasks[0].completed) == (every, every)
    assert (walk.marks, walk.records) == (mark(trail.steps[5]), 1 + every - len(passed))


@pytest.mark.parametrize("whole", [True, False])
def test_a_trail_that_is_not_the_one_that_was_taken_then_exit_2(trail: Trail, whole: bool) -> None:
    others = Trail(seed=5, partitions=1).write(6).steps
    for steps in (others, [], trail.steps[:2], [*trail.steps[:2], *trail.steps[3:]], trail.steps[4:]):
        with pytest.raises(UsageError) as caught:
            walked(steps, mark(trail.steps[2]), whole=whole)
        assert (caught.value.key, caught.value.values["offset"]) == ("error.state_lost", trail.steps[2].offset)
    with pytest.raises(UsageError):
        walked(trail.steps, {1: mark(trail.steps[2])[0]}, whole=whole)


def test_what_was_taken_has_expired_then_it_goes_on_where_nothing_is_missing_unless_it_is_about_the_whole(
    trail: Trail,
) -> None:
    last, left = mark(trail.steps[2]), trail.steps[3:]
    assert walked(left, last)[0] == [step.offset for step in left]
    assert walked([], last, end=trail.steps[2].offset + 2)[0] == []
    for steps, end in ((left, 100), ([], trail.steps[2].offset + 2)):
        with pytest.raises(UsageError):
            walked(steps, last, whole=True, end=end)
    for end in (trail.steps[2].offset, trail.steps[2].offset + 3):
        with pytest.raises(UsageError):
            walked([], last, end=end)
    with pytest.raises(UsageError):
        walked(trail.steps[:2], last, end=trail.steps[2].offset + 2)


def called(verb: str, folder: Path, state: Path, *more: str) -> Result:
    return CliRunner().invoke(command, [verb, str(folder), *VERBS[verb], "--state", str(state), "--json", *more])


@pytest.mark.parametrize("verb", VERBS)
def test_an_export_that_was_changed_then_the_state_of_another_is_not_gone_on_with(
    trail: Trail, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    folder, state = trail.export(tmp_path / "out"), tmp_path / "state"
    took = Walk.took

    def interrupted(self: Walk, link: Link) -> None:
        if link.offset == trail.steps[3].offset:
            raise KeyboardInterrupt
        took(self, link)

    with monkeypatch.context() as patch:
        patch.setattr("gatekeeper.cli.audit.state.SAVE_SECONDS", 0)
        patch.setattr("gatekeeper.cli.audit.state.SHARE", 1)
        patch.setattr(Walk, "took", interrupted)
        called(verb, folder, state)
    before = json.loads(state.read_bytes())
    assert before["marks"] == {"0": mark(trail.steps[2])[0].model_dump()}
    trail.put(folder, Trail(seed=5, partitions=1).write(6).steps)
    done = called(verb, folder, state)
    assert isinstance(done.exception, UsageError), done
    after = json.loads(state.read_bytes())
    assert (done.exception.key, after["marks"], after["records"]) == (
        "error.state_lost",
        before["marks"],
        before["records"],
    )
    trail.put(folder, trail.steps)
    done = called(verb, folder, state)
    records = sum(len(step.records) for step in trail.steps[:3])
    assert (done.exit_code, f"{records} records that {state} tells of" in done.stderr) == (0, True), done


def test_a_replay_that_ended_then_the_next_one_takes_what_is_new_and_refuses_a_gap(
    trail: Trail, tmp_path: Path
) -> None:
    folder, state = trail.export(tmp_path / "out"), tmp_path / "state"

    def new(steps: list[Step]) -> Any:
        trail.put(folder, steps)
        done = called("replay", folder, state)
        return json.loads(done.stdout)["records"] if done.exit_code == 0 else done.exception

    assert new(trail.steps[:3]) == sum(len(step.records) for step in trail.steps[:3])
    assert new(trail.steps[:4]) == len(trail.steps[3].records)
    assert new(trail.steps[4:5]) == len(trail.steps[4].records), "what was taken may expire"
    trail.write(2)
    assert isinstance(new(trail.steps[6:]), UsageError), "what was not taken may not"
