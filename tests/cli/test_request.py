"""`gatekeeper request`: a reply goes out on a request that somebody of the staff recorded (rule 8.3.50)."""

from __future__ import annotations

import json

import pytest

from gatekeeper.deciding.case import Case
from gatekeeper.deciding.rules.message_class import unrequested
from gatekeeper.knowledge.store import FactStore
from gatekeeper.policy.packs import load
from schemas.events import Send
from streams.client.reader import Reader
from tests.support import invented

pytestmark = pytest.mark.main

REPLY = Send.model_validate_json(json.dumps(invented.send(message_class="rights_reply")))


def owed(system) -> bool:
    """Tells whether the reply to the request 7 may go out by all that stands on the topics."""
    store = FactStore(system.settings.group)
    with Reader(system.settings) as reader:
        for topic in ("reference", "consents"):
            for record in reader.read(topic, before=reader.settled(topic)):
                store.apply(record)
                at = record.timestamp
    facts = invented.view(store, REPLY)
    return not unrequested(Case.of(REPLY, facts, store.reference, load("jp-pmark").at(at), at * 1000))


def test_a_request_then_the_reply_may_go_out(run, people) -> None:
    done = run("request", "P-1", "7", "--asked", "disclosure", "--by", "kenji", "--json")
    assert (done.code, done.json["ground"], done.json["by"]) == (0, "dsr.7", "kenji")
    (record,) = people.records("consents")
    assert json.loads(record.value)["asked"] == "disclosure"
    assert record.header("gate-signature")
    assert owed(people)


def test_a_request_that_a_program_wrote_then_no_reply_goes_out(people) -> None:
    _, event = invented.event(kind="request_received", at="2026-11-20T10:00:00+09:00")
    people.put("consents", json.dumps(event).encode(), key=b"P-1")
    assert not owed(people)
