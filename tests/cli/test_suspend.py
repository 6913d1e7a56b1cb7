"""`gatekeeper suspend`, `resume` and `source quarantine`: fact and act together, and who was last is told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cli.conftest import Run, System
from tests.support.world import day


def controller(system: System, name: str = "midori", **more: Any) -> None:
    value = {"v": 1, "kind": "controller", "id": name, "name": "みどり小売", "group": "midori-holdings", **more}
    system.put("reference", json.dumps(value).encode(), key=f"controller/{name}".encode())


@pytest.mark.main
def test_suspended_then_resumed_then_the_other_fields_stay_and_each_has_its_act(run: Run, system: System) -> None:
    controller(system)
    done = run("suspend", "midori", "--reason", "mark suspended", "--until", day(30), "--json")
    assert (done.code, done.err) == (0, "")
    assert run("resume", "midori", "--reason", "mark is back", "--by", "taro").code == 0
    _, suspended, resumed = system.decoded("reference")
    assert (suspended.name, suspended.group) == (resumed.name, resumed.group) == ("みどり小売", "midori-holdings")
    assert suspended.suspended_until == day(30)
    assert suspended.suspended_since
    assert suspended.suspends is None, "all that can be stopped"
    assert (resumed.suspended_since, resumed.suspended_until, resumed.suspends) == (None, None, None)
    assert (
        run("suspend", "midori", "--reason", "mark suspended", "--class", "marketing", "--class", "confirmation").code
        == 0
    )
    assert system.decoded("reference")[-1].suspends == ("marketing", "confirmation")
    assert run("resume", "midori", "--reason", "mark is back").code == 0
    assert [(act.kind, act.by, act.subject, act.reason) for act in system.decoded("acts")] == [
        ("suspend", "hanako", "controller/midori", "mark suspended"),
        ("resume", "taro", "controller/midori", "mark is back"),
        ("suspend", "hanako", "controller/midori", "mark suspended"),
        ("resume", "hanako", "controller/midori", "mark is back"),
    ]
    assert "not suspended" in run("resume", "midori", "--reason", "again").says(2)
    assert "--reason" in run("resume", "midori").says(2)


@pytest.mark.main
def test_a_record_that_cannot_be_read_then_it_is_not_overwritten(run: Run, system: System) -> None:
    controller(system)
    system.put("reference", b"{broken", key=b"controller/midori")
    assert "reference/0/1" in run("suspend", "midori", "--reason", "x").says(4)
    assert "midori" in run("suspend", "midoriya", "--reason", "x").says(2), "the known ones are named"
    assert system.decoded("acts") == []


@pytest.mark.main
def test_a_batch_then_it_is_quarantined_and_its_check_stays(run: Run, system: System) -> None:
    check = {"checked_at": "2024-01-01", "name": "a", "address": "b", "representative": "c", "how_obtained": "d",
             "basis": "consent"}  # fmt: skip
    value = {"v": 1, "kind": "batch", "id": "B1", "check": check, "flags": ["bought"]}
    system.put("reference", json.dumps(value).encode(), key=b"batch/B1")
    done = run("source", "quarantine", "B1", "--reason", "stolen", "--evidence", "report-1")
    assert done.code == 0
    before, after = system.decoded("reference")
    assert (after.state, after.check, after.flags) == ("quarantined", before.check, ("bought",))
    (act,) = system.decoded("acts")
    assert (act.kind, act.subject, act.evidence_ref) == ("quarantine", "batch/B1", "report-1")
