"""Each acquisition method has one row: nothing falls through to a default lane."""

from __future__ import annotations

from typing import get_args

import pytest

from gatekeeper.policy.methods import METHODS, complete
from schemas.events import Method

ROWS = tuple(METHODS.values())


def test_method_without_a_row_with_two_or_without_a_reason_then_refused_by_name() -> None:
    assert set(METHODS) == set(get_args(Method))
    with pytest.raises(LookupError, match=r"public\.web"):
        complete(row for row in ROWS if row.code != "public.web")
    with pytest.raises(LookupError, match=r"public\.web"):
        complete((*ROWS, METHODS["public.web"]))
    with pytest.raises(LookupError, match=r"public\.web"):
        complete(row._replace(unconfirmed=None) if row.code == "public.web" else row for row in ROWS)
