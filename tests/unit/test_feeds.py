"""A feed that is silent withholds whom it speaks of, until it delivers (domain rule 8.3.59)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest

from gatekeeper.knowledge import feeds
from schemas.events import Feed
from schemas.topics import DAY_MS
from tests.support import invented
from tests.support.desk import Desk
from tests.support.facts import fact

CRM = feeds.Sender("crm")
FEED = invented.feed()
OLD = invented.delivery(at="2026-11-20T06:00:00+09:00")
TODAY = invented.delivery(delivery_id="F-1")


@pytest.mark.parametrize("end", ["P1D", "PT15M"])
def test_a_limit_then_the_feed_is_silent_a_moment_after_it(end: str) -> None:
    known = feeds.Feeds()
    assert not known.close(CRM, 1_000, 1_000), "nobody waits for it"
    known.register(Feed.model_validate_json(orjson.dumps(invented.feed(limit=end)[1])), 0)
    ((_, state),) = known.standing("crm")
    assert [told.state for told in known.states(state.due)] != ["silent"]
    assert [told.state for told in known.states(state.due + 1)] == ["silent"]


@pytest.mark.parametrize(
    ("caller", "sent_by", "closed"),
    [(None, None, True), (None, "crm", False), ("crm", "crm", True), ("crm", "shop", False), ("crm", None, False)],
)
def test_a_delivery_then_it_closes_the_feed_only_by_the_caller_whom_it_names(
    caller: str | None, sent_by: str | None, closed: bool
) -> None:
    store = invented.store(invented.feed(caller=caller))
    headers = (("gate-caller", sent_by.encode()),) if sent_by else ()
    store.apply(replace(fact("consents", 0, 0, None, orjson.dumps(TODAY[1])), headers=headers))
    ((_, state),) = store.feeds.standing("crm")
    assert (state.closed is not None) is closed


@pytest.mark.parametrize(
    ("said", "counted"),
    [
        ({"count": 40}, False),
        ({"sha256": "0" * 64}, False),
        ({"count": 40, "sha256": "0" * 64}, True),
        ({"position": "lsn-17"}, True),
    ],
)
def test_a_feed_that_counts_then_only_a_counted_delivery_closes_it(said: dict[str, Any], counted: bool) -> None:
    for feed_counts in (True, False):
        _, value = invented.delivery(**{"count": None, **said})
        store = invented.store(invented.feed(counted=feed_counts), ("consents", value))
        ((_, state),) = store.feeds.standing("crm")
        assert (state.closed is not None) is (counted or not feed_counts)


def test_a_hand_off_while_the_feed_is_silent_then_the_piece_waits_for_the_next_one() -> None:
    desk = Desk(invented.source(), invented.consent(), FEED, OLD)
    desk.at = invented.T - 4 * DAY_MS
    assert desk.send().verdict == "clear"
    desk.at = invented.T
    assert [outcome for outcome, _ in desk.campaign("handoff")] == ["done"]
    assert [act.code for record in desk.records if (act := record.act)] == ["pieces_wait"]
    desk.learn(TODAY)
    assert [outcome for outcome, _ in desk.campaign("handoff", act_id="handoff-2")] == ["handed", "done"]
    desk.check_ledger()


TWO: dict[str, Any] = {"by": ["hanako", "taro"], "evidence_ref": "minutes-1"}
HALF_DAY = DAY_MS // 2
SHOP = feeds.Sender("shop")


def feed(**fields: Any) -> Feed:
    return Feed.model_validate_json(orjson.dumps(invented.feed(**fields)[1]))


def known_from(*steps: tuple[Feed, int] | tuple[feeds.Sender, int]) -> feeds.Feeds:
    """Returns feeds after records and deliveries at these times."""
    known = feeds.Feeds()
    for what, at in steps:
        if isinstance(what, Feed):
            known.register(what, at)
        else:
            known.close(what, at, at)
    return known


BEGUN = (feed(), 0), (CRM, 0)
WITH_SHOP, FOUR = (*BEGUN, (feed(id="shop"), 0)), 4 * DAY_MS
REPLACED = feed(ended=True, replaced_by="shop", **TWO)
CHANGES: dict[str, tuple[Any, ...]] = {
    "ended": (*BEGUN, (feed(ended=True, **TWO), FOUR)),
    "one manager names the feed in its place": (
        *(*WITH_SHOP, (feed(ended=True, **TWO), FOUR)),
        *((feed(ended=True, replaced_by="shop"), FOUR + 1), (SHOP, 5 * DAY_MS)),
    ),
    "the feed in its place delivered before": (*WITH_SHOP, (SHOP, FOUR - HALF_DAY), (REPLACED, FOUR)),
    "the feed in its place speaks of others": (
        *(*BEGUN, (feed(id="shop", controllers=["C9"]), 0), (REPLACED, FOUR), (SHOP, 5 * DAY_MS)),
    ),
    "the new caller delivered before it was named": (
        *(*BEGUN, (feeds.Sender("crm", "shop"), FOUR - HALF_DAY), (feed(caller="shop", **TWO), FOUR)),
    ),
    "one manager takes the lists out": (
        *((feed(lists=["B-1"], controllers=["C9"]), 0), (CRM, 0), (feed(controllers=["C9"]), DAY_MS)),
    ),
}


@pytest.mark.parametrize("steps", CHANGES.values(), ids=CHANGES)
def test_any_change_of_a_silent_feed_then_what_is_due_waits(steps: tuple[Any, ...]) -> None:
    assert known_from(*steps).covering(("C1",), {"B-1"})[0].due < 6 * DAY_MS
