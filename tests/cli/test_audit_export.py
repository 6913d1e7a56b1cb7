"""`gatekeeper audit export`, `verify`, `prove` and `check` over what a worker decided, sealed and witnessed."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import pytest

from gatekeeper.audit.checks.trail import Link
from gatekeeper.audit.export.export_reader import ExportReader
from gatekeeper.ground.settings import load
from streams.client.reader import Reader
from streams.kafka.broker import Broker
from streams.operations.trail import LiveTrail
from tests.support import staff
from tests.support.trails import alone
from tests.support.world import World, consent_of, group_keys, send_to, until

SENDS = 60
RECORDS = SENDS + 1 + 3 + 1 + 1
"""One of each send, of each partition's end of the hand-off, of the piece handed off and of the one recalled."""


def decided(kafka: Broker, folder: Path) -> World:
    """Returns a system whose worker has decided: clear, withheld, and one that nobody can read.

    Somebody's aborted transaction has left records on `audit` and `manifests`, which are nowhere to be seen.
    """
    prefix = f"t{uuid.uuid4().hex}."
    keys = group_keys(folder / "keys", f"{prefix}gk")
    found = World(kafka.bootstrap, prefix, partitions=3, keys=keys).create()
    found.people([f"p{number}" for number in range(SENDS // 2)])
    with found.process(folder / "worker.log"):
        found.sends([f"p{number}" for number in range(SENDS)])
        found.put("sends", [("p1", b"{")])
        found.await_audits(SENDS + 1)
        act = {"v": 1, "kind": "handoff", "act_id": "A-1", "at": staff.now(), "by": "hanako"}
        for partition in range(found.partitions):
            found.put("acts", [("campaign/K-1", {**act, "subject": "campaign/K-1"})], partition=partition)
        found.put("consents", [("p2", consent_of("p2", "Withdrawn"))])
        found.await_audits(RECORDS)
    with found.transaction() as foreign:
        found.put("audit", [("X", b'{"did":"X"}')], foreign)
        found.put("manifests", [("X", send_to("p1"))], foreign)
        foreign.abort_transaction(30)
    return found


def named(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """Names a system to the commands of a test; its sealed log is beside its keys."""
    for name, value in {**world.environment, "GATEKEEPER_LOG": str(folder(world) / "log")}.items():
        monkeypatch.setenv(name, value)
    return world


def folder(world: World) -> Path:
    return Path(world.keys).parent


@pytest.fixture
def world(kafka: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return named(decided(kafka, tmp_path), monkeypatch)


def seal(run, world: World) -> str:
    """Seals what stands there, has it witnessed, and returns the witness's public key."""
    state = folder(world) / "witness"
    assert run("audit", "seal", "--once").code == 0
    first = [] if state.exists() else ["--first"]
    assert run("audit", "witness", "--once", *first, "--state", str(state)).code == 0
    return Path(world.keys, "witness-1.pub").read_text("ascii").strip()


@pytest.mark.main
def test_a_worker_s_decisions_then_the_sealed_ones_verify_here_and_on_a_bare_machine(
    world: World, tmp_path: Path, run, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = run("audit", "export", "--out", str(tmp_path / "unsealed"))
    assert done.code == 0, done
    assert "no sealed log" in done.err
    assert run("audit", "verify", str(tmp_path / "unsealed")).code == 5
    with monkeypatch.context() as patch:
        patch.setenv("GATEKEEPER_KEYS", str(tmp_path / "none"))
        for call in (("export", "--out", str(tmp_path / "unknown")), ("what-if", "--live", "--policy", "jp-appi")):
            assert "signatures of manifests were not checked" in run("audit", *call).err

    did, file = world.audits()[SENDS // 2].did, tmp_path / "proof.json"
    unsealed = run("audit", "prove", did, "--out", str(file))
    assert unsealed.code == 5, unsealed
    assert "not sealed yet" in unsealed.err
    assert run("audit", "check", str(file)).code == 5
    witness = seal(run, world)
    assert run("audit", "prove", did, "--out", str(file)).code == 0
    assert run("audit", "check", str(file), "--witness", witness).code == 0
    assert "A" * 26 in run("audit", "prove", "A" * 26, "--out", str(file)).says(2)

    out = tmp_path / "export"
    done = run("audit", "export", "--out", str(out), "--json")
    assert done.code == 0, done
    assert done.json["records"] == RECORDS
    assert (done.json["witnessed"], done.json["left"], done.json["absent"]) == (True, 0, [])
    assert run("audit", "verify", str(out), "--witness", witness).code == 0
    bare = alone(tmp_path / "bare", str(out), "--witness", witness, "--json", script=out / "verify.py")
    assert bare.returncode == 0, bare
    said = json.loads(bare.stdout)
    assert (said["records"], said["manifests"]) == (RECORDS, done.json["manifests"])
    assert "strangers" not in {one["code"] for one in said["says"]}
    folder = ExportReader(out)
    with LiveTrail(load()) as live:
        assert live.partitions() == folder.partitions() == [0, 1, 2]
        for number in live.partitions():
            there = [(one.value, one.signature, one.records) for one in folder.links(number)]
            assert there == [(one.value, one.signature, one.records) for one in live.links(number)]
            for link in folder.links(number):
                digest = link.manifest["policy"]["sha256"]
                assert live.policy(digest) == folder.policy(digest) is not None

    times = sorted(link.manifest["t1"] for link in _links())
    first, to = times[1], times[-1]
    done = run("audit", "export", "--out", str(tmp_path / "some"), "--from", first, "--to", to, "--json")
    assert done.json["manifests"] == sum(first <= one < to for one in times)
    checked = run("audit", "verify", str(tmp_path / "some"), "--witness", witness)
    assert checked.code == 0, checked
    assert first in checked.out


def test_audit_records_of_no_worker_then_each_is_named_and_all_of_a_worker_is_read(
    world: World, tmp_path: Path, run
) -> None:
    last = world.read("audit")[-1]
    did, value = last.key().decode(), last.value()
    twin = value.replace(did.encode(), b"A" * 26)
    strangers = [(did, b"\xff{"), ("B" * 26, value), (did, None), (did, value), ("A" * 26, twin)]
    before = _ends("audit")
    world.put("audit", strangers, partition=0)
    with world.process(tmp_path / "worker.log"):
        world.sends([f"p{number}" for number in range(SENDS)])
        until(lambda: world.decided() == 2 * SENDS + 1, "decisions")
    world.put("audit", strangers[:1], partition=0)
    world.put("recalls", [("X", b"\xff")], partition=0)
    witness = seal(run, world)

    done = run("audit", "export", "--out", str(tmp_path / "export"), "--json")
    assert (done.code, done.json["records"]) == (1, RECORDS + SENDS), done
    aside = done.json["aside"]
    assert {(one["finding"], one["topic"], one["partition"]) for one in aside} == {("stray_record", "audit", 0)}
    assert sum(one["count"] for one in aside) == len(strangers) + 1
    assert aside[0]["offset"] == before[0]
    assert f"offset {before[0]}" in done.err
    assert run("audit", "verify", str(tmp_path / "export"), "--witness", witness).code == 0

    covered = run("audit", "coverage")
    assert (covered.code, f"audit/0/{before[0]}" in covered.out) == (1, True), covered
    for words in (("prove", did, "--out", str(tmp_path / "proof.json")), ("explain", did)):
        told = run("audit", *words)
        assert (told.code, "Traceback" in told.err) == (0, False), told


def _links() -> list[Link]:
    with LiveTrail(load()) as live:
        return [link for number in live.partitions() for link in live.links(number)]


def _ends(topic: str) -> dict[int, int]:
    with Reader(load()) as reader:
        return reader.ends(topic)
