"""Shadow mode: all is judged and marked, nothing goes out, and no ledger is of both modes."""

from __future__ import annotations

import asyncio

import pytest

from gatekeeper.ground.errors import IntegrityError
from schemas.decision import CodedDecision
from schemas.manifests import Manifest
from streams.worker.transaction import GOING_OUT
from tests.support.world import World, eventually, until

PEOPLE = [f"r{number}" for number in range(10)]
STRANGERS = [f"s{number}" for number in range(10)]


@pytest.fixture
def world(kafka, prefix) -> World:
    world = World(kafka.bootstrap, prefix, mode="shadow").create()
    world.people(PEOPLE)
    world.sends([*PEOPLE, *STRANGERS])
    return world


def judge_all(world: World, count: int) -> dict:
    said: dict = {}

    async def run() -> None:
        async with world.worker() as app:
            await eventually(lambda: len(world.audits()) == count, "all sends")
            said.update(app.gate.readiness())

    asyncio.run(run())
    return said


def test_a_shadow_then_all_is_on_review_and_audit_and_marked_and_nothing_goes_out(world):
    world.put("sends", [("r1", b"{")])
    world.put("consents", [("nobody", b"{")])
    assert judge_all(world, 21)["mode"] == "shadow"
    for topic in GOING_OUT:
        assert world.read(topic) == [], topic
    review, audits = world.read("review"), world.audits()
    assert len(review) == 20
    assert {audit.mode for audit in audits} == {"shadow"}
    letters = world.read("deadletter")
    sources = {dict(message.headers())["gate-source"].partition(b"/")[0] for message in letters}
    assert sources == {b"sends", b"consents"}
    for message in [*review, *letters]:
        assert dict(message.headers())["gate-mode"] == b"shadow"
    clear = [m for m in review if dict(m.headers())["gate-verdict"] == b"clear"]
    assert sorted(m.key().decode() for m in clear) == PEOPLE, "the verdict is the one of a live gate"
    for message in clear:
        headers = dict(message.headers())
        assert headers["ce_type"] == b"gatekeeper.send.shadowed.v1"
        assert CodedDecision.model_validate_json(headers["gate-decision"]).verdict == "clear"
    manifests = [Manifest.model_validate_json(m.value()) for m in world.read("manifests")]
    assert {manifest.mode for manifest in manifests} == {"shadow"}
    assert sum(manifest.out.review for manifest in manifests) == 20
    assert sum(manifest.out.cleared for manifest in manifests) == 0
    assert sum(manifest.verdicts.get("clear", 0) for manifest in manifests) == 10
    world.check_manifests()


def test_given_the_ledger_of_a_shadow_then_a_live_worker_refuses_it_at_take_over(world):
    judge_all(world, 20)
    world.mode = "live"
    world.sends(PEOPLE, 20)

    async def run() -> None:
        async with world.worker() as app:
            await eventually(lambda: app.failures, "a refusal")

    with pytest.raises(IntegrityError, match="GATEKEEPER_PREFIX"):
        asyncio.run(run())
    assert len(world.audits()) == 20
    assert world.read("cleared") == []


@pytest.mark.parametrize("application", ["gk", "another"])
def test_given_a_live_gate_then_a_shadow_beside_it_ends_with_4_and_disturbs_nobody(
    kafka, prefix, tmp_path, application
):
    world = World(kafka.bootstrap, prefix).create()
    world.people(PEOPLE)
    with world.process(tmp_path / "live.log") as live:
        until(lambda: len(live.owned()) == world.partitions, "all partitions")
        settings = {"mode": "shadow", "worker": "w9", "application": application}
        with world.process(tmp_path / "shadow.log", **settings) as shadow:
            assert shadow.wait() == 4
            (stopped,) = shadow.events("stopped")
            assert "GATEKEEPER_PREFIX" in stopped["reason"]
            assert shadow.events("assigned") == [], "it had not joined the group"
        world.sends(PEOPLE)
        world.await_audits(10)
        assert len(live.events("assigned")) == 1
        assert live.process is not None
        assert live.process.is_alive()
    assert world.check(10) == {"clear": 10}
