"""`gatekeeper audit export`, `verify`, `prove` and `check` over what a worker decided, sealed and witnessed."""

from __future__ import annotations

import gzip
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from kafka import TopicPartition
from kafka.admin import KafkaAdminClient

from gatekeeper.audit.checks.trail import Link
from gatekeeper.audit.export.export_reader import Folder
from gatekeeper.audit.log.atomic_store import Shelf
from gatekeeper.cli.audit import state
from gatekeeper.cli.audit.reading import Pace
from gatekeeper.settings import load
from streams.client.reader import Reader
from streams.kafka.broker import Broker
from streams.operations.trail import LiveTrail
from tests.trails import alone, bytes_of
from tests.worlds import World, consent, send, until

SENDS = 60
RECORDS = SENDS + 1 + 3 + 1 + 1
"""One of each send, of each partition's end of the hand-off, of the piece handed off and of the one recalled."""


@pytest.fixture
def world(kafka: Broker, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run) -> Iterator[World]:
    """A system with keys of its own, whose worker has decided: clear, withheld, and one that nobody can read."""
    found = World(kafka.bootstrap, prefix, partitions=3, keys=str(tmp_path / "keys"))
    for name, value in {**found.environment, "GATEKEEPER_LOG": str(tmp_path / "log")}.items():
        monkeypatch.setenv(name, value)
    assert run("keys", "init").code == 0
    found.create()
    found.people([f"p{number}" for number in range(SENDS // 2)])
    with found.process(tmp_path / "worker.log"):
        found.sends([f"p{number}" for number in range(SENDS)])
        found.put("sends", [("p1", b"{")])
        found.await_audits(SENDS + 1)
        act = {"v": 1, "kind": "handoff", "act_id": "A-1", "at": "2026-11-24T10:00:00+09:00", "by": "hanako"}
        for partition in range(found.partitions):
            found.put("acts", [("campaign/K-1", {**act, "subject": "campaign/K-1"})], partition=partition)
        found.put("consents", [("p2", consent("p2", "Withdrawn"))])
        found.await_audits(RECORDS)
    return found


def seal(run, tmp_path: Path) -> str:
    """Seals what stands there, has it witnessed, and returns the witness's public key."""
    assert run("audit", "seal", "--once").code == 0
    assert run("audit", "witness", "--once", "--state", str(tmp_path / "witness")).code == 0
    return (tmp_path / "keys" / "witness-1.pub").read_text("ascii").strip()


def test_a_worker_s_decisions_exported_then_they_verify_here_and_on_a_bare_machine(
    world: World, tmp_path: Path, run
) -> None:
    witness, out = seal(run, tmp_path), tmp_path / "export"
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
    folder = Folder(out)
    with LiveTrail(load()) as live:
        assert live.partitions() == folder.partitions() == [0, 1, 2]
        for number in live.partitions():
            there = [(one.value, one.signature, one.records) for one in folder.links(number)]
            assert there == [(one.value, one.signature, one.records) for one in live.links(number)]
            for link in folder.links(number):
                digest = link.manifest["policy"]["sha256"]
                assert live.policy(digest) == folder.policy(digest) is not None
    again = run("audit", "export", "--out", str(out))
    assert str(out) in again.says(2)


def test_a_range_then_only_what_was_decided_in_it_and_that_verifies(world: World, tmp_path: Path, run) -> None:
    witness = seal(run, tmp_path)
    with LiveTrail(load()) as live:
        times = sorted(link.manifest["t1"] for number in live.partitions() for link in live.links(number))
    first, to = times[1], times[-1]
    done = run("audit", "export", "--out", str(tmp_path / "some"), "--from", first, "--to", to, "--json")
    assert done.json["manifests"] == sum(first <= one < to for one in times)
    checked = run("audit", "verify", str(tmp_path / "some"), "--witness", witness)
    assert checked.code == 0, checked
    assert first in checked.out


def test_nothing_sealed_then_the_export_says_so_and_is_incomplete(world: World, tmp_path: Path, run) -> None:
    done = run("audit", "export", "--out", str(tmp_path / "export"))
    assert done.code == 0, done
    assert "no sealed log" in done.err
    assert run("audit", "verify", str(tmp_path / "export")).code == 5


def test_no_workers_key_then_it_is_said_that_signatures_were_not_checked(
    world: World, tmp_path: Path, run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEKEEPER_KEYS", str(tmp_path / "none"))
    for call in (("export", "--out", str(tmp_path / "export")), ("what-if", "--live", "--policy", "jp-appi")):
        assert "signatures of manifests were not checked" in run("audit", *call).err


def test_one_decision_proven_from_the_running_system_then_the_proof_holds(world: World, tmp_path: Path, run) -> None:
    did, file = world.audits()[SENDS // 2].did, tmp_path / "proof.json"
    unsealed = run("audit", "prove", did, "--out", str(file))
    assert unsealed.code == 5, unsealed
    assert "not sealed yet" in unsealed.err
    assert run("audit", "check", str(file)).code == 5
    witness = seal(run, tmp_path)
    assert run("audit", "prove", did, "--out", str(file)).code == 0
    assert run("audit", "check", str(file), "--witness", witness).code == 0
    assert "A" * 26 in run("audit", "prove", "A" * 26, "--out", str(file)).says(2)


def test_no_broker_then_one_sentence_and_nothing_is_written(nowhere: str, tmp_path: Path, run) -> None:
    assert nowhere in run("audit", "export", "--out", str(tmp_path / "export")).says(3)
    assert list(tmp_path.iterdir()) == []


def test_records_that_an_aborted_transaction_left_then_they_are_not_exported(world: World, tmp_path: Path, run) -> None:
    with world.transaction() as foreign:
        world.put("audit", [("X", b'{"did":"X"}')], foreign)
        world.put("manifests", [("X", send("p1"))], foreign)
        foreign.abort_transaction(30)
    witness = seal(run, tmp_path)
    assert run("audit", "export", "--out", str(tmp_path / "export"), "--json").json["records"] == RECORDS
    assert run("audit", "verify", str(tmp_path / "export"), "--witness", witness).code == 0


def test_manifests_that_others_slipped_in_then_they_are_told_and_the_rest_is_exported_and_verifies(
    world: World, tmp_path: Path, run
) -> None:
    with LiveTrail(load()) as live:
        first = next(live.links(0))
    world.put("manifests", [("X", b"{"), ("X", first.value), ("X", send("p1"))], partition=0)
    with world.process(tmp_path / "worker.log"):
        world.sends([f"p{number}" for number in range(SENDS)])
        world.await_audits(RECORDS + SENDS)
    assert run("audit", "seal", "--once").code == 1
    assert run("audit", "witness", "--once", "--state", str(tmp_path / "witness")).code == 0
    witness = (tmp_path / "keys" / "witness-1.pub").read_text("ascii").strip()
    done = run("audit", "export", "--out", str(tmp_path / "export"), "--json")
    assert (done.code, done.json["records"]) == (1, RECORDS + SENDS), done
    assert [(one["finding"], one["partition"]) for one in done.json["aside"]] == [
        ("unreadable", 0),
        ("unsigned", 0),
        ("unreadable", 0),
    ]
    assert all(str(one["offset"]) in done.err for one in done.json["aside"])
    assert run("audit", "verify", str(tmp_path / "export"), "--witness", witness).code == 0


def test_records_on_audit_that_no_worker_wrote_then_each_is_named_and_all_that_is_a_worker_s_is_read(
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
        until(lambda: sum(len(link.records) for link in _links()) == RECORDS + SENDS, "decisions")
    world.put("audit", strangers[:1], partition=0)
    world.put("recalls", [("X", b"\xff")], partition=0)
    witness = seal(run, tmp_path)

    done = run("audit", "export", "--out", str(tmp_path / "export"), "--json")
    assert (done.code, done.json["records"]) == (1, RECORDS + SENDS), done
    aside = done.json["aside"]
    assert {(one["finding"], one["topic"], one["partition"]) for one in aside} == {("stray", "audit", 0)}
    assert sum(one["count"] for one in aside) == len(strangers) + 1
    assert aside[0]["offset"] == before[0]
    assert f"offset {before[0]}" in done.err
    assert run("audit", "verify", str(tmp_path / "export"), "--witness", witness).code == 0

    now = datetime.now(UTC)
    days = ("--from", (now - timedelta(days=1)).isoformat(), "--to", (now + timedelta(minutes=1)).isoformat())
    report = run("report", *days, "--json")
    assert (report.code, report.json["foreign"]) == (1, aside)
    assert sum(one["records"] for one in report.json["coverage"]) == RECORDS + SENDS
    assert f"audit/0/{before[0]}" in report.err
    page = tmp_path / "report.html"
    assert run("report", *days, "--out", str(page)).code == 1
    assert f"audit/0/{before[0]}" in page.read_text("utf-8")

    replayed = run("audit", "replay", "--live", "--rate", "0", "--json")
    assert (replayed.code, replayed.json["records"]) == (1, RECORDS + SENDS), replayed
    covered = run("audit", "coverage")
    assert (covered.code, f"audit/0/{before[0]}" in covered.out) == (1, True), covered
    for words in (("prove", did, "--out", str(tmp_path / "proof.json")), ("explain", did)):
        told = run("audit", *words)
        assert (told.code, "Traceback" in told.err) == (0, False), told
    for words in (("audit", "reemit", "--topic", "cleared", "--dry-run"), ("campaign", "show", "K-1"), ("status",)):
        assert "Traceback" not in run(*words).err


def _links() -> list[Link]:
    with LiveTrail(load()) as live:
        return [link for number in live.partitions() for link in live.links(number)]


def _ends(topic: str) -> dict[int, int]:
    with Reader(load()) as reader:
        return reader.ends(topic)


def cut_off(monkeypatch: pytest.MonkeyPatch, run, out: Path, *more: str, links: int = 3) -> Path:
    """Interrupts an export when it has taken so many links; returns the folder in which it grew."""
    left, part = iter(range(links)), out.with_name(f"{out.name}.part")

    def done(self: Pace, records: int) -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(state, "SAVE_SECONDS", 0)
        patch.setattr(state, "SHARE", 1)
        patch.setattr(Pace, "done", done)
        done_ = run("audit", "export", "--out", str(out), *more)
    assert (done_.code, done_.out, f"kept in {part}" in done_.err) == (130, "", True), done_
    assert ((part / "progress" / "state.json").stat().st_mode & 0o777, out.exists()) == (0o600, False)
    return part


def content(folder: Path) -> dict[str, bytes]:
    """Returns all that a folder holds, inflated, without when it was made."""
    found = bytes_of(folder)
    about = {**json.loads(found.pop("export.json")), "made": None}
    inflated = {name: gzip.decompress(value) if name.endswith(".gz") else value for name, value in found.items()}
    return {**inflated, "export.json": json.dumps(about).encode()}


def grow(world: World, tmp_path: Path, run) -> None:
    """Lets a worker decide some more, and has it sealed and witnessed."""
    with world.process(tmp_path / "more.log"):
        world.sends([f"p{number}" for number in range(SENDS)])
        world.await_audits(RECORDS + SENDS)
    seal(run, tmp_path)


@pytest.mark.parametrize("options", [(), ("--unsealed",), ("--from", "2020-01-01T00:00:00Z")], ids=str)
def test_interrupted_then_the_same_call_goes_on_and_verify_says_what_it_says_of_one_in_one_go(
    world: World, tmp_path: Path, run, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    witness, whole, out = seal(run, tmp_path), tmp_path / "whole", tmp_path / "out"
    expected = run("audit", "export", "--out", str(whole), *options, "--json").json
    part = cut_off(monkeypatch, run, out, *options)
    done = json.loads((part / "progress" / "state.json").read_bytes())["begun"]["done"]
    passed = sum(1 for link in _links() if str(link.partition) in done)
    grow(world, tmp_path, run)
    taken = list[int]()
    monkeypatch.setattr(Pace, "done", lambda self, records: taken.append(records))
    done = run("audit", "export", "--out", str(out), *options, "--json")
    assert len(taken) == expected["manifests"] - passed
    assert (done.code, {**done.json, "out": None}) == (0, {**expected, "out": None}), done
    assert f"{part} holds an export that was cut off: going on behind its " in done.err
    assert (part.exists(), content(out) == content(whole)) == (False, True)
    first, other = (run("audit", "verify", str(each), "--witness", witness, "--json") for each in (whole, out))
    assert (first.code, first.json) == (other.code, other.json)


def test_killed_then_the_same_call_goes_on(world: World, tmp_path: Path, run) -> None:
    seal(run, tmp_path)
    whole, out, script = tmp_path / "whole", tmp_path / "out", tmp_path / "killed.py"
    assert run("audit", "export", "--out", str(whole)).code == 0
    script.write_text(
        "import os, signal\n"
        "from gatekeeper.audit.export import export\n"
        "from gatekeeper.cli.audit import command, state\n"
        "state.SAVE_SECONDS, link, left = 0, export._Writer._link, iter(range(4))\n"
        "def killed(*arguments):\n"
        "    link(*arguments)\n"
        "    if next(left, None) is None:\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "export._Writer._link = killed\n"
        f"command(['export', '--out', {str(out)!r}, '--rate', '0'])\n"
    )
    killed = subprocess.run([sys.executable, script], capture_output=True, timeout=120, check=False)
    assert (killed.returncode, out.exists()) == (-signal.SIGKILL, False), killed
    done = run("audit", "export", "--out", str(out))
    assert (done.code, "going on behind" in done.err, content(out) == content(whole)) == (0, True, True), done


def test_interrupted_then_what_others_wrote_is_told_by_the_call_that_goes_on(
    world: World, tmp_path: Path, run, monkeypatch: pytest.MonkeyPatch
) -> None:
    seal(run, tmp_path)
    for partition in range(world.partitions):
        world.put("manifests", [("X", b"{")], partition=partition)
    whole = run("audit", "export", "--out", str(tmp_path / "whole"), "--json")
    assert (whole.code, len(whole.json["aside"])) == (1, 3)
    with LiveTrail(load()) as live:
        first = sum(1 for _ in live.links(0))
    cut_off(monkeypatch, run, tmp_path / "out", links=first + 1)
    done = run("audit", "export", "--out", str(tmp_path / "out"), "--json")
    assert (done.code, done.json["aside"]) == (1, whole.json["aside"])


@pytest.mark.parametrize("other", ["--unsealed", "--from 2020-01-01T00:00:00Z", "--to 2099-01-01T00:00:00Z"])
def test_begun_with_other_options_then_exit_2_and_it_stays_as_it_was(
    world: World, tmp_path: Path, run, monkeypatch: pytest.MonkeyPatch, other: str
) -> None:
    seal(run, tmp_path)
    part, call = cut_off(monkeypatch, run, tmp_path / "out"), ("audit", "export", "--out", str(tmp_path / "out"))
    before = bytes_of(part)
    assert str(part) in run(*call, *other.split()).says(2)
    assert bytes_of(part) == before
    assert run(*call).code == 0


def test_begun_from_another_system_then_exit_2(
    world: World, tmp_path: Path, run, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = cut_off(monkeypatch, run, tmp_path / "out")
    monkeypatch.setenv("GATEKEEPER_APPLICATION", "other")
    assert str(part) in run("audit", "export", "--out", str(tmp_path / "out")).says(2)


def test_progress_that_cannot_be_read_then_exit_2_and_without_it_the_export_begins_anew(
    world: World, tmp_path: Path, run, monkeypatch: pytest.MonkeyPatch
) -> None:
    seal(run, tmp_path)
    part, call = cut_off(monkeypatch, run, tmp_path / "out"), ("audit", "export", "--out", str(tmp_path / "out"))
    file = part / "progress" / "state.json"
    good = json.loads(file.read_bytes())
    for content in (b"", json.dumps({**good, "bounds": {}}).encode(), json.dumps({**good, "note": "x"}).encode()):
        file.write_bytes(content)
        before = bytes_of(part)
        assert str(file) in run(*call).says(2)
        assert bytes_of(part) == before
    file.unlink()
    done = run(*call, "--json")
    assert (done.code, done.json["records"], "going on" in done.err) == (0, RECORDS, False)


@pytest.mark.parametrize("topic", ["audit", "manifests"])
def test_begun_with_records_that_have_expired_since_then_exit_2_and_it_says_what_to_do(
    world: World, tmp_path: Path, run, monkeypatch: pytest.MonkeyPatch, topic: str
) -> None:
    part = cut_off(monkeypatch, run, tmp_path / "out")
    before = bytes_of(part)
    with KafkaAdminClient(bootstrap_servers=world.bootstrap) as admin:
        admin.delete_records({TopicPartition(world.settings.topic(topic), 2): 2})
    assert f"Delete {part}" in run("audit", "export", "--out", str(tmp_path / "out")).says(2)
    assert bytes_of(part) == before


def expiring(monkeypatch: pytest.MonkeyPatch, world: World, topic: str) -> None:
    """Has the broker delete the first records of partition 2 when the first link has been read."""
    place, left = TopicPartition(world.settings.topic(topic), 2), iter(range(1))

    def done(self: Pace, records: int) -> None:
        for _ in left:
            with KafkaAdminClient(bootstrap_servers=world.bootstrap) as admin:
                admin.delete_records({place: 2})

    monkeypatch.setattr(Pace, "done", done)


@pytest.mark.parametrize("begun", [False, True], ids=["in one go", "begun"])
@pytest.mark.parametrize("topic", ["audit", "manifests"])
def test_records_that_expire_while_they_are_read_then_exit_5_and_no_shorter_export(
    world: World, tmp_path: Path, run, monkeypatch: pytest.MonkeyPatch, topic: str, begun: bool
) -> None:
    out = tmp_path / "out"
    if begun:
        cut_off(monkeypatch, run, out, "--unsealed", links=1)
    expiring(monkeypatch, world, topic)
    done = run("audit", "export", "--out", str(out), "--unsealed")
    assert (done.code, "Partition 2: while it was read" in done.err) == (5, True), done
    assert (out.exists(), out.with_name("out.part").exists()) == (False, False)


@pytest.mark.parametrize("topic", ["audit", "manifests"])
def test_records_that_expire_while_they_are_replayed_then_exit_5(
    world: World, run, monkeypatch: pytest.MonkeyPatch, topic: str
) -> None:
    expiring(monkeypatch, world, topic)
    done = run("audit", "replay", "--live")
    assert (done.code, "Partition 2: while it was read" in done.err) == (5, True), done


def test_a_trail_that_ends_before_its_bounds_then_it_is_not_whole(world: World) -> None:
    with LiveTrail(load()) as live:
        assert live.whole()
        bounds = live.bounds
    start, end = bounds.audit[1]
    for beyond in ({1: (start, end + 1)}, {9: (0, 1)}):
        with LiveTrail(load(), bounds=bounds.model_copy(update={"audit": {**bounds.audit, **beyond}})) as live:
            assert not live.whole()


def test_two_calls_at_once_then_the_second_one_leaves_it_alone(
    world: World, tmp_path: Path, run, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = cut_off(monkeypatch, run, tmp_path / "out")
    before = bytes_of(part)
    with Shelf(part).alone():
        for more in ((), ("--unsealed",)):
            assert "one writer only" in run("audit", "export", "--out", str(tmp_path / "out"), *more).says(3)
    assert bytes_of(part) == before


def test_another_call_that_has_just_ended_then_its_export_is_left_alone(
    world: World, tmp_path: Path, run, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone_, out = Shelf.alone, tmp_path / "out"

    @contextmanager
    def late(shelf: Shelf) -> Iterator[None]:
        if shelf.folder.name == "out.part":
            out.mkdir()
            (out / "export.json").touch()
        with alone_(shelf):
            yield

    monkeypatch.setattr(Shelf, "alone", late)
    assert f"{out} is not empty" in run("audit", "export", "--out", str(out)).says(2)
    assert [file.name for file in out.iterdir()] == ["export.json"]
    assert not out.with_name("out.part").exists()


def test_a_place_that_cannot_be_taken_then_one_sentence_says_so_at_once(nowhere: str, tmp_path: Path, run) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for out in (str(tmp_path / "link"), ".", "..", "", "/"):
        assert "cannot be replaced by an export" in run("audit", "export", "--out", out).says(2)
    assert [file.name for file in tmp_path.iterdir()] == ["link"]


@pytest.mark.parametrize("away", [True, False], ids=["away", "another"])
def test_begun_with_another_log_then_exit_4_and_it_says_what_to_do(
    world: World, tmp_path: Path, run, monkeypatch: pytest.MonkeyPatch, away: bool
) -> None:
    seal(run, tmp_path)
    part, call = cut_off(monkeypatch, run, tmp_path / "out"), ("audit", "export", "--out", str(tmp_path / "out"))
    before = bytes_of(part)
    (tmp_path / "log").rename(tmp_path / "kept")
    if not away:
        shutil.copytree(tmp_path / "kept", tmp_path / "log")
        for tile in (file for file in (tmp_path / "log" / "tile" / "0").rglob("*") if file.is_file()):
            tile.write_bytes(bytes(len(tile.read_bytes())))
    done = run(*call)
    assert (done.code, f"delete {part}" in done.err, bytes_of(part) == before) == (4, True, True), done
    shutil.rmtree(tmp_path / "log", ignore_errors=True)
    (tmp_path / "kept").rename(tmp_path / "log")
    assert run(*call).code == 0


def test_interrupted_when_the_export_has_taken_its_place_then_nothing_is_said_of_the_folder_where_it_grew(
    world: World, tmp_path: Path, run, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace, out = Path.replace, tmp_path / "out"

    def replaced(file: Path, target: Path) -> Path:
        found = replace(file, target)
        if target == out:
            raise KeyboardInterrupt
        return found

    monkeypatch.setattr(Path, "replace", replaced)
    done = run("audit", "export", "--out", str(out))
    assert (done.code, "kept in" in done.err, (out / "export.json").exists()) == (130, False, True), done
