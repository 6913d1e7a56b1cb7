"""A person is asked once about one source, under whatever ids it stands (domain rule 8.2.48)."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.support.golden_cases import decided

POINTS = ("cp-1", "cp-2", "cp-3")
FORMS = st.fixed_dictionaries(
    {
        "method": st.sampled_from(("direct.point_card", "direct.ec_signup")),
        "notice_id": st.sampled_from(("CARD-V1", "POINTS-V1", None)),
        "contact_points": st.sets(st.sampled_from(POINTS)).map(sorted),
        "acquired_at": st.sampled_from(("2018-04-01", "2026-10-01", None)),
        "state": st.sampled_from(("active", "active", "deleted")),
    }
)


def one_with(forms: list[dict[str, Any]], number: int) -> set[int]:
    """Returns the numbers of the forms that are one source with this one: step by step over what two have in common."""
    alike = [n for n, form in enumerate(forms) if all(form[k] == forms[number][k] for k in ("method", "notice_id"))]
    reached = [{number}]
    for _ in alike:
        reached.append({n for n in alike if any(_common(forms[n], forms[m]) for m in reached[-1])} | reached[-1])
    assert all(before <= after for before, after in pairwise(reached))
    return reached[-1]


def _common(one: dict[str, Any], other: dict[str, Any]) -> bool:
    here, there = set(one["contact_points"]), set(other["contact_points"])
    return one is other or not here or not there or bool(here & there)


@given(st.lists(FORMS, min_size=2, max_size=4), st.integers(0, 3), st.sampled_from(("silent", "returned")))
def test_asked_about_one_of_several_forms_then_the_cap_is_that_of_the_source(
    forms: list[dict[str, Any]], number: int, end: str
) -> None:
    number %= len(forms)
    forms[number]["state"] = "active"  # else the question is about a source that is not on file
    case = {
        "sources": [{"purposes_told": ["mkt.dm.own"], **form} for form in forms],
        "asks": [{"stated_route": forms[0]["method"], "at": "2026-09-24T10:00:00+09:00"}],
        "events": [{"kind": "ask_undelivered", "request_id": "Q-0"}] if end == "returned" else [],
        "send": {"message_class": "confirmation", "source_id": f"S-{number}", "request_id": "Q-9"},
    }
    capped = "CONFIRMATION_CAP_REACHED" in decided(case).codes
    assert capped == (end == "silent" and 0 in one_with(forms, number))
