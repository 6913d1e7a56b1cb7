"""The console's counts equal those of a read of the whole topics, in any order of arrival."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import orjson
import pytest

from gatekeeper.index import flow
from gatekeeper.index.model import Model
from gatekeeper.management.campaign import Campaign, Counts
from schemas.record import Record
from tests.support import invented
from tests.support.desk import YOUNG, Desk
from tests.support.invented import consenting, withdrawn

ZONE = "Asia/Tokyo"


@pytest.fixture
def model(tmp_path: Path) -> Model:
    return Model(tmp_path, (flow.PART,), zone=ZONE)


@pytest.fixture
def desk() -> Desk:
    """Pieces of a campaign that were cleared, withheld, released, fallen, handed off and called back afterwards."""
    desk = Desk(*consenting("P-2"), *consenting("P-3"), *YOUNG)
    for name in ("P-1", "P-2", "P-3", "P-4"):
        desk.send(recipient_id=name)
    desk.send(recipient_id="P-2", campaign_id="K-2")
    desk.act("release", item=0)
    desk.learn(withdrawn("P-3"))
    desk.campaign("handoff")
    desk.campaign("cancel")
    return desk


def on(topic: str, values: Iterable[bytes | None], at: int = invented.T) -> list[Record]:
    return [Record(topic, 0, n, at, None, value, ()) for n, value in enumerate(values)]


def audit(desk: Desk) -> list[Record]:
    return on("audit", (orjson.dumps(one.model_dump(mode="json", by_alias=True)) for one in desk.records))


def recalls(desk: Desk) -> list[Record]:
    return on("recalls", (output.value for output in desk.outputs["recalls"]))


def whole(desk: Desk, id_: str) -> Counts:
    found = Campaign(id_)
    for record in audit(desk):
        found.audit(record.value)
    for record in recalls(desk):
        found.recall(record.value)
    return found.counts()


@pytest.mark.parametrize("recalls_first", [False, True])
def test_a_campaign_then_the_counts_are_those_of_the_command(model: Model, desk: Desk, recalls_first: bool) -> None:
    parts = [audit(desk), recalls(desk)]
    for records in reversed(parts) if recalls_first else parts:
        model.take(records)
    with model.read() as db:
        found = flow.campaign(db, "K-1")
        assert found == whole(desk, "K-1")
        assert flow.campaign(db, "K-2") == whole(desk, "K-2")
        assert [counts.id for counts, _ in flow.campaigns(db, most=1)] == ["K-1"]
        assert flow.campaign(db, "K-3") is None
    assert found is not None
    assert (found.handed, found.recalled, found.late) == (2, 3, 2)


def test_what_cannot_be_read_then_it_counts_nowhere_and_stops_nothing(model: Model) -> None:
    broken = [b"{", b"[]", b'{"stage":"intake"}', None]
    model.take([record for topic in ("audit", "sends", "recalls", "manifests") for record in on(topic, broken)])
    with model.read() as db:
        assert flow.campaigns(db, most=9) == []
        assert flow.heads(db) == []
