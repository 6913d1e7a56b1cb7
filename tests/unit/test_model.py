"""The read model: what a page reads of it is of one moment, and no record stops it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gatekeeper.index import flow
from gatekeeper.index.model import Model
from gatekeeper.index.parts import PARTS
from schemas.record import Record
from tests.support import invented


@pytest.fixture
def model(tmp_path: Path) -> Model:
    return Model(tmp_path, PARTS, zone="Asia/Tokyo")


DECIDED = {"did": "D-1", "at": "2026-11-24T01:00:00.000Z", "verdict": "review", "reasons": [], "mode": "live",
           "stage": "intake", "act": None, "campaign": "K-1", "basis": None, "facts": {}}  # fmt: skip


@pytest.mark.parametrize(
    "odd",
    [
        *({"stage": "act", "act": "x"}, {"stage": "act", "act": {"item": ["D-2"], "outcome": "recorded"}}),
        *({"verdict": 2**64 - 1}, {"campaign": ["K-1"]}, {"reasons": [{"code": ["X"]}]}),
    ],
    ids=str,
)
def test_a_record_that_no_worker_wrote_then_it_leaves_nothing_and_the_next_is_taken(
    model: Model, odd: dict[str, Any]
) -> None:
    def audit(offset: int, value: dict[str, Any]) -> Record:
        return Record("audit", 0, offset, invented.T, b"D-1", json.dumps(value, separators=(",", ":")).encode(), ())

    model.take([audit(0, {**DECIDED, **odd}), audit(1, DECIDED)])
    assert ({place: (one.next, one.last) for place, one in model.positions().items()}, model.skipped) == (
        {("audit", 0): (2, 1)}, 1,
    )  # fmt: skip
    with model.read() as db:
        counts = flow.campaign(db, "K-1")
        hours = {verdict: n for _, verdict, _, n in flow.decided(db, 0)}
    assert counts is not None
    assert (hours, counts.decided) == ({"review": 1}, 1)
