"""`gatekeeper audit replay` and `what-if` over an export: what they find, say and return."""

from __future__ import annotations

import gzip
import json
import signal
import subprocess
import sys
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner, Result

from gatekeeper.cli.audit import command
from gatekeeper.errors import IncompleteError, IntegrityError, UsageError
from gatekeeper.spans import instant
from schemas.codec import canonical
from tests import policies, world
from tests.records import Named, export, of_demo, of_every_kind
from tests.trails import Trail, lines
from tests.worlds import until


def called(*arguments: Any) -> Result:
    return CliRunner().invoke(command, [str(each) for each in arguments])


@pytest.fixture(scope="module")
def demo() -> tuple[list[bytes], Named]:
    values, names = of_demo()
    return list(islice(values, 2_000)), names


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


def test_an_explanation_of_a_forged_record_then_exit_4_and_no_seal_is_told(tmp_path: Path) -> None:
    trail = Trail(seed=4, partitions=1).write(3)
    step = trail.steps[1]
    did = orjson.loads(step.records[0])["did"]
    folder = trail.export(tmp_path / "out")
    (folder / "keys").chmod(0o777)  # an export is anybody's, its keys with it
    done = called("explain", did, folder)
    assert (done.exit_code, "Seal: leaf 1 " in done.stdout) == (0, True)
    assert called("prove", did, folder, "--out", tmp_path / "proof").exit_code == 0
    records = (forged(step.records[0], notes=["X"]), *step.records[1:])
    trail.put(folder, [trail.steps[0], replace(step, records=records), trail.steps[2]])
    done = called("explain", did, folder)
    assert (done.exit_code, "Seal: none" in done.stdout, "Seal: leaf 1 " in done.stdout) == (4, True, False)
    assert f"offset {step.offset} of manifests" in done.stderr


@pytest.mark.parametrize("command", ["replay", "explain", "what-if", "prove"])
@pytest.mark.parametrize("value", [1, "{}", "[]", None])
def test_a_manifest_line_of_another_form_then_exit_4_and_its_file_is_named(
    tmp_path: Path, command: str, value: Any
) -> None:
    trail = Trail(seed=4, partitions=1).write(1)
    folder = trail.export(tmp_path / "out")
    lines(folder / "manifests" / "0.ndjson.gz", [canonical({"index": None, "offset": 0, "sig": "", "value": value})])
    did = orjson.loads(trail.steps[0].records[0])["did"]
    options = {
        "replay": [folder],
        "explain": [did, folder],
        "what-if": [folder, "--policy", "jp-pmark@1"],
        "prove": [did, folder, "--out", tmp_path / "proof"],
    }
    done = called(command, *options[command])
    told = done.stderr + str(done.exception)
    assert "manifests/0.ndjson.gz" in told
    assert isinstance(done.exception, (SystemExit, IntegrityError, IncompleteError))


def test_a_manifest_without_asof_then_its_records_are_derived_all_the_same(tmp_path: Path) -> None:
    trail = Trail(seed=4, partitions=1).write(1)
    folder = trail.export(tmp_path / "out")
    said = orjson.loads(trail.steps[0].value)
    del said["asof"]
    trail.put(folder, [replace(trail.steps[0], value=canonical(said))])
    assert called("replay", folder).exit_code == 0


def test_a_record_that_cannot_be_read_then_prove_finds_none(tmp_path: Path) -> None:
    trail = Trail(seed=4, partitions=1).write(1)
    (step,), folder = trail.steps, trail.export(tmp_path / "out")
    trail.put(folder, [replace(step, records=(step.records[0] + b"}", *step.records[1:]))])
    done = called("prove", orjson.loads(step.records[0])["did"], folder, "--out", tmp_path / "proof")
    assert isinstance(done.exception, UsageError)


def test_a_public_key_that_is_no_text_then_prove_says_which(tmp_path: Path) -> None:
    trail = Trail(seed=4, partitions=1).write(1)
    folder = trail.export(tmp_path / "out")
    (folder / "keys" / "worker-1.pub").write_bytes(b"\xff")
    did = orjson.loads(trail.steps[0].records[0])["did"]
    done = called("prove", did, folder, "--out", tmp_path / "proof")
    assert isinstance(done.exception, UsageError)
    assert "worker-1.pub" in str(done.exception)


def test_a_forged_record_then_exit_1_and_it_is_named_with_partition_and_offset(
    tmp_path: Path, demo: tuple[list[bytes], Named]
) -> None:
    values, names = list(demo[0][:200]), demo[1]
    place = next(n for n, value in enumerate(values) if n > 120 and orjson.loads(value)["verdict"] == "block")
    values[place] = forged(values[place], verdict="clear", reasons=[])
    folder = export(tmp_path / "out", values, names)
    done = called("replay", folder)
    assert done.exit_code == 1
    assert f"partition 0, offset {place // 50 * 2} of `manifests`, its record {place % 50}" in done.stdout
    assert 'verdict is "clear" in the record, and "block" follows' in done.stdout
    (found,) = json.loads(called("replay", folder, "--json").stdout)["found"]
    assert (found["partition"], found["offset"], found["record"]) == (0, place // 50 * 2, place % 50)


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
    assert "5 audit records of the manifest at offset 2" in done.stderr
    for file in (folder / "policies").iterdir():
        file.unlink()
    assert called("replay", folder).exit_code == 4
    (folder / "export.json").unlink()
    with pytest.raises(IntegrityError):
        command(["replay", str(folder)], standalone_mode=False)


def test_a_span_of_time_then_only_that(tmp_path: Path, demo: tuple[list[bytes], Named]) -> None:
    folder = export(tmp_path / "out", demo[0][:200], demo[1])
    times = [instant(world.T + 60_000 * n) for n in (1, 3)]
    done = called("replay", folder, "--from", times[0], "--to", times[1], "--json")
    assert json.loads(done.stdout)["records"] == 100
    done = called("replay", folder, "--from", "2200-01-01T00:00:00Z")
    assert (done.exit_code, "no record" in done.stderr) == (0, True)
    with pytest.raises(UsageError, match="--from"):
        command(["replay", str(folder), "--from", "yesterday"], standalone_mode=False)


def test_interrupted_then_it_goes_on_where_it_was_and_tells_all(
    tmp_path: Path, demo: tuple[list[bytes], Named]
) -> None:
    values, names = list(demo[0][:600]), demo[1]
    values[10] = forged(values[10], campaign="K-9")
    folder, state = export(tmp_path / "out", values, names), tmp_path / "state.json"
    call = [sys.executable, "-m", "gatekeeper", "audit", "replay", folder, "--state", state, "--rate", "10"]
    with subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        until(state.exists, "the state is written down", 30)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert (process.returncode, "goes on from here" in said) == (130, True)
    before = json.loads(state.read_bytes())["records"]
    assert 0 < before < 600
    done = called("replay", folder, "--state", state, "--json")
    assert (done.exit_code, json.loads(done.stdout)["records"]) == (1, 600), "each once"
    done = called("replay", folder, "--state", state, "--json")
    assert (done.exit_code, json.loads(done.stdout)["records"]) == (0, 0), "what is new, which is nothing"
    other = export(tmp_path / "other", values[:50], names)
    (other / "export.json").write_bytes((other / "export.json").read_bytes().replace(b"mail.", b"test."))
    with pytest.raises(UsageError, match="another"):
        command(["replay", str(other), "--state", str(state)], standalone_mode=False)
    state.write_bytes(b"{")
    with pytest.raises(UsageError, match="anew"):
        command(["replay", str(folder), "--state", str(state)], standalone_mode=False)


def test_neither_folder_nor_live_then_exit_2(tmp_path: Path) -> None:
    for arguments in (["replay"], ["replay", str(tmp_path), "--live"], ["what-if", "--policy", "jp-appi"]):
        with pytest.raises(UsageError, match="--live"):
            command(arguments, standalone_mode=False)


@pytest.fixture
def folder(tmp_path: Path, demo: tuple[list[bytes], Named]) -> Path:
    return export(tmp_path / "out", *demo)


def what_if(folder: Path, policy: Path | str, *more: str) -> tuple[int, dict[str, Any]]:
    done = called("what-if", folder, "--policy", policy, "--json", *more)
    return done.exit_code, json.loads(done.stdout)


def test_the_policy_that_decided_then_nothing_changes(folder: Path, demo: tuple[list[bytes], Named]) -> None:
    code, said = what_if(folder, "jp-pmark")
    assert code == 0
    assert all(row["old"] == row["new"] for row in said["verdict"]) or said["verdict"] == []
    assert (said["reason"], said["source"], said["campaign"]) == ([], [], [])
    assert said["decisions"] == sum(orjson.loads(value)["stage"] == "intake" for value in demo[0])


def test_a_stricter_policy_then_told_by_reason_source_campaign_in_sends_and_people(
    folder: Path, tmp_path: Path
) -> None:
    file = tmp_path / "stricter.toml"
    file.write_text(policies.text(9, ("[parameters]", "[parameters]\nconsent_max_age_months = 1")), "utf-8")
    code, said = what_if(folder, file)
    assert code == 0
    assert said["widened"] == {"sends": 0, "people": 0}
    assert said["reason"][0]["reason"] == "- → CONSENT_EXPIRED"
    assert {row["reason"][:4] for row in said["reason"]} == {"- → "}
    for by in ("reason", "source", "campaign"):
        assert sum(row["sends"] for row in said[by]) == sum(row["sends"] for row in said["reason"]) > 100
        assert {row["old"] for row in said[by]} == {"clear"}
    assert len(said["source"]) > 1
    people = sum(row["people"] for row in said["reason"])
    assert 0 < people <= sum(row["sends"] for row in said["reason"])
    shown = called("what-if", folder, "--policy", file)
    assert (shown.exit_code, "CONSENT_EXPIRED" in shown.stdout) == (0, True)


def test_a_laxer_policy_then_exit_1_unless_that_is_allowed(folder: Path) -> None:
    code, said = what_if(folder, "jp-appi")
    assert code == 1
    assert said["widened"]["sends"] >= said["widened"]["people"] > 0
    cleared = [row for row in said["verdict"] if row["new"] == "clear" and row["old"] != "clear"]
    assert sum(row["sends"] for row in cleared) == said["widened"]["sends"]
    assert what_if(folder, "jp-appi", "--allow-widening") == (0, said)
    done = called("what-if", folder, "--policy", "jp-appi")
    assert f"{said['widened']['sends']:,} sends to {said['widened']['people']:,} people" in done.stderr


def test_bytes_missing_that_records_name_then_nothing_is_said_to_be_no_wider(folder: Path) -> None:
    for file in (folder / "policies").iterdir():
        file.write_bytes(file.read_bytes() + b"#")
    code, said = what_if(folder, "strictest")
    assert (code, said["decisions"], said["left_out"]) == (4, 0, 0)
    assert said["unknown"] > 100
    assert f"Of {said['unknown']:,} it cannot be told" in called("what-if", folder, "--policy", "strictest").stderr


@pytest.mark.parametrize("spoilt", [{"t1": None}, {"audit": {"from_id": None, "n": "x"}}])
def test_a_manifest_of_another_form_then_exit_4_and_a_sentence(folder: Path, spoilt: dict[str, Any]) -> None:
    file = folder / "manifests/0.ndjson.gz"
    first, *rest = gzip.decompress(file.read_bytes()).splitlines()
    line = orjson.loads(first)
    value = {name: one for name, one in {**orjson.loads(line["value"]), **spoilt}.items() if one is not None}
    line["value"] = orjson.dumps(value).decode()
    file.write_bytes(gzip.compress(b"\n".join([orjson.dumps(line), *rest])))
    done = called("replay", folder)
    assert (done.exit_code, "manifests/0.ndjson.gz" in done.stderr) == (4, True), done.output
