"""Times: instants, not strings; a day is a span in the policy's zone."""

from __future__ import annotations

from gatekeeper.ground.times import Span, span

HOUR = 3_600_000_000


def test_day_given_then_its_first_and_last_microsecond_there() -> None:
    found = span("2026-04-01", "Asia/Tokyo")
    assert found.first == span("2026-03-31T15:00:00Z", "Asia/Tokyo").first
    assert found == Span(found.first, found.first + 24 * HOUR - 1)


def test_day_with_a_changing_clock_then_23_hours() -> None:
    found = span("2026-03-29", "Europe/London")
    assert found.last - found.first + 1 == 23 * HOUR
