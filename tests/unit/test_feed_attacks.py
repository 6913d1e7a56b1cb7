"""Nothing frees people of a silent feed but its delivery, and whoever waited is judged again (domain rule 8.3.59)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest

from gatekeeper.audit.checks.archive import Archive
from gatekeeper.ground.times import instant
from gatekeeper.knowledge.feeds import Feeds, Sender
from gatekeeper.knowledge.store import FactStore
from schemas.events import Feed, Send
from schemas.record import Record
from schemas.topics import DAY_MS
from tests.support import invented, staff
from tests.support.copied_topic import COPIED_AT, copied_records, copy_word, reference_records
from tests.support.desk import Desk
from tests.support.facts import T, fact

FEED, OLD = invented.feed(), invented.delivery(at="2026-11-20T06:00:00+09:00")
TODAY = invented.delivery(delivery_id="F-1")
TWO: dict[str, Any] = {"by": ["hanako", "taro"], "evidence_ref": "minutes-1"}
AT, HALF_DAY = invented.T, DAY_MS // 2
CRM, SHOP = Sender("crm"), Sender("shop")
LISTED = invented.source(batch_id="B-1")
HOME = {"name": "見本 一郎", "postcode": "999-0001", "lines": ["緑山県若葉市青葉町1-2-3"]}
AT_HOME = [{"id": "cp-1", "written": HOME}]
SECOND_ID = invented.source(recipient_id="P-9", source_id="S-9", batch_id="B-1", contact_points=AT_HOME)


def feed(**fields: Any) -> Feed:
    return Feed.model_validate_json(orjson.dumps(invented.feed(**fields)[1]))


def silent(known: Feeds, at: int) -> list[str]:
    return [told.feed for told in known.states(at) if told.state == "silent"]


def known_from(*steps: tuple[Feed, int] | tuple[Sender, int]) -> Feeds:
    """Returns feeds after records and deliveries at these times."""
    known = Feeds()
    for what, at in steps:
        if isinstance(what, Feed):
            known.register(what, at)
        else:
            known.close(what, at, at)
    return known


def told(store: FactStore, arrived: int, *headers: tuple[str, Any], **fields: Any) -> list[str]:
    """Applies a delivery that arrives then; returns whose delivery is told to those who wait."""
    heard: list[str] = []
    store.listeners.append(heard.append)
    value = orjson.dumps(invented.delivery(**{"delivery_id": "F-9", "at": instant(arrived), **fields})[1])
    assert store.apply(replace(fact("consents", 1, 90, None, value), timestamp=arrived, headers=headers)) is None
    return [name for name in heard if name.startswith("delivery/")]


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param([(feed(), 0), (CRM, 0), (feed(ended=True, **TWO), 4 * DAY_MS)], id="ended"),
        pytest.param(
            [
                *((feed(), 0), (CRM, 0), (feed(id="shop"), 0), (feed(ended=True, **TWO), 4 * DAY_MS)),
                *((feed(ended=True, replaced_by="shop"), 4 * DAY_MS + 1), (SHOP, 5 * DAY_MS)),
            ],
            id="one manager names the feed in its place",
        ),
        pytest.param(
            [
                *((feed(), 0), (CRM, 0), (feed(id="shop"), 0), (SHOP, 4 * DAY_MS - HALF_DAY)),
                (feed(ended=True, replaced_by="shop", **TWO), 4 * DAY_MS),
            ],
            id="the feed in its place delivered before",
        ),
        pytest.param(
            [
                *((feed(), 0), (CRM, 0), (feed(id="shop", controllers=["C9"]), 0)),
                *((feed(ended=True, replaced_by="shop", **TWO), 4 * DAY_MS), (SHOP, 5 * DAY_MS)),
            ],
            id="the feed in its place speaks of others",
        ),
        pytest.param(
            [
                *((feed(), 0), (CRM, 0), (Sender("crm", "shop"), 4 * DAY_MS - HALF_DAY)),
                (feed(caller="shop", **TWO), 4 * DAY_MS),
            ],
            id="the new caller delivered before it was named",
        ),
        pytest.param(
            [(feed(lists=["B-1"], controllers=["C9"]), 0), (CRM, 0), (feed(controllers=["C9"]), DAY_MS)],
            id="one manager takes the lists out",
        ),
    ],
)
def test_any_change_of_a_silent_feed_then_what_is_due_waits(steps: list[tuple[Any, int]]) -> None:
    known = known_from(*steps)
    assert known.covering(("C1",), {"B-1"})[0].due < 6 * DAY_MS


def test_the_feed_in_its_place_delivers_since_then_what_was_due_is_free() -> None:
    ended = feed(ended=True, replaced_by="shop", **TWO)
    known = known_from((feed(), 0), (CRM, 0), (feed(id="shop"), 0), (ended, 4 * DAY_MS))
    assert silent(known, 5 * DAY_MS) == ["crm", "shop"]
    assert known.close(SHOP, 5 * DAY_MS, 5 * DAY_MS)
    assert silent(known, 5 * DAY_MS) == []


def test_deliveries_of_many_invented_feeds_then_a_registered_one_is_closed() -> None:
    store = invented.store(FEED)
    for n in range(5_000):
        store.feeds.close(Sender(f"x{n}", "shop"), 1, 1)
    told(store, AT)
    ((_, state),) = store.feeds.standing("crm")
    assert state.closed == AT


def test_a_person_of_the_list_under_another_id_then_both_ids_wait() -> None:
    person = invented.source(contact_points=AT_HOME), invented.consent()
    assert Desk(*person, invented.feed(lists=["B-1"])).send(delivery=HOME).verdict == "clear"
    assert Desk(*person, SECOND_ID, invented.feed(lists=["B-1"])).send(delivery=HOME).codes == ("FACTS_STALE",)


def test_a_manager_of_one_company_then_no_feed_over_lists_as_these_may_be_of_any() -> None:
    desk = Desk(LISTED, invented.consent())
    staff.known(desk.store.log, "nine", "manager", at=AT - DAY_MS, controllers=["C9"])
    said = orjson.dumps(invented.feed(controllers=["C9"], lists=["B-1"], limit="PT1M")[1])
    for n, (key, made) in enumerate(staff.signed(("feed/crm", said), "nine", at=staff.instant(T))):
        assert desk.store.apply(replace(fact("reference", 1, 100 + n, key.encode(), made), timestamp=AT)) is None
    desk.at = AT + DAY_MS
    assert desk.send().verdict == "clear"


@pytest.mark.parametrize("caller", [None, "crm"])
def test_a_delivery_then_a_replay_from_the_topics_finds_what_the_worker_saw(caller: str | None) -> None:
    store, archive = FactStore(), Archive()
    headers = (("gate-caller", caller.encode()),) if caller else ()
    events = [*invented.REFERENCE, invented.feed(caller=caller), invented.source(), invented.consent()]
    records = [fact(topic, 0, n, None, orjson.dumps(value)) for n, (topic, value) in enumerate(events)]
    records += [replace(fact("consents", 0, 99, None, orjson.dumps(TODAY[1])), headers=headers)]
    for record in records:
        assert store.apply(record) is None
        archive.apply(record)
    send = Send.model_validate_json(orjson.dumps(invented.send()))
    where: dict[str, Any] = {"zone": "Asia/Tokyo", "asks": b"", "releases": b""}
    seen = store.view(send, None, at=AT, **where)
    assert seen.feeds[0].closed is not None
    for known in (100, 99):
        at = {topic: [known] for topic in ("consents", "reference", "sources", "suppressions")}
        again = archive.view(send, None, at, instant=AT, **where)
        assert (again.snapshot == seen.snapshot) is (known == 100), "before it, the worker knew nothing of it"


def test_a_copied_delivery_then_it_tells_up_to_its_first_arrival_once_it_is_believed() -> None:
    facts = copied_records(invented.delivery(at="2099-01-01T00:00:00+09:00")[1], days=(10,))
    store = FactStore(staff.ORIGIN)
    registered = Record("reference", 0, 0, COPIED_AT - 20 * DAY_MS, None, orjson.dumps(FEED[1]))
    for record in [registered, *facts]:
        assert store.apply(record) is None
    ((_, state),) = store.feeds.standing("crm")
    assert state.closed is None
    lines = [*staff.founding(at=staff.instant(COPIED_AT)), *copy_word(facts)]
    for record in reference_records(lines, first=1):
        assert store.apply(record) is None
    ((_, state),) = store.feeds.standing("crm")
    assert state.closed == COPIED_AT - 10 * DAY_MS
