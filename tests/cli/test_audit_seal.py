"""`gatekeeper audit seal` and `witness` on real Kafka: every manifest one leaf, whatever is killed or slipped in."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import time
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from gatekeeper.audit.log.tree import Tree, newest
from gatekeeper.engine.manifest import Taken
from gatekeeper.ground.atomic_store import AtomicStore
from gatekeeper.ground.settings import Settings
from gatekeeper.keys import Keys, key_name
from gatekeeper.ledger.head import HEAD, Head
from tests.cli.conftest import Run, System
from tests.support.forked import Command
from tests.support.manifests import SENDS, Writer
from tests.support.own_metrics import ANYWHERE, own_metrics
from tests.support.world import until


@pytest.fixture
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Keys:
    """Keys of all roles, and a folder for the log."""
    monkeypatch.setenv("GATEKEEPER_KEYS", str(tmp_path / "keys"))
    monkeypatch.setenv("GATEKEEPER_LOG", str(tmp_path / "log"))
    monkeypatch.chdir(tmp_path)
    found = Keys(tmp_path / "keys")
    for role in ("worker", "log", "witness"):
        found.make(role, key_name(Settings().group, role))
    return found


@pytest.fixture
def writers(keys: Keys, system: System) -> list[Writer]:
    """A writer for each partition."""
    return [Writer(keys.signer("worker"), partition) for partition in (0, 1)]


def put(system: System, partition: int, record: tuple[bytes, str]) -> bytes:
    value, signed = record
    headers = [("gate-sig", signed.encode())] if signed else []
    system.put("manifests", value, key=b"worker-0", headers=headers, partition=partition)
    return value


def sealed(folder: Path, keys: Keys) -> list[bytes]:
    """Returns the leaves of the log, whose checkpoint and tree must be right."""
    files = AtomicStore(folder)
    standing = newest(files, keys.public("log"))
    assert standing is not None
    tree, found = Tree(files, standing[0].size), list[bytes]()
    assert tree.root() == standing[0].root
    while len(found) < tree.size:
        found += tree.leaves(len(found))
    return found


@pytest.mark.main
def test_manifests_then_each_is_one_leaf_in_order_and_a_second_run_adds_nothing(
    run: Run, system: System, writers: list[Writer], keys: Keys, tmp_path: Path
) -> None:
    values = [[put(system, p, writers[p].next(n)) for n in (0, 3, 2)] for p in (0, 1)]
    told = run("audit", "seal", "--once", "--json")
    assert told.code == 0
    assert told.json["sealed"]["size"] == 6
    leaves = sealed(tmp_path / "log", keys)
    assert [[leaf for leaf in leaves if leaf in values[p]] for p in (0, 1)] == values
    again = run("audit", "seal", "--once")
    assert (again.code, again.out) == (0, "")
    more = put(system, 1, writers[1].next())
    assert run("audit", "seal", "--once").code == 0
    assert sealed(tmp_path / "log", keys) == [*leaves, more]


def test_given_a_forged_manifest_then_it_is_named_and_exit_1_and_the_rest_is_sealed(
    run: Run, system: System, writers: list[Writer], keys: Keys, tmp_path: Path
) -> None:
    first = put(system, 0, writers[0].next())
    put(system, 0, (first.replace(b"worker-0", b"worker-1"), "AAAA"))
    last = put(system, 0, writers[0].next())
    told = run("audit", "seal", "--once", "--json")
    assert told.code == 1
    found = [json.loads(line) for line in told.out.splitlines()]
    assert {
        "finding": "forged_manifest",
        "partition": 0,
        "offset": 1,
        "values": {"kid": writers[0].signer.kid},
    } in found
    assert "partition 0, offset 1" in told.err
    assert sealed(tmp_path / "log", keys) == [first, last]
    assert run("audit", "seal", "--once").code == 0


def test_stolen_worker_key_then_the_ledger_s_branch_is_sealed_and_the_fork_is_a_leaf(
    run: Run, system: System, writers: list[Writer], keys: Keys, tmp_path: Path
) -> None:
    def head(partition: int) -> None:
        system.put("ledger", Head(sends=0, prev=writers[partition].prev).encode(), key=HEAD, partition=partition)

    first = put(system, 0, writers[0].next(0))
    head(0)
    thief = Writer(keys.signer("worker"))
    thief.prev = writers[0].prev
    forged = [put(system, 0, thief.next(0, taken=[Taken(SENDS, 0, 0, 0)])) for _ in range(2)]
    told = run("audit", "seal", "--once")
    assert (told.code, sealed(tmp_path / "log", keys)) == (0, [first]), "the next head tells whether they count"
    more = [put(system, 0, writers[0].next(0)) for _ in range(2)]
    head(0)
    other = put(system, 1, writers[1].next(0))
    told = run("audit", "seal", "--once")
    assert told.code == 1
    assert "whether a worker's key is stolen" in told.err
    leaves = sealed(tmp_path / "log", keys)
    assert [leaf for leaf in leaves if b'"kind":"fork"' not in leaf and leaf != other] == [first, *more]
    forks = [json.loads(leaf) for leaf in leaves if b'"kind":"fork"' in leaf]
    assert [(one["offset"], one["sha256"]) for one in forks] == [
        (offset, sha256(value).hexdigest()) for offset, value in enumerate(forged, 1)
    ]
    more.append(put(system, 0, writers[0].next(0)))
    head(0)
    assert run("audit", "seal", "--once").code == 0
    exported = run("audit", "export", "--out", "export")
    assert (exported.code, "partition 0, offset 1" in exported.err) == (1, True)
    report = run("audit", "verify", "export", "--json").json
    assert (report["manifests"], {one["code"] for one in report["findings"]}) == (5, {"lacking"}), "their policy alone"
    assert [one["offset"] for one in report["says"] if one["code"] == "forked"] == [1, 2]


def test_forged_manifest_that_the_ledger_named_then_its_partition_waits_for_a_choice(
    run: Run, system: System, writers: list[Writer], keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GATEKEEPER_USER_KEY")  # nobody is registered, and the choice names its author all the same
    empty = [Taken(SENDS, 0, 0, 0)]

    def put_with_head(writer: Writer, **other: Any) -> bytes:
        value = put(system, 0, writer.next(0, **other))
        system.put("ledger", Head(sends=0, prev=writer.prev).encode(), key=HEAD)
        return value

    first = put_with_head(writers[0])
    thief = Writer(keys.signer("worker"))
    thief.prev = writers[0].prev
    forged = put_with_head(thief, taken=empty)
    assert run("audit", "seal", "--once").code == 0
    right = [put_with_head(writers[0]) for _ in range(2)]
    other = [put(system, 1, writers[1].next(0))]
    held = run("audit", "seal", "--once")
    assert (held.code, "`gatekeeper audit branch 0`" in held.err) == (1, True)
    assert sealed(tmp_path / "log", keys) == [first, forged, *other], "the other partition goes on"
    tip = sha256(right[-1]).hexdigest()
    assert f"gatekeeper audit branch 0 --choose {tip} " in run("audit", "branch", "0").out
    assert "names no manifest" in run("audit", "branch", "0", "--choose", "f" * 64, "--reason", "x", "--by", "y").says(
        2
    )
    assert run("audit", "branch", "0", "--choose", tip, "--reason", "a stolen key", "--by", "pm-7", "--yes").code == 0
    done = run("audit", "seal", "--once")
    assert (done.code, "pm-7 chose the branch" in done.err) == (1, True)
    leaves = sealed(tmp_path / "log", keys)
    assert [leaf for leaf in leaves if "kind" not in json.loads(leaf)] == [first, forged, *other, *right]
    assert run("audit", "export", "--out", "export").code == 1
    report = run("audit", "verify", "export", "--json").json
    assert {one["code"] for one in report["findings"]} == {"lacking"}, "their policy alone"
    (told,) = (one for one in report["says"] if one["code"] == "branched")
    assert (told["by"], told["reason"], told["count"]) == ("pm-7", "a stolen key", 1)


def test_dropped_manifest_then_each_run_names_it_and_its_partition_alone_is_held(
    run: Run, system: System, writers: list[Writer], keys: Keys, tmp_path: Path
) -> None:
    first = put(system, 0, writers[0].next())
    writers[0].next()
    put(system, 0, writers[0].next())
    right = {first}
    for _ in range(2):
        right.add(put(system, 1, writers[1].next()))
        told = run("audit", "seal", "--once")
        assert told.code == 1
        assert "partition 0, offset 1" in told.err
        leaves = sealed(tmp_path / "log", keys)
        assert len(leaves) == len(right)
        assert set(leaves) == right


def test_an_old_copy_or_another_system_s_topics_then_nothing_is_signed(
    run: Run, system: System, writers: list[Writer], keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(system, 0, writers[0].next())
    run("audit", "seal", "--once")
    shutil.copytree(tmp_path / "log", tmp_path / "old")
    put(system, 0, writers[0].next())
    run("audit", "seal", "--once")
    shutil.rmtree(tmp_path / "log")
    (tmp_path / "old").rename(tmp_path / "log")
    before = (tmp_path / "log/checkpoint").read_bytes()
    assert "old copy" in run("audit", "seal", "--once").says(4)
    assert (tmp_path / "log/checkpoint").read_bytes() == before
    shutil.rmtree(tmp_path / "log")
    assert "old copy" in run("audit", "seal", "--once").says(4)
    monkeypatch.setenv("GATEKEEPER_PREFIX", f"x{os.urandom(8).hex()}.")
    assert "another system's" in run("audit", "seal", "--once").says(2)
    (tmp_path / "keys/log-1.key").chmod(0o644)
    assert "chmod 600" in run("audit", "seal", "--once").says(2)


def beside(*words: str) -> Command:
    """Runs a verb beside the test."""
    return Command(*words, env=os.environ | ANYWHERE | {"GATEKEEPER_LANG": "en"})


def test_a_running_sealer_then_a_second_is_refused_and_the_unsealed_are_counted(
    run: Run, system: System, writers: list[Writer], keys: Keys
) -> None:
    put(system, 0, writers[0].next())
    with beside("audit", "seal", "--interval", "0.2") as first:
        assert "sealed 1 " in first.line()
        assert "one writer only" in run("audit", "seal", "--once").says(3)
        put(system, 0, (b"{}", "AAAA"))
        finding = ("gatekeeper_seal_findings_total", "finding=unreadable_manifest")
        until(lambda: own_metrics(first, "seal").get(finding), "it has read what cannot be sealed")
        found = own_metrics(first, "seal")
        assert (found[("gatekeeper_log_entries",)], found[("gatekeeper_manifests_unsealed",)]) == (1, 0)
        assert 0 <= found[("gatekeeper_seal_age_seconds",)] < 60
        first.terminate()
        assert first.wait(20) == 1


def test_given_a_second_sealer_on_an_equal_copy_then_the_first_never_signs_again(
    run: Run, system: System, writers: list[Writer], keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(system, 0, writers[0].next())
    with beside("audit", "seal", "--interval", "0.1") as first:
        assert "sealed 1 " in first.line()
        shutil.copytree(tmp_path / "log", tmp_path / "copy")
        before = (tmp_path / "log/checkpoint").read_bytes()
        monkeypatch.setenv("GATEKEEPER_LOG", str(tmp_path / "copy"))
        assert run("audit", "seal", "--once").code == 0
        put(system, 0, writers[0].next())
        _, said = first.communicate(30)
        assert first.returncode == 3
        assert re.search("^error: Another sealer has taken over", said, re.M)
        assert (tmp_path / "log/checkpoint").read_bytes() == before
        assert run("audit", "seal", "--once").code == 0
        assert len(sealed(tmp_path / "copy", keys)) == 2


def test_given_a_sealer_killed_again_and_again_then_no_manifest_is_lost_or_doubled(
    run: Run, system: System, writers: list[Writer], keys: Keys, tmp_path: Path
) -> None:
    fate, values = random.Random(11), list[bytes]()
    for _ in range(4):
        for _ in range(40):
            writer = writers[fate.randrange(2)]
            values.append(put(system, writer.partition, writer.next()))
        with beside("audit", "seal", "--interval", "0.1") as running:
            assert "sealed" in running.line()
            values += [put(system, 1, writers[1].next()) for _ in range(fate.randrange(5))]
            end = time.monotonic() + fate.random() / 4  # anywhere in what it does next
            while time.monotonic() < end:
                pass
            running.send_signal(signal.SIGKILL)
            assert running.wait(20) == -signal.SIGKILL
    assert run("audit", "seal", "--once").code == 0
    leaves = sealed(tmp_path / "log", keys)
    assert sorted(leaves) == sorted(values)
    for partition in (0, 1):
        mine = f'"partition":{partition},'.encode()
        assert [leaf for leaf in leaves if mine in leaf] == [value for value in values if mine in value]


def test_given_a_log_rewritten_then_the_witness_exits_4_with_one_sentence(
    run: Run, system: System, writers: list[Writer], keys: Keys, tmp_path: Path
) -> None:
    assert "no checkpoint" in run("audit", "witness", "--once", "--first").says(5)
    put(system, 0, writers[0].next())
    run("audit", "seal", "--once")
    assert "Give --first" in run("audit", "witness", "--once").says(4)
    assert run("audit", "witness", "--once", "--first", "--json").json["cosigned"]["size"] == 1
    assert "Leave out --first" in run("audit", "witness", "--once", "--first").says(2)
    shutil.rmtree(tmp_path / "log")
    assert "was cut" in run("audit", "witness", "--once").says(4)


def reports(folder: Path, keys: Keys) -> list[dict[str, Any]]:
    """Returns the coverage reports in the log, read."""
    found = [json.loads(leaf) for leaf in sealed(folder, keys)]
    return [leaf for leaf in found if leaf.get("kind") == "coverage"]


def test_given_the_time_for_coverage_then_its_report_is_a_leaf_and_only_then(
    run: Run, system: System, writers: list[Writer], keys: Keys, tmp_path: Path
) -> None:
    put(system, 0, writers[0].next(0))
    assert run("audit", "seal", "--once").code == 0  # a log that has just begun: a day from now
    assert reports(tmp_path / "log", keys) == []
    assert run("audit", "seal", "--once", "--coverage", "0.000001").code == 0
    (report,) = reports(tmp_path / "log", keys)
    assert (report["found"], report["findings"], report["partitions"]["manifests"]) == (0, [], [1, 0])
    for never in ((), ("--coverage", "0")):
        assert run("audit", "seal", "--once", *never).code == 0
    assert len(reports(tmp_path / "log", keys)) == 1
