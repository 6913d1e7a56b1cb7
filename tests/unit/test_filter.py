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


def means(query: str, one: Item, **more: Any) -> bool:
    return parse(query).matches(one, now=NOW, zone="Asia/Tokyo", **more)


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?state=open",
        "state=any",
        "verdict=review",
        "reason=CONSENT_MISSING",
        "primary=AGE_UNCERTAIN",
        "campaign=spring&channel=postal",
        "channel=email,postal",
        "channel=email&channel=postal",
        "source=S-1",
        "origin=batch/B-1",
        "recipient=R1",
        "controller=C1",
        "older_than=35h",
        "older_than=1d",
        "before=2026-12-02",
        "run=r-1",
        f"id={'A' * 26}",
    ],
)
def test_what_an_item_is_then_the_query_means_it(query: str) -> None:
    assert means(query, item())


@pytest.mark.parametrize(
    "query",
    [
        "state=upheld",
        "verdict=block",
        "reason=SOURCE_UNKNOWN",
        "primary=CONSENT_MISSING",
        "campaign=spring&channel=email",
        "source=S-2",
        "origin=notice/B-1",
        "origin=none",
        "recipient=R2",
        "controller=C2",
        "older_than=36h",
        "older_than=2d",
        "before=2026-12-01",
        "run=r",
        f"id={'B' * 26}",
    ],
)
def test_what_an_item_is_not_then_the_query_does_not_mean_it(query: str) -> None:
    assert not means(query, item())


def test_every_key_then_a_query_with_it_is_tried_above() -> None:
    tried = test_what_an_item_is_then_the_query_means_it.pytestmark[0].args[1]  # type: ignore[attr-defined]
    assert {part.split("=")[0].lstrip("?") for query in tried for part in query.split("&")} - {""} == set(KEYS)


def test_several_queries_then_all_must_hold() -> None:
    both = parse("campaign=spring", "channel=email")
    assert not both.matches(item(), now=NOW, zone="Asia/Tokyo")
    assert both.matches(item(channel="email"), now=NOW, zone="Asia/Tokyo")


def test_no_mail_date_then_it_is_before_no_day() -> None:
    assert not means("before=2199-01-01", item(mail_date=None))


def test_a_closed_item_then_only_its_state_or_id_means_it() -> None:
    closed = item(state="upheld")
    assert not means("campaign=spring", closed)
    assert means("campaign=spring", closed, states=("upheld",))
    assert means("state=upheld", closed)
    assert means("state=any", closed)
    assert means(f"id={'A' * 26}", closed)


def test_an_informational_item_then_only_its_reason_or_id_means_it() -> None:
    twice = item(codes=("DUPLICATE_SEND",), verdict="block")
    assert not means("", twice)
    assert not means("state=any&verdict=block", twice)
    assert means("reason=DUPLICATE_SEND", twice)
    assert means("primary=DUPLICATE_SEND", twice)
    assert means(f"id={'A' * 26}", twice)
    assert means("", item(codes=("AGE_UNCERTAIN", "DUPLICATE_SEND"), verdict="block"))


def test_an_unknown_key_then_the_known_ones_are_listed() -> None:
    with pytest.raises(UsageError) as refused:
        parse("statu=open")
    assert "statu" in str(refused.value)
    assert all(key in str(refused.value) for key in KEYS)


@pytest.mark.parametrize(
    "query",
    [
        "state=closed",
        "state=",
        "verdict=clear",
        "reason=NO_SUCH_REASON",
        "channel=pigeon",
        "recipient=hanako@mail.example",
        "origin=batch",
        "origin=list/B-1",
        "older_than=3",
        "older_than=-1d",
        "older_than=٣d",
        "before=tomorrow",
        "before=2026-13-01",
        "before=9999-12-31",
        "before=0001-01-01",
        "before=2026-12-01T00:00",
        "id=a b",
        "campaign=x,,y",
    ],
)
def test_a_value_that_no_item_can_have_then_its_key_is_named_and_not_the_value(query: str) -> None:
    key, _, value = query.partition("=")
    with pytest.raises(UsageError) as refused:
        parse(query)
    assert f" {key} " in str(refused.value)
    assert not value or f"{value} " not in str(refused.value)


@pytest.mark.parametrize("query", ["open", "state=open&", "&", "=", "緑野 花子=1", "%ff=1"])
def test_no_query_then_it_is_refused_without_repeating_it(query: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse(query)
    assert "緑野" not in str(refused.value)
