"""The filter of the review queue: what it takes, what it refuses and how, and which items it means."""

from __future__ import annotations

from typing import Any

import pytest

from gatekeeper.ground.errors import UsageError
from gatekeeper.review.filter import KEYS, parse
from gatekeeper.review.review_item import Item
from schemas.events import ReviewPlace

NOW = 1_764_000_000_000
HOUR = 3_600_000


def item(**other: Any) -> Item:
    fields: dict[str, Any] = {
        "id": "A" * 26,
        "place": ReviewPlace(partition=0, offset=1),
        "recipient": "R1",
        "campaign": "spring",
        "channel": "postal",
        "purpose": "mkt.dm.own",
        "controller": "C1",
        "source": "S-1",
        "verdict": "review",
        "codes": ("AGE_UNCERTAIN", "CONSENT_MISSING"),
        "mail_date": "2026-12-01",
        "seen": NOW - 36 * HOUR,
        "origin": "batch/B-1",
        "run": "r-1",
    }
    return Item(**(fields | other))


def means(query: str, one: Item) -> bool:
    return parse(query).matches(one, now=NOW, zone="Asia/Tokyo")


MEANT = [
    *("?state=open", "state=any", "verdict=review", "reason=CONSENT_MISSING", "primary=AGE_UNCERTAIN"),
    *("campaign=spring&channel=postal", "channel=email,postal", "channel=email&channel=postal", "source=S-1"),
    *("origin=batch/B-1", "recipient=R1", "controller=C1", "older_than=35h", "older_than=1d"),
    *("before=2026-12-02", "run=r-1"),
]
OTHERS = [
    *("state=upheld", "verdict=block", "reason=SOURCE_UNKNOWN", "primary=CONSENT_MISSING"),
    *("campaign=spring&channel=email", "source=S-2", "origin=notice/B-1", "origin=none", "recipient=R2"),
    *("controller=C2", "older_than=36h", "older_than=2d", "before=2026-12-01", "run=r"),
]


def test_an_item_then_those_queries_mean_it_that_say_what_it_is() -> None:
    assert [query for query in (*MEANT, "", f"id={'A' * 26}") if not means(query, item())] == []
    assert [query for query in (*OTHERS, f"id={'B' * 26}") if means(query, item())] == []
    assert not means("before=2199-01-01", item(mail_date=None))
    tried = {part.split("=")[0].lstrip("?") for query in MEANT for part in query.split("&")}
    assert tried | {"id"} == set(KEYS), "a query with each key is tried"


@pytest.mark.parametrize(
    "query",
    [
        "state=closed",
        "reason=NO_SUCH_REASON",
        "recipient=hanako@mail.example",
        "older_than=-1d",
        "older_than=٣d",
        "before=2026-13-01",
        "id=a b",
    ],
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
