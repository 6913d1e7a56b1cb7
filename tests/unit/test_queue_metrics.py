"""The metrics of the review queue: items by the time that is left, and by cause; nobody is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatekeeper.console import queue_metrics
from gatekeeper.console.state import Console
from gatekeeper.ground.metrics import REVIEW_CAUSES, REVIEW_ITEMS
from gatekeeper.ground.times import span
from schemas.topics import DAY_MS
from tests.support.desk import YOUNG, Desk
from tests.support.offline_console import offline_console

MAILED = "2026-12-20"


@pytest.fixture
def held(tmp_path: Path) -> Console:
    """A console with an item that is mailed then, one without a mail date, and one that is settled."""
    desk = Desk(*YOUNG)
    desk.send(mail_date=MAILED)
    desk.send(event_id="E-2", campaign_id="K-2")
    desk.send(event_id="E-3", campaign_id="K-3")
    desk.act("uphold")
    return offline_console(tmp_path, desk=desk).console


@pytest.mark.parametrize(
    ("left", "name"),
    [(-1, "overdue"), (0, "1d"), (7 * DAY_MS - 1, "7d")],
)
def test_items_that_wait_then_each_is_counted_once_by_the_time_left(
    held: Console, monkeypatch: pytest.MonkeyPatch, left: int, name: str
) -> None:
    end = span(MAILED, held.zone()).last // 1000 + 1
    monkeypatch.setattr(Console, "now", lambda _: end - left)
    found = queue_metrics.values(held)[REVIEW_ITEMS]
    assert found.keys() == {("overdue",), ("1d",), ("3d",), ("7d",), ("later",), ("unknown",)}
    assert {labels[0]: n for labels, n in found.items() if n} == {name: 1, "unknown": 1}


def test_items_that_wait_then_their_causes_are_codes_and_all_others_one_number(held: Console) -> None:
    with held.model.read() as db, db:
        db.execute("UPDATE item SET \"primary\" = 'narumi' WHERE mail_date IS NULL")
    assert queue_metrics.values(held)[REVIEW_CAUSES] == {("AGE_UNCERTAIN",): 1, ("other",): 1}
