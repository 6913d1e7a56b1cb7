"""A policy put in force while sends flow, and one that nobody can read, with the worker in this process."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from schemas.audit import AuditRecord
from schemas.manifests import Manifest
from tests.support.policies import policy_record, today
from tests.support.world import World, eventually

PEOPLE = [f"r{number}" for number in range(20)]
TIGHTER = today(7, ("ask_cap = 1", "ask_cap = 1\nsource_max_age_months = 12"))
"""All of the test's people gave their data in 2024."""


@pytest.fixture
def world(kafka, prefix) -> World:
    return World(kafka.bootstrap, prefix).create()


def put(world: World, value: dict[str, Any]) -> None:
    world.put("reference", [(f"policy/{value['id']}", value)])


def now() -> int:
    return time.time_ns() // 1_000_000


def sends(world: World, count: int, first: int = 0) -> None:
    world.sends((PEOPLE[number % len(PEOPLE)] for number in range(count)), first)


def by_manifest(world: World) -> list[tuple[Manifest, list[AuditRecord]]]:
    """Returns each manifest with the audit records of its transaction."""
    audits: dict[int, list[AuditRecord]] = {}
    for message in world.read("audit"):
        audits.setdefault(message.partition(), []).append(AuditRecord.model_validate_json(message.value()))
    found = []
    for message in world.read("manifests"):
        manifest = Manifest.model_validate_json(message.value())
        rest = audits.get(message.partition(), [])
        found.append((manifest, rest[: manifest.audit.n]))
        del rest[: manifest.audit.n]
    assert not any(audits.values())
    return found


def test_sends_that_flow_when_a_version_is_activated_then_it_decides_from_a_chunk_on(world):
    world.people(PEOPLE)
    before: set[str] = set()

    async def run() -> None:
        async with world.worker(fetched=20) as app:
            await asyncio.to_thread(sends, world, 100)
            await eventually(lambda: len(world.audits()) >= 50, "half of the sends")
            before.update(audit.did for audit in world.audits())
            flowing = asyncio.create_task(asyncio.to_thread(sends, world, 300, 100))
            await asyncio.to_thread(put, world, policy_record(TIGHTER, now()))
            await flowing
            await asyncio.to_thread(sends, world, 80, 400)  # all of them after its acknowledgement
            await eventually(lambda: world.decided() == 480, "all sends")
            assert app.gate.readiness()["policy"] == "jp-pmark@7"
        async with world.worker() as app:  # made anew from the topic, in its order
            await asyncio.to_thread(sends, world, 20, 480)
            await eventually(lambda: world.decided() == 500, "sends after a restart")

    asyncio.run(run())
    world.check(500)
    number = {audit.did: int(str(audit.send and audit.send["event_id"])[2:]) for audit in world.audits()}
    versions: dict[int, list[int]] = {}
    for manifest, audits in by_manifest(world):
        assert {audit.policy for audit in audits} <= {manifest.policy}, "a chunk is decided by one version"
        versions.setdefault(manifest.partition, []).append(manifest.policy.version)
        for audit in audits:
            assert (audit.verdict, audit.policy.version) in {("clear", 3), ("confirm", 7)}
            assert number[audit.did] < 400 or audit.policy.version == 7
            assert audit.did not in before or audit.policy.version == 3
    assert all(found == sorted(found) for found in versions.values()), "no partition goes back to the old version"
    decided = {version for found in versions.values() for version in found}
    assert decided == {1, 3, 7}, "the manifest that begins a partition takes nothing, and names the first version"
    shas = {audit.policy.sha256 for audit in world.audits() if audit.policy.version == 7}
    assert shas == {policy_record(TIGHTER)["sha256"]}
    named = {dict(m.headers())["gate-policy"] for m in world.read("review")}
    assert named == {b"jp-pmark@7"}
