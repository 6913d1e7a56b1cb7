"""Ages instead of birth dates: what is read, what is told, and by whose calendar."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from gatekeeper.deciding.facts import NO_AGES, Ages, HeldConsent
from gatekeeper.knowledge.ages import Birth, ages
from tests.support import invented

ZONE = "Asia/Tokyo"


def consent(**fields: Any) -> HeldConsent:
    arrived = fields.pop("arrived", None)
    return HeldConsent.model_validate_json(orjson.dumps({**invented.consent(**fields)[1], "arrived": arrived}))


def known(*written: str, consents: tuple[HeldConsent, ...] = (), at: int = invented.T, zone: str = ZONE) -> Ages:
    births = [Birth(one, f"S-{number}") for number, one in enumerate(written)]
    return ages(births, consents, at=at, zone=zone)


@pytest.mark.parametrize(
    ("written", "years"),
    [
        ("2011-11-24", 15),
        ("2011-11-25", 14),
        ("2011-11", 14),
        ("2011", 14),
        ("2010-13", 15),
        ("2011-02-30", 15),
        ("2001-11-25", 24),
        ("1950", 25),
    ],
)
def test_birth_date_then_completed_years_of_the_youngest_reading_and_25_at_most(written: str, years: int) -> None:
    assert known(written) == Ages(years, ("S-0",), {})


@pytest.mark.parametrize("written", ["1904-12-31", "2026-11-25", "2027"])
def test_impossible_birth_date_then_none(written: str) -> None:
    assert known(written) == NO_AGES
    assert known(written, "2012-01-01") == Ages(14, ("S-1",), {})


def test_birthday_then_it_begins_by_the_calendar_of_the_zone() -> None:
    midnight = invented.T - 10 * 3_600_000
    assert known("2011-11-24", at=midnight).now == 15
    assert known("2011-11-24", at=midnight - 1).now == 14
    assert known("2011-11-24", at=midnight, zone="Europe/London").now == 14


def test_consents_given_then_the_age_on_every_day_from_which_they_may_speak() -> None:
    arrived = invented.T - 365 * 86_400_000
    yes = consent(event_time="2024-05-01", recorded_at="2026-06-01T00:30:00+09:00", arrived=arrived)
    no = consent(state="Withdrawn", event_time="2023-05-01", recorded_at="2023-05-01T10:00:00+09:00")
    assert known("2010-05-02", consents=(yes, no)).by_day == {"2024-05-01": 13, "2025-11-24": 15, "2026-06-01": 16}
