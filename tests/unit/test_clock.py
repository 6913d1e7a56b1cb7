"""The known difference between a worker's clock and the broker's."""

import pytest

from streams.worker.clock import Clock


@pytest.mark.parametrize(
    ("sent", "acknowledged", "appended", "off_by"),
    [(100, 120, 110, 0), (100, 120, 100, 0), (100, 120, 120, 0), (100, 120, 90, 10), (100, 120, 150, 30)],
    ids=["between", "at sending", "at acknowledgement", "ours is ahead", "ours is behind"],
)
def test_given_a_write_then_the_distance_is_what_the_broker_could_not_have_stamped(
    sent, acknowledged, appended, off_by
):
    clock = Clock()
    clock.observe(start=clock.start(), sent=sent, acknowledged=acknowledged, appended=appended)
    assert clock.off_by == off_by


def test_given_a_jump_while_a_write_is_on_its_way_then_the_clock_is_off_by_it(monkeypatch):
    clock = Clock()
    start, right = clock.start(), Clock.now
    monkeypatch.setattr(Clock, "now", lambda self: right(self) + 3_600_000)
    clock.observe(start=start, sent=100, acknowledged=3_600_120, appended=110)
    assert abs(clock.off_by - 3_600_000) < 1_000
