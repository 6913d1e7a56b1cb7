"""`gatekeeper erase` and `readmit`: the stops and an act to every partition, all of it or nothing."""

from __future__ import annotations

import json

import pytest

from tests.cli.conftest import Run, System
from tests.support.world import source_of, token_of

pytestmark = pytest.mark.main

TOKEN = token_of("p-1")


def test_erased_then_person_and_addresses_are_stopped_and_each_partition_has_the_act(run: Run, system: System) -> None:
    point = {"id": "cp-1", "token": TOKEN}
    system.put("sources", json.dumps(source_of("p-1", contact_points=[point])).encode(), key=b"p-1")
    system.put("sources", json.dumps(source_of("p-2", contact_points=[{**point, "id": "cp-2"}])).encode(), key=b"p-2")
    system.put("sources", b"{broken", key=b"p-1")
    assert "--yes" in run("erase", "p-1", "--reason", "asked by letter").says(2)
    done = run("erase", "p-1", "--reason", "asked by letter", "--yes", "--json")
    assert done.code == 0, done.err
    told = json.loads(done.out)
    acts = system.decoded("acts")
    assert {(act.kind, act.recipient_id, act.act_id) for act in acts} == {("erase", "p-1", told["act_id"])}
    assert sorted(record.partition for record in system.records("acts")) == list(range(told["partitions"]))
    stops = [(stop.recipient_id, stop.token, stop.state) for stop in system.decoded("suppressions")]
    assert sorted(stops, key=str) == [("p-1", None, None), (None, TOKEN, None)]
    assert (told["sources"], told["unreadable_sources"]) == (2, 1)
    assert "No source" not in done.err
    assert "p-1" not in done.out + done.err


def test_readmitted_by_two_then_the_stops_of_the_erasure_are_corrected(run: Run, people: System) -> None:
    point = {"id": "cp-1", "token": TOKEN}
    people.put("sources", json.dumps(source_of("p-1", contact_points=[point])).encode(), key=b"p-1")
    for name in ("p-1", "p-2"):
        assert run("erase", name, "--reason", "asked by letter", "--yes", "--by", "yuki").code == 0
    why = ("--reason", "joined again", "--by")
    assert "--evidence" in run("readmit", "p-1", *why, "hanako").says(2)
    first = run("readmit", "p-1", *why, "hanako", "--evidence", "form-91")
    assert (first.code, "second manager" in first.err) == (0, True)
    assert run("readmit", "p-1", *why, "taro", "--evidence", "form-91").code == 0
    stops = [stop for stop in people.decoded("suppressions") if stop.recipient_id != "p-2"]
    assert {(stop.recipient_id, stop.token, stop.by) for stop in stops if stop.state} == {
        (*whom, by) for whom in (("p-1", None), (None, TOKEN)) for by in ("hanako", "taro")
    }
    assert [stop.state for stop in people.decoded("suppressions") if stop.recipient_id == "p-2"] == [None]
    assert "recipient" in run("readmit", "p-1", *why, "hanako", "--evidence", "form-91").says(2)
    assert "recipient" in run("readmit", "p-3", *why, "hanako", "--evidence", "form-91").says(2)


def test_a_recipient_that_looks_like_an_address_then_it_is_refused_and_not_repeated(run: Run, system: System) -> None:
    said = run("erase", "hanako@mail.example", "--reason", "asked", "--yes").says(2)
    assert "hanako@" not in said
    assert system.decoded("acts") == []
