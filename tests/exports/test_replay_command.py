"""`gatekeeper audit replay` and `what-if` over an export: what they find, say and return."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from click.testing import CliRunner, Result

from gatekeeper.audit.records.releases import RELEASES, RULES
from gatekeeper.audit.tlog import merkle
from gatekeeper.cli.audit import command, reading
from gatekeeper.cli.audit import replay as replays
from gatekeeper.cli.audit.reading import SHARE, UNNOTICED, Pace
from gatekeeper.ground.errors import IntegrityError, UsageError
from gatekeeper.ground.times import instant
from schemas.codec import canonical
from tests.support import canaries, invented, policies
from tests.support.canaries import NARUMI
from tests.support.records import Named, export, first_of_demo, of_every_kind
from tests.support.trails import GROUP, Step, Trail, lines, signing_key


def called(*arguments: Any) -> Result:
    return CliRunner().invoke(command, [str(each) for each in arguments])


@pytest.fixture(scope="module")
def demo() -> tuple[list[bytes], Named]:
    values, names = first_of_demo(count=280)
    return list(values), names


def forged(value: bytes, **changed: Any) -> bytes:
    return canonical({**orjson.loads(value), **changed})


def test_an_export_then_all_is_derived_again_and_nothing_is_found(tmp_path: Path) -> None:
    values, names = of_every_kind()
    done = called("replay", export(tmp_path / "out", values, names), "--json")
    said = json.loads(done.stdout)
    assert done.exit_code == 0
    assert said["records"] == len(values) == sum(said["stages"].values())
    assert said["found"] == []
    assert set(said["findings"]) == {"same", "told", "silent"}


def _record(step: Step, seed: int) -> Step:
    return replace(step, records=(forged(step.records[0], notes=["X"]), *step.records[1:]))


def _root(step: Step, seed: int) -> Step:
    """A record, and the manifest with it, whose signature is left as it was."""
    step = _record(step, seed)
    return replace(step, value=forged(step.value, root=merkle.root(step.records).hex()))


def _signed(step: Step, seed: int) -> Step:
    """The same by a thief of the worker's key."""
    step = _root(step, seed)
    return replace(step, sig=signing_key(f"{GROUP}/worker", seed=seed).sign(step.value))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_record, "The record is not in this manifest."),
        (_root, "The signature by the key"),
        (lambda step, _: _signed(step, 5), "The signature by the key"),
    ],
)
def test_a_forged_record_then_explain_and_prove_say_why_as_check_does(
    tmp_path: Path, change: Callable[[Step, int], Step], says: str
) -> None:
    trail = Trail(seed=4, partitions=1).write(3)
    first, step, last = trail.steps
    did, folder, proof = orjson.loads(step.records[0])["did"], trail.export(tmp_path / "out"), tmp_path / "proof"
    (folder / "keys").chmod(0o777)  # an export is anybody's, its keys with it
    assert "Seal: leaf 1 (from 0)" in called("explain", did, folder).stdout

    changed = change(step, 4)
    trail.put(folder, [first, changed, last])
    done = called("explain", did, folder)
    assert (done.exit_code, "Seal: none" in done.stdout, says in done.stderr) == (1, True, True)
    assert [one for one in ("Seal: leaf", "cosigned") if one in done.stdout] == []
    done = called("prove", did, folder, "--out", proof)
    assert (done.exit_code, done.stdout, proof.exists(), says in done.stderr) == (1, "", False, True)


def test_a_worker_key_that_is_not_there_then_explain_and_prove_name_it_and_exit_4(tmp_path: Path) -> None:
    trail = Trail(seed=4, partitions=1).write(1)
    did, folder = orjson.loads(trail.steps[0].records[0])["did"], trail.export(tmp_path / "out")
    (folder / "keys" / "worker-1.pub").unlink()
    for words in (("explain", did, folder), ("prove", did, folder, "--out", tmp_path / "proof")):
        done = called(*words)
        assert (done.exit_code, "Seal: leaf" in done.stdout, trail.worker.kid in done.stderr) == (4, False, True)


def test_a_manifest_not_sealed_yet_then_explain_says_so_and_prove_writes_the_rest(tmp_path: Path) -> None:
    trail = Trail(seed=4, partitions=1).write(2)
    did, folder = orjson.loads(trail.steps[1].records[0])["did"], trail.export(tmp_path / "out", sealed=1)
    done = called("explain", did, folder)
    assert (done.exit_code, "not yet sealed" in done.stdout, done.stderr) == (0, True, "")
    assert called("prove", did, folder, "--out", tmp_path / "proof").exit_code == 5
    assert called("check", tmp_path / "proof").exit_code == 5


UNTOLD = "Seal: cannot be told, for the sealed log cannot be read."


def test_a_changed_hash_of_the_log_then_it_is_damage_and_no_manifest_is_sealed(tmp_path: Path) -> None:
    trail = Trail(seed=4, partitions=1).write(3)
    first, step, last = trail.steps
    did, folder = orjson.loads(step.records[0])["did"], trail.export(tmp_path / "out")
    stolen = _signed(step, 4)
    trail.put(folder, [first, stolen, last])
    (tile,) = (folder / "log" / "tile" / "0").glob("*.p/*")
    tile.write_bytes(tile.read_bytes().replace(merkle.leaf_hash(step.value), merkle.leaf_hash(stolen.value)))
    damage = "The tiles of the sealed log do not fit its checkpoint of 3 leaves."
    done = called("explain", did, folder)
    assert (done.exit_code, UNTOLD in done.stdout, damage in done.stderr) == (4, True, True)
    assert [one for one in ("Seal: leaf", "not yet sealed") if one in done.stdout] == []
    done = called("prove", did, folder, "--out", tmp_path / "proof")
    assert isinstance(done.exception, IntegrityError)
    assert damage in str(done.exception)
    assert not (tmp_path / "proof").exists(), "so that `check` asks nobody to seal it"


def test_a_forged_record_then_exit_1_and_it_is_named_with_partition_and_offset(
    tmp_path: Path, demo: tuple[list[bytes], Named]
) -> None:
    values, names = list(demo[0][:200]), demo[1]
    place = next(n for n, value in enumerate(values) if n > 120 and orjson.loads(value)["verdict"] == "block")
    values[place] = forged(values[place], verdict="clear", reasons=[])
    folder = export(tmp_path / "out", values, names)
    done = called("replay", folder)
    assert done.exit_code == 1
    assert 'verdict is "clear" in the record, and "block" follows' in done.stdout
    (found,) = json.loads(called("replay", folder, "--json").stdout)["found"]
    assert (found["partition"], found["offset"], found["record"]) == (0, place // 50 * 2, place % 50)


NAME, MAIL, PHONE = NARUMI["name"], NARUMI["email"], NARUMI["phone"]
WHO = {"code": "NO_CONSENT", "facts": [NAME, PHONE], "says": {NAME: "x", "date": MAIL, "case": "narumi kanaria"}}


@pytest.mark.parametrize(
    ("inside", "more", "place"),
    [
        ("send", {"delivery": NARUMI}, "send.delivery"),
        ("facts", {"sources": [{NAME: NAME, "source_id": NAME, "check": {"name": "Narumi"}}]}, "facts"),
        (None, {"reasons": [WHO]}, "reasons[0]"),
        (None, {"verdict": "block", "reasons": [WHO | {"code": "DECISION_FAILED"}], "send": None}, "basis"),
    ],
)
def test_a_forged_record_with_somebody_in_it_then_its_place_is_named_and_not_they(
    tmp_path: Path, demo: tuple[list[bytes], Named], inside: str | None, more: dict[str, Any], place: str
) -> None:
    values, names = list(demo[0][:50]), demo[1]
    number = next(n for n, value in enumerate(values) if orjson.loads(value)["verdict"] == "clear")
    said = orjson.loads(values[number])
    (said[inside] if inside else said).update(more)
    values[number] = canonical(said)
    folder = export(tmp_path / "out", values, names)
    about = orjson.loads((folder / "export.json").read_bytes())
    (folder / "export.json").write_bytes(canonical({**about, "made": NAME, "by": PHONE}))
    shown, plain = called("replay", folder), called("replay", folder, "--json")
    assert (shown.exit_code, plain.exit_code) == (1, 1)
    (found,) = json.loads(plain.stdout)["found"]
    assert (found["record"], found["place"]) == (number, place)
    written = shown.output.encode() + plain.output.encode()
    assert canaries.found(written) == []
    assert re.search(rb"(?i)narumi", written) is None


def test_a_policy_that_is_not_there_then_exit_4_and_records_that_are_not_then_5(
    tmp_path: Path, demo: tuple[list[bytes], Named]
) -> None:
    values, names = demo
    folder = export(tmp_path / "out", values[:60], names)
    (folder / "records" / "0.ndjson.gz").write_bytes(
        (export(tmp_path / "fewer", values[:55], names) / "records" / "0.ndjson.gz").read_bytes()
    )
    done = called("replay", folder)
    assert done.exit_code == 5
    assert "audit records of the manifest at offset 2 of `manifests` that are missing: 5" in done.stderr
    for file in (folder / "policies").iterdir():
        file.unlink()
    assert called("replay", folder).exit_code == 4
    (folder / "export.json").unlink()
    with pytest.raises(IntegrityError):
        command(["replay", str(folder)], standalone_mode=False)


def test_a_span_of_time_then_only_that(tmp_path: Path, demo: tuple[list[bytes], Named]) -> None:
    folder = export(tmp_path / "out", demo[0][:200], demo[1])
    times = [instant(invented.T + 60_000 * n) for n in (1, 3)]
    done = called("replay", folder, "--from", times[0], "--to", times[1], "--json")
    assert json.loads(done.stdout)["records"] == 100
    for words, said in ((["yesterday"], "--from"), ([times[1], "--to", times[0]], "from be before to")):
        with pytest.raises(UsageError, match=said):
            command(["replay", str(folder), "--from", *words], standalone_mode=False)


def test_records_that_no_manifest_covers_then_replay_does_not_call_it_right(
    tmp_path: Path, demo: tuple[list[bytes], Named]
) -> None:
    folder = export(tmp_path / "out", demo[0][:200], demo[1])
    assert "`gatekeeper audit verify` tells whether" in called("replay", folder).stderr
    file = folder / "manifests" / "0.ndjson.gz"
    lines(file, gzip.decompress(file.read_bytes()).splitlines()[:-1])
    done = called("replay", folder)
    assert (done.exit_code, "gatekeeper audit verify FOLDER" in done.stderr) == (4, True)


@pytest.fixture
def folder(tmp_path: Path, demo: tuple[list[bytes], Named]) -> Path:
    return export(tmp_path / "out", *demo)


def what_if(folder: Path, policy: Path | str, *more: str) -> tuple[int, dict[str, Any]]:
    done = called("what-if", folder, "--policy", policy, "--json", *more)
    return done.exit_code, json.loads(done.stdout)


def test_a_stricter_policy_then_told_by_reason_source_campaign_in_sends_and_people(
    folder: Path, tmp_path: Path
) -> None:
    file = tmp_path / "stricter.toml"
    file.write_text(policies.text(9, ("[parameters]", "[parameters]\nconsent_max_age_months = 1")), "utf-8")
    code, said = what_if(folder, file)
    assert code == 0
    assert said["widened"] == {"sends": 0, "people": 0}
    assert {row["reason"][:4] for row in said["reason"]} == {"- → "}
    for by in ("reason", "source", "campaign"):
        assert sum(row["sends"] for row in said[by]) == sum(row["sends"] for row in said["reason"]) > 50
        assert {row["old"] for row in said[by]} == {"clear"}
    assert 0 < sum(row["people"] for row in said["reason"]) <= sum(row["sends"] for row in said["reason"])


def test_a_laxer_policy_then_exit_1_unless_that_is_allowed(folder: Path) -> None:
    code, said = what_if(folder, "jp-pmark")
    assert (code, said["reason"], said["source"], said["campaign"]) == (0, [], [], []), "the policy that decided"
    code, said = what_if(folder, "jp-appi")
    assert code == 1
    assert said["widened"]["sends"] >= said["widened"]["people"] > 0
    cleared = [row for row in said["verdict"] if row["new"] == "clear" and row["old"] != "clear"]
    assert sum(row["sends"] for row in cleared) == said["widened"]["sends"]
    assert what_if(folder, "jp-appi", "--allow-widening") == (0, said)


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        (RULES - 1, "Run `gatekeeper audit replay` of release 0.0.9."),
        (RULES + 1, f"of a later release, which has version {RULES + 1}"),
    ],
)
def test_records_of_other_rules_then_replay_names_their_release_and_none_is_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, demo: tuple[list[bytes], Named], rules: int, says: str
) -> None:
    monkeypatch.setattr(replays, "RELEASES", {**RELEASES, RULES - 1: "0.0.9"})
    ours, *_ = [said for said in map(orjson.loads, demo[0]) if said["stage"] == "intake" and said["verdict"] == "clear"]
    theirs = {**ours, "engine": {**ours["engine"], "rules": rules}, "verdict": "block"}
    folder = export(tmp_path / "old", [canonical(theirs), canonical(ours)], demo[1])
    done = called("replay", folder)
    assert (done.exit_code, done.stdout.count(says)) == (5, 1), done
    found = json.loads(called("replay", folder, "--json").stdout)
    assert (found["findings"], found["found"][0]["why"]) == ({"unverified": 1, "same": 1}, f"rules {rules}")
    code, said = what_if(folder, "jp-pmark")
    assert (code, said["decisions"], said["other_rules"], said["unknown"]) == (5, 1, 1, 0)


@pytest.mark.parametrize(("rate", "slept"), [(None, 8 * (SHARE - 1)), (0, 0), (UNNOTICED / 10, 90)])
def test_live_reading_then_it_leaves_most_of_the_machine_to_live_work(
    rate: float | None, slept: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    sleeps, worked = list[float](), list[float]()
    clock = SimpleNamespace(monotonic=lambda: sum(worked) + sum(sleeps), sleep=sleeps.append)
    monkeypatch.setattr(reading, "time", clock)
    pace = Pace(rate)
    for _ in range(10):  # a second of work for each tenth; two are not held up
        worked.append(1)
        pace.done(UNNOTICED // 2 if rate is None else UNNOTICED)
    assert sum(sleeps) == pytest.approx(slept)


def test_a_forged_record_that_holds_a_name_then_explain_does_not_tell_it(tmp_path: Path) -> None:
    trail = Trail(seed=11, partitions=1).write(4)
    folder = trail.export(tmp_path / "out")
    number, step = next((n, one) for n, one in enumerate(trail.steps) if b'"notice_id":' in one.records[0])
    said = orjson.loads(step.records[0])
    for each in said["facts"]["sources"]:
        each["notice_id"] = NAME
    step = replace(step, records=(canonical(said), *step.records[1:]))
    step = replace(step, value=forged(step.value, root=merkle.root(step.records).hex()))
    trail.put(folder, [*trail.steps[:number], step, *trail.steps[number + 1 :]])
    for more in ((), ("--json",)):
        done = called("explain", said["did"], folder, *more)
        assert done.exit_code == 1
        assert NAME not in done.output
        assert said["did"] in done.stdout
