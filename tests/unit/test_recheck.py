"""A record held against the topics: what a worker of our key makes up about people's acts is found."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from gatekeeper.audit.archive import Archive
from gatekeeper.audit.library import Library
from gatekeeper.audit.recheck import Recheck
from gatekeeper.audit.record import did
from gatekeeper.packs import load
from gatekeeper.records import Record
from schemas.audit import Stage
from schemas.codec import canonical
from tests import world
from tests.desk import YOUNG
from tests.records import Recorded, named

KNOWN = [*world.REFERENCE, *YOUNG]
AT = {topic: [len(KNOWN)] for topic in ("sources", "consents", "suppressions", "reference")}
SENT = world.send()


class Kept:
    """A send, and what else stands on the topics."""

    def __init__(self, *records: Record) -> None:
        self.records = (Record("mail.sends.v1", 3, 1, world.T, None, orjson.dumps(SENT)), *records)

    def at(self, topic: str, partition: int, offset: int) -> Record | None:
        place = f"mail.{topic}.v1", partition, offset
        return next((one for one in self.records if (one.topic, one.partition, one.offset) == place), None)

    def expired(self, topic: str, partition: int, offset: int) -> bool:
        return False


def recheck(*records: Record) -> Recheck:
    archive = Archive()
    for offset, (topic, value) in enumerate(KNOWN):
        archive.apply(topic, 0, offset, None, orjson.dumps(value))
    inputs = Kept(*records)
    return Recheck(Library(named()), archive, inputs, load("jp-pmark"), tokens=world.TOKENS, whole=True)


@pytest.fixture
def released() -> dict[str, Any]:
    """The record of a release that cleared the send."""
    desk = Recorded(*YOUNG)
    desk.send(SENT)
    assert desk.act("release") == ("cleared", None)
    found: dict[str, Any] = orjson.loads(desk.values[-1])
    return found


@pytest.mark.parametrize("without", ["verdict", "stage", "src", "did", "act", "act.outcome", "act.item", "facts"])
def test_what_is_no_record_then_later_ones_stand_on_nothing_of_it(released: dict[str, Any], without: str) -> None:
    inside, _, name = without.rpartition(".")
    del (released[inside] if inside else released)[name]
    check = recheck()
    for value in (canonical(released), canonical(released)[:-1], b"[]", b""):
        check.passed(value)
        assert check.replay(value, AT).replayed.finding in ("drift", "unknown")


@pytest.mark.parametrize(
    ("topic", "stage", "outcome"),
    [
        ("sends", "release", "cleared"),
        ("sends", "act", "cleared"),
        ("review", "release", "cleared"),
        ("review", "act", "asked"),
    ],
)
def test_an_act_that_nobody_wrote_then_the_record_does_not_follow(
    released: dict[str, Any], topic: str, stage: Stage, outcome: str
) -> None:
    src = {"topic": f"mail.{topic}.v1", "partition": 3, "offset": 1, "timestamp": world.T}
    id_ = did(src["topic"], 3, 1, stage)
    value = canonical(
        released | {"src": src, "did": id_, "stage": stage, "act": {**released["act"], "outcome": outcome}}
    )
    found = recheck(Record("mail.review.v1", 3, 1, world.T, None, orjson.dumps(SENT))).replay(value, AT).replayed
    assert (found.finding, found.place) == ("drift", "src")
