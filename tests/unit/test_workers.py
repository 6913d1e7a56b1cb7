"""The one health page of several workers, what `gatekeeper status` tells of it, and how many there may be."""

from __future__ import annotations

from typing import Any

import pytest
from click.testing import CliRunner

from gatekeeper.cli import worker
from gatekeeper.ground.errors import UsageError
from streams.worker import workers
from tests.support.status_lines import status_shown


def answer(ready: bool, *partitions: int, **more: Any) -> dict[str, Any]:
    """Returns what one worker says that owns these partitions."""
    return {
        "ready": ready,
        "facts_fresh": True,
        "partitions": [*partitions],
        "waiting": {},
        "refused": {},
        "people": 7,
        "policy": "jp-pmark@1",
        "signatures": {"acts": "signed", "waiting": [], "unsigned": [], "lone": [], "refused": []},
        "token_keys": [{"key": "t1", "stops": 2, "sources": 7, "held": True}],
        **more,
    }


def test_all_are_ready_then_the_sum_is_what_one_worker_with_all_partitions_says() -> None:
    found = workers.summed([answer(True, 1), answer(True, 0, people=8)], [11, 12], [None, 70])
    rows = found.pop("processes")
    assert found == answer(True, 0, 1, people=8)
    own = {"ready": True, "facts_fresh": True, "waiting": {}, "refused": {}}
    assert rows == [
        {"process": 0, "pid": 11, "code": None, "partitions": [1], **own},
        {"process": 1, "pid": 12, "code": 70, "partitions": [0], **own},
    ]


def test_one_does_not_answer_then_the_sum_is_not_ready_whatever_the_other_says(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = workers.summed([answer(True, 0), answer(False, 1), None, None], [11, 12, 13, None], [None, None, 70, -9])
    assert (found["ready"], found["partitions"]) == (False, [0, 1])
    assert [row["ready"] for row in found["processes"]] == [True, False, None, None]
    said = status_shown(found, capsys)
    for part in ("process 1: not ready", "process 2: no answer (process id 13)", "process 3: ended with exit code -9"):
        assert part in said
    assert "process 0" not in said


@pytest.mark.parametrize("asked", ["0", "9", "two"])
def test_a_number_of_processes_that_cannot_be_then_it_is_a_wrong_call(asked: str) -> None:
    done = CliRunner().invoke(worker.command, ["--processes", asked], env={"GATEKEEPER_PARTITIONS": "8"})
    assert isinstance(done.exception, UsageError)
    assert "8" in str(done.exception)
