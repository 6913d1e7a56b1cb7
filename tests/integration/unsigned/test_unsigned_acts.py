"""Acts without a signature: they count while the setting allows it and nobody is registered, and no longer.

No test elsewhere sets GATEKEEPER_ACTS.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gatekeeper.ground.texts import text
from streams.client import admin, people
from streams.kafka.broker import Broker
from tests.support import invented, staff
from tests.support.desk import TWO, YOUNG, Desk
from tests.support.forked import run
from tests.support.service import service
from tests.support.world import World


@pytest.fixture
def desk() -> Desk:
    """A desk of nobody, at which acts need no signature."""
    found = Desk(*YOUNG, acts="unsigned")
    found.sign = lambda record: []
    found.send()
    return found


def test_a_wrong_unsigned_release_then_it_is_refused_and_a_right_one_still_goes(desk: Desk) -> None:
    late = {"at": "2026-11-21T09:59:59+09:00"}
    assert desk.judged(invented.item_act("release", desk.told()) | late) == ("refused", "release_expired")
    assert desk.act("release", act_id="right") == ("cleared", None)
    assert desk.act("release", act_id="right") == ("refused", "repeated")
    assert desk.records[-1].act
    assert desk.records[-1].act.signed is None


def test_nobody_is_registered_and_acts_need_a_signature_then_none_counts(desk: Desk) -> None:
    desk.judge.acts = "signed"
    assert desk.act("release") == ("refused", "no_staff")


def test_person_registered_then_unsigned_acts_count_no_longer(desk: Desk) -> None:
    assert desk.act("claim") == ("recorded", None)
    staff.stand(desk.store.log, at=desk.at)
    assert desk.act("release") == ("refused", "unsigned")
    desk.at -= 1
    assert desk.act("release") == ("cleared", None), "it arrived before the first person"


def test_approval_of_a_release_that_nobody_signed_then_it_is_refused() -> None:
    desk = Desk(*TWO, acts="unsigned")
    signed, desk.sign = desk.sign, lambda record: []
    desk.send()
    assert desk.act("release", by="kenji") == ("waiting", None)
    staff.stand(desk.store.log, at=desk.at)
    desk.sign = signed
    assert desk.act("approve", by="yuki") == ("refused", "two_people")


def test_person_registered_then_worker_and_service_for_unsigned_acts_end_with_2(
    kafka: Broker, prefix: str, tmp_path: Path
) -> None:
    world = World(kafka.bootstrap, prefix, partitions=1, acts="unsigned")
    admin.create(world.settings)
    people.demand(world.settings)
    with service(world, tmp_path / "service", ends=2) as (running, _):
        world.put("reference", [staff.line(staff.person("hanako"))])
        assert running.wait(60) == 2, "the first person came while it ran"
    begun = run("serve", "--port", "0", env=os.environ | world.environment | {"GATEKEEPER_LANG": "en"})
    assert (begun.returncode, text("error.acts_unsigned", "en", person="hanako") in begun.stderr) == (2, True)
    with world.process(tmp_path / "log", lang="en") as worker:
        assert worker.wait() == 2
        (stopped,) = worker.events("stopped")
    assert stopped["reason"] == text("error.acts_unsigned", "en", person="hanako")
