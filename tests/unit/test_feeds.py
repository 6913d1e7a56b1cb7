"""A feed that is silent withholds whom it speaks of, until it delivers (domain rule 8.3.59)."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from typing import Any

import orjson
import pytest

from gatekeeper.deciding.snapshot import read_snapshot
from gatekeeper.ground.times import instant
from gatekeeper.knowledge import feeds
from gatekeeper.knowledge.store import FactStore
from schemas.events import Feed, Send
from schemas.topics import DAY_MS
from tests.support import invented
from tests.support.desk import Desk
from tests.support.facts import fact

CRM = feeds.Sender("crm")
FEED = invented.feed()
OLD = invented.delivery(at="2026-11-20T06:00:00+09:00")
TODAY = invented.delivery(delivery_id="F-1")


def viewed(store: FactStore) -> Any:
    return invented.view(store, Send.model_validate_json(orjson.dumps(invented.send())))


@pytest.mark.parametrize("order", [*permutations((FEED, OLD, TODAY))][1:])
def test_records_in_any_order_then_the_same_state_and_a_replay_reads_it(order: tuple[invented.Event, ...]) -> None:
    facts = viewed(invented.store(*order))
    assert facts.snapshot == viewed(invented.store(FEED, OLD, TODAY)).snapshot
    (state,) = facts.feeds
    assert (state.id, state.limit, instant(state.closed)) == ("crm", "P2D", "2026-11-23T21:00:00.000Z")
    assert state.due - state.closed == 2 * DAY_MS
    assert read_snapshot(facts.snapshot).feeds == facts.feeds


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


def waiting() -> Desk:
    desk = Desk(invented.source(), invented.consent(), FEED, OLD)
    assert desk.send().codes == ("FACTS_STALE",)
    return desk


def test_a_silent_feed_delivers_then_the_gate_clears_what_waited() -> None:
    desk = waiting()
    before = len(desk.records)
    assert desk.reconsider() == ["withheld"]
    assert len(desk.records) == before, "nothing is written while it is silent"
    desk.learn(TODAY)
    assert desk.reconsider() == ["clear"]
    desk.check_ledger()


def cleared() -> Desk:
    """Returns a desk that cleared a piece four days ago, before the feed was silent."""
    desk = Desk(invented.source(), invented.consent(), FEED, OLD)
    desk.at = invented.T - 4 * DAY_MS
    assert desk.send().verdict == "clear"
    desk.at = invented.T
    return desk


def test_a_withdrawal_while_the_feed_is_silent_then_a_cleared_piece_is_recalled() -> None:
    desk = cleared()
    assert desk.weigh() == [], "silence says nothing against a piece"
    desk.learn(invented.suppression())
    (recalled,) = desk.weigh()
    assert [output.topic for output in recalled.outputs] == ["recalls"]
    desk.check_ledger()


def test_a_hand_off_while_the_feed_is_silent_then_the_piece_waits_for_the_next_one() -> None:
    desk = cleared()
    assert [outcome for outcome, _ in desk.campaign("handoff")] == ["done"]
    assert [act.code for record in desk.records if (act := record.act)] == ["pieces_wait"]
    desk.learn(TODAY)
    assert [outcome for outcome, _ in desk.campaign("handoff", act_id="handoff-2")] == ["handed", "done"]
    desk.check_ledger()
