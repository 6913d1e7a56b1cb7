"""The filter of the review queue: what it refuses and how; tests/property/test_search.py has what it means."""

from __future__ import annotations

import pytest

from gatekeeper.ground.errors import UsageError
from gatekeeper.review.filter import parse
from gatekeeper.review.review_item import Item

NOW = 1_764_000_000_000


def means(query: str, one: Item) -> bool:
    return parse(query).matches(one, now=NOW, zone="Asia/Tokyo")


@pytest.mark.parametrize(
    "query", ["state=closed", "recipient=hanako@mail.example", "older_than=٣d", "before=2026-13-01"]
)
def test_a_value_that_no_item_can_have_then_its_key_is_named_and_not_the_value(query: str) -> None:
    key, _, value = query.partition("=")
    with pytest.raises(UsageError) as refused:
        parse(query)
    assert f" {key} " in str(refused.value)
    assert not value or f"{value} " not in str(refused.value)


@pytest.mark.parametrize("query", ["open", "statu=open", "&", "緑野 花子=1", "%ff=1"])
def test_no_query_then_it_is_refused_without_repeating_a_name(query: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse(query)
    assert "緑野" not in str(refused.value)
