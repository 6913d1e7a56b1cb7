"""The arrival of an event: kept where a rule may read it, and of several copies the earliest."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from typing import Any

import orjson
import pytest

from gatekeeper.deciding.snapshot import read_snapshot
from gatekeeper.knowledge.file_arrival import filed
from gatekeeper.knowledge.store import FactStore
from gatekeeper.policy.packs import load
from schemas.events import Send
from tests.support import invented
from tests.support.facts import fact

DAY = 86_400_000
SEND = Send.model_validate_json(orjson.dumps(invented.send()))


def arrivals(*events: tuple[invented.Event, int]) -> list[int | None]:
    """Returns the arrivals that the view of a person holds, of events that the log took at these instants."""
    store = FactStore()
    for offset, ((topic, value), at) in enumerate(events):
        assert store.apply(replace(fact(topic, 0, offset, None, orjson.dumps(value)), timestamp=at)) is None
    view = invented.view(store, SEND)
    replayed = read_snapshot(view.snapshot)
    assert (replayed.consents, replayed.suppressions) == (view.consents, view.suppressions)
    return [one.arrived for one in view.consents] + [hit.stop.arrived for hit in view.suppressions]


@pytest.mark.parametrize(
    ("event", "kept"),
    [
        (invented.consent(event_time="2026-11-23", recorded_at="2026-11-23T09:00:00+09:00"), False),
        (invented.consent(event_time="2026-11-25", recorded_at="2026-11-25"), True),
        (invented.consent(state="Withdrawn"), True),
        (invented.consent(state="Withdrawn", controller_id="*", purpose=None), False),
        (invented.suppression(), True),
        (invented.suppression(scope={"purpose": "mkt.dm.own"}), True),
    ],
)
def test_an_event_then_its_arrival_is_kept_only_where_a_rule_may_read_it(event: invented.Event, kept: bool) -> None:
    assert arrivals((event, invented.T)) == [invented.T if kept else None]


@pytest.mark.parametrize(
    ("arrived", "codes"),
    [(invented.T - DAY, ("NO_DATED_BACK",)), (invented.T, ()), (1_551_400_000_000, ())],
    ids=["yesterday", "of a file", "at its time"],
)
def test_an_old_stop_without_recording_then_it_was_recorded_when_it_arrived(arrived: int, codes: tuple[str]) -> None:
    store = invented.store(invented.source(), invented.consent(event_time="2022-05-01", recorded_at="2022-05-01"))
    _, stop = invented.suppression(received_at="2019-03-01T10:00:00+09:00")
    for offset, at in enumerate((arrived + DAY, arrived)):
        assert store.apply(replace(fact("suppressions", 0, offset, None, orjson.dumps(stop)), timestamp=at)) is None
    found = invented.decide(SEND, invented.view(store, SEND), store.reference, load("jp-pmark"), invented.T)
    assert found.codes == codes


@pytest.mark.parametrize("value", [{"token": "cp-1"}, {}], ids=["of a token", "of a person"])
def test_copies_of_an_event_then_the_earliest_arrival_holds_in_any_order(value: dict[str, Any]) -> None:
    ahead = invented.consent(event_time="2026-12-24", recorded_at="2026-12-24")
    no = invented.suppression(scope={"controller": "C1"}, **value)
    copies = [(event, invented.T + days * DAY) for event in (ahead, no) for days in (90, 1, 60)]
    for order in permutations((0, 1, 2)):
        assert arrivals(*(copies[base + n] for base in (0, 3) for n in order)) == [invented.T + DAY] * 2


@pytest.mark.parametrize(
    ("value", "arrived"),
    [(b'{"recorded_at":"2026-11-23"}', invented.T - 10 * 3_600_000 - 1), (b"[", invented.T), (None, invented.T)],
)
def test_a_record_from_a_file_then_it_arrived_when_it_was_recorded(value: bytes | None, arrived: int) -> None:
    assert filed(("consents", 0, 1), None, value, at=invented.T, zone="Asia/Tokyo").timestamp == arrived
