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
    archive, facts = Archive(), [*facts, *others]
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
    (value,) = desk.values
    assert recheck.replay(value, at).unseen is None
    assert recheck.replay(value, at).replayed.finding == "same"
