"""`gatekeeper correct`: a stop goes once two managers stand for its correction (rule 8.1.40)."""

from __future__ import annotations

import json
import time

import pytest

from gatekeeper.deciding.stops import Stops
from gatekeeper.ground.times import span
from gatekeeper.knowledge.store import FactStore
from schemas.events import Send
from streams.client.reader import Reader
from tests.support import invented

pytestmark = pytest.mark.main

STOP = {"v": 1, "kind": "objection", "suppression_id": "x1", "received_at": "2026-01-01", "recipient_id": "P-1"}
SEND = Send.model_validate_json(json.dumps(invented.send()))


def in_force(system) -> list[str]:
    """Returns the stops of the person that are in force by all that stands on the topics."""
    store = FactStore(system.settings.group)
    with Reader(system.settings) as reader:
        for topic in ("reference", "suppressions", "consents"):
            for record in reader.read(topic, before=reader.settled(topic)):
                store.apply(record)
    stops = Stops.of(invented.view(store, SEND), lambda text: span(text, "Asia/Tokyo"), time.time_ns() // 1000)
    return [hit.stop.suppression_id for hit in stops.in_force()]


def test_a_stop_then_the_second_managers_correction_ends_it(run, people) -> None:
    people.put("suppressions", json.dumps(STOP).encode(), key=b"P-1")
    assert in_force(people) == ["x1"]
    first = run("correct", "x1", "--evidence", "minutes-7", "--by", "hanako", "--yes", "--json")
    assert (first.code, first.json["stops"]) == (0, ["x1"])
    assert "second manager" in first.err
    assert in_force(people) == ["x1"]
    assert run("correct", "x1", "--evidence", "minutes-7", "--by", "taro", "--yes").code == 0
    assert in_force(people) == []


def test_an_unknown_stop_then_nothing_is_written(run, people) -> None:
    done = run("correct", "x9", "--evidence", "minutes-7", "--by", "hanako", "--yes")
    assert (done.code, people.records("suppressions")) == (2, [])
    assert "x9" in done.err
