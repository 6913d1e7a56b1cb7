"""Each acquisition method has one row: nothing falls through to a default lane."""

from __future__ import annotations

import re
from typing import get_args

import pytest

from gatekeeper.ground.texts import Language, catalogue
from gatekeeper.policy.methods import METHODS, complete
from schemas.events import Method

ROWS = tuple(METHODS.values())


def test_methods_of_the_contract_then_each_has_a_row_with_names() -> None:
    assert set(METHODS) == set(get_args(Method))
    for row in ROWS:
        ja, en = (row.name(language) for language in get_args(Language))
        assert re.search(r"[ぁ-んァ-ヶ一-龯]|Web", ja), ja
        assert en.isascii(), en
        assert row.dpv.startswith("dpv:")


def test_method_without_a_row_then_refused_by_name() -> None:
    with pytest.raises(LookupError, match=r"public\.web"):
        complete(row for row in ROWS if row.code != "public.web")


def test_method_with_two_rows_or_without_a_reason_then_refused_by_name() -> None:
    with pytest.raises(LookupError, match=r"public\.web"):
        complete((*ROWS, METHODS["public.web"]))
    with pytest.raises(LookupError, match=r"public\.web"):
        complete(row._replace(unconfirmed=None) if row.code == "public.web" else row for row in ROWS)


def test_method_without_names_then_refused_by_name() -> None:
    with pytest.raises(LookupError, match=r"direct\.telepathy"):
        complete((*ROWS, METHODS["direct.contract"]._replace(code="direct.telepathy")))  # type: ignore[arg-type]


def test_methods_that_people_are_asked_about_then_a_letter_can_state_each_route() -> None:
    routes = {"direct" if row.lane == "own" else row.code for row in ROWS if row.lane != "unknown"}
    assert {key.removeprefix("notice.route.") for key in catalogue() if key.startswith("notice.route.")} == routes
