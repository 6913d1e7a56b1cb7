"""For any facts of a person, replay derives each record byte for byte, and finds its facts."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import given

from gatekeeper.audit.checks.archive import Archive
from gatekeeper.audit.checks.by_hash import ByHash
from gatekeeper.audit.checks.recheck import Recheck
from gatekeeper.audit.checks.replay import replay
from gatekeeper.policy.packs import load
from schemas.record import Record
from tests.support import invented, people
from tests.support.desk import BOUGHT
from tests.support.facts import fact
from tests.support.records import Recorded, named

LIBRARY = ByHash(named())
FACTS = ("sources", "consents", "suppressions")


@given(people.people(), people.sends())
def test_any_person_then_every_record_is_the_same_byte_for_byte(
    facts: list[invented.Event], sent: dict[str, Any]
) -> None:
    desk = Recorded(*facts)
    desk.send(sent)
    if desk.review:
        desk.act("redecide", act_id="r-1")
        desk.act("release", act_id="r-2")
    desk.send(sent | {"event_id": "E-2"})
    desk.campaign("handoff")
    assert {replay(value, LIBRARY).finding for value in desk.values} <= {"same", "silent"}


class Kept:
    """One send at its place."""

    def __init__(self, sent: dict[str, Any]) -> None:
        self.record = Record("mail.sends.v1", 3, 1, invented.T, None, orjson.dumps(sent))

    def at(self, topic: str, partition: int, offset: int, era: int = 0) -> Record | None:
        return self.record if (topic, partition, offset) == ("sends", 3, 1) else None

    def expired(self, topic: str, partition: int, offset: int, era: int = 0) -> bool:
        return False


@given(people.people(), people.other_ids(), people.people(), people.sends())
def test_any_person_then_the_facts_at_the_positions_of_then_are_those_recorded(
    facts: list[invented.Event], others: list[invented.Event], later: list[invented.Event], sent: dict[str, Any]
) -> None:
    rechecked([*facts, *others], later, sent)


def test_questions_to_another_id_then_the_record_has_those_of_then_and_replays() -> None:
    asked = [invented.asked_elsewhere(request_id=f"Q-{number}") for number in range(3)]
    value = rechecked([invented.source(**BOUGHT), *asked[:2]], asked[2:], invented.send())
    said = orjson.loads(value)
    assert said["reasons"][0]["code"] == "CONFIRMATION_CAP_REACHED"
    assert len(said["facts"]["asked"]) == 2
    assert not {"Q-0", "Q-1", "Q-2"} & {ask["request_id"] for ask in said["facts"]["asked"]}
    assert replay(value, LIBRARY).finding == "same"


def rechecked(facts: list[invented.Event], later: list[invented.Event], sent: dict[str, Any]) -> bytes:
    """Returns the record of a send by these facts, which are found again among those that came later."""
    archive = Archive()
    known = [*invented.REFERENCE, *(event for event in facts if event[0] in FACTS)]
    desk = Recorded()
    desk.store = invented.store(*(event for event in facts if event[0] in FACTS))  # without staff, as the archive
    for offset, (topic, value) in enumerate(known):
        archive.apply(fact(topic, 0, offset, None, orjson.dumps(value)))
    at = {topic: [len(known)] for topic in (*FACTS, "reference")}
    for offset, (topic, value) in enumerate(later, start=len(known)):
        if topic in FACTS:
            archive.apply(fact(topic, 0, offset, None, orjson.dumps(value)))
    desk.send(sent)
    recheck = Recheck(LIBRARY, archive, Kept(sent), load("jp-pmark"), tokens=invented.TOKENS, partitions=8)
    (record,) = desk.values
    assert recheck.replay(record, at).unseen is None
    assert recheck.replay(record, at).replayed.finding == "same"
    return record
