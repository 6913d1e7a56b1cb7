"""An export verified offline: what was tampered with shows and is named, what was not gives no alarm."""

from __future__ import annotations

import gzip
import os
import re
import shutil
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest
from click.testing import CliRunner

from gatekeeper.audit.checks.trail import Link
from gatekeeper.audit.export.bundle import ROOMS, bundle
from gatekeeper.audit.export.proof import of_record
from gatekeeper.audit.tlog import merkle
from gatekeeper.audit.tlog.notes import parse_vkey
from gatekeeper.audit.tlog.ranges import MAX_RECORDS
from gatekeeper.audit.verify.export_check import verify
from gatekeeper.audit.verify.findings import MAX_FINDINGS, Report, causes_of
from gatekeeper.audit.verify.input_files import MAX_LINE, READ_BYTES
from gatekeeper.audit.verify.partition_records import MAX_TAKEN
from gatekeeper.audit.verify.proof_check import check_content, check_proof
from gatekeeper.audit.verify.sentences import CHANGED, INCOMPLETE, SAYS, UNVERIFIABLE
from gatekeeper.cli.audit.verify import command
from schemas.codec import canonical
from tests.support.trails import Step, Trail, alone, by_day, lines, seal, signing_key

TRIALS = int(os.environ.get("AUDIT_TRIALS", "2"))
"""Of each way to tamper; on demand AUDIT_TRIALS=100."""
CLEAN = 10 * TRIALS if TRIALS >= 100 else 3 * TRIALS
Place = tuple[int, int] | None
Tamper = Callable[[Trail, Path, Random], tuple[set[str], Place]]
"""Changes an export, and returns which findings may tell of it, and where: partition and offset, None = not known."""


def check(trail: Trail, folder: Path, **more: Any) -> Report:
    return verify(folder, witness=parse_vkey(trail.witness.verifier), **more)


def exported(folder: Path, *write: int, **of: Any) -> tuple[Trail, Path]:
    """Returns a trail, and the folder with its export."""
    trail = Trail(**of).write(*write)
    return trail, trail.export(folder / "export")


def bare(report: Report) -> dict[str, Any]:
    """Returns all that a report says but in which file, and in which line of it, something stands."""
    found = report.plain()
    for name in ("findings", "causes"):
        found[name] = [{key: one[key] for key in one if key not in ("file", "line")} for one in found[name]]
    return found


def some(trail: Trail, random: Random, *, records: int = 1) -> int:
    return random.choice([n for n, step in enumerate(trail.steps) if len(step.records) >= records])


def changed(trail: Trail, number: int, **fields: Any) -> list[Step]:
    return [replace(step, **fields) if n == number else step for n, step in enumerate(trail.steps)]


def signed(trail: Trail, step: Step, **fields: Any) -> Step:
    """Returns the step with another manifest, signed by whoever has the worker's key."""
    value = canonical({**step_value(step), **fields})
    return replace(step, value=value, sig=trail.worker.sign(value))


def step_value(step: Step) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(step.value)
    return found


def rechained(trail: Trail, number: int, records: tuple[bytes, ...], **fields: Any) -> list[Step]:
    """Returns the steps as a thief of the worker's key makes them: other records, and a chain that holds again.

    `fields`: what else the manifest of these records says.
    """
    found = changed(trail, number, records=records)
    found[number] = signed(trail, found[number], root=merkle.root(records).hex(), **fields)
    prev = sha256(found[number].value).hexdigest()
    for n in range(number + 1, len(found)):
        if found[n].partition == found[number].partition:
            found[n] = signed(trail, found[n], prev=prev)
            prev = sha256(found[n].value).hexdigest()
    return found


def cleared(record: bytes) -> bytes:
    return record.replace(b'"verdict":"confirm"', b'"verdict":"clear"').replace(b'"P', b'"Q').replace(b'"E-', b'"F-')


def behind(steps: list[Step], partition: int) -> int:
    """Returns the place behind a partition's last manifest."""
    return max((step.offset + 1 for step in steps if step.partition == partition), default=0)


def bit_flip(trail: Trail, folder: Path, random: Random) -> tuple[set[str], Place]:
    number = some(trail, random)
    step = trail.steps[number]
    place = random.randrange(len(step.records))
    data = bytearray(step.records[place])
    data[random.randrange(len(data))] ^= 1 << random.randrange(8)
    records = (*step.records[:place], bytes(data), *step.records[place + 1 :])
    trail.put(folder, changed(trail, number, records=records))
    return {"torn_transaction"}, (step.partition, step.offset)


def bit_flip_in_a_manifest(trail: Trail, folder: Path, random: Random) -> tuple[set[str], Place]:
    number = random.randrange(len(trail.steps))
    step = trail.steps[number]
    at = random.choice([n for n, byte in enumerate(step.value) if chr(byte).isdigit()])
    value = step.value[:at] + bytes([step.value[at] ^ 1]) + step.value[at + 1 :]
    trail.put(folder, changed(trail, number, value=value))
    return {"forged_manifest", "unknown_key", "line"}, (step.partition, step.offset)


def move_across_partitions(trail: Trail, folder: Path, random: Random) -> tuple[set[str], Place]:
    number = some(trail, random)
    step = trail.steps[number]
    to = random.choice([n for n, other in enumerate(trail.steps) if other.partition != step.partition])
    steps = changed(trail, number, records=step.records[1:])
    steps[to] = replace(steps[to], records=(*steps[to].records, step.records[0]))
    trail.put(folder, steps)
    return {"torn_transaction"}, (step.partition, step.offset)


def drop_a_manifest(trail: Trail, folder: Path, random: Random) -> tuple[set[str], Place]:
    number = random.randrange(len(trail.steps))
    step = trail.steps[number]
    steps = trail.steps[:number] + trail.steps[number + 1 :]
    trail.put(folder, steps)
    later = [one for one in steps[number:] if one.partition == step.partition]
    return {"missing_manifest"}, (step.partition, later[0].offset if later else behind(steps, step.partition))


def truncate(trail: Trail, folder: Path, random: Random) -> tuple[set[str], Place]:
    partition = random.choice(trail.steps).partition
    ours = [step for step in trail.steps if step.partition == partition]
    gone = ours[random.randrange(len(ours)) :]
    steps = [step for step in trail.steps if step not in gone]
    trail.put(folder, steps)
    if random.random() < 0.5:  # and the log with it, by a thief of its key
        shutil.rmtree(folder / "log")
        steps = [replace(step, index=n) for n, step in enumerate(steps)]
        trail.put(folder, steps)
        seal([step.value for step in steps], folder / "log", trail.log, None, at=0)
        return {"not_cosigned", "missing"}, None
    return {"missing_manifest"}, (partition, behind(steps, partition))


def forge_with_a_stolen_worker_key(trail: Trail, folder: Path, random: Random) -> tuple[set[str], Place]:
    number = some(trail, random)
    step = trail.steps[number]
    records = (cleared(step.records[0]) + b" ", *step.records[1:])
    trail.put(folder, rechained(trail, number, records))
    return {"not_sealed"}, (step.partition, step.offset)


def append_with_a_stolen_worker_key(trail: Trail, folder: Path, random: Random) -> tuple[set[str], Place]:
    before = [step for step in trail.steps if step.partition == trail.steps[-1].partition][-1]
    said = step_value(before)
    sends = {**said["in"][0], "from": said["in"][0]["to"], "to": said["in"][0]["to"], "n": 0, "gaps": []}
    more = {"prev": sha256(before.value).hexdigest(), "in": [sends]}
    forged = signed(trail, before, **more, root=merkle.root(()).hex(), audit={"from_id": None, "n": 0})
    index = random.choice([None, len(trail.steps)])
    trail.put(folder, [*trail.steps, replace(forged, offset=before.offset + 2, index=index, records=())])
    return {"unsealed", "not_sealed"}, (before.partition, before.offset + 2)


def rewrite_history(trail: Trail, folder: Path, random: Random) -> tuple[set[str], Place]:
    number = some(trail, random)
    records = (cleared(trail.steps[number].records[0]) + b" ", *trail.steps[number].records[1:])
    steps = rechained(trail, number, records)
    old = (folder / "log" / "checkpoint").read_text("utf-8").splitlines(keepends=True)[-1]
    trail.put(folder, steps)
    shutil.rmtree(folder / "log")
    seal([step.value for step in steps], folder / "log", trail.log, None, at=0)
    if random.random() < 0.5:
        with (folder / "log" / "checkpoint").open("a", encoding="utf-8") as file:
            file.write(old)
        return {"cosignature"}, None
    return {"not_cosigned"}, None


def splice_of_two_logs(trail: Trail, folder: Path, random: Random) -> tuple[set[str], Place]:
    other = Trail(trail.partitions, seed=trail.seed).write(1).write(len(trail.steps), 4)
    cut = random.randrange(1, len(trail.steps))
    steps = [replace(one, index=n) for n, one in enumerate(trail.steps[:cut] + other.steps[cut:])]
    trail.put(folder, steps)
    if random.random() < 0.5:  # the leaves of both, under the checkpoint of the first
        checkpoint = (folder / "log" / "checkpoint").read_bytes()
        shutil.rmtree(folder / "log")
        seal([step.value for step in steps][: len(trail.steps)], folder / "log", trail.log, None, at=0)
        (folder / "log" / "checkpoint").write_bytes(checkpoint)
        return {"log_root"}, None
    return {"not_sealed", "broken_chain"}, None


TAMPERS = (
    bit_flip,
    bit_flip_in_a_manifest,
    move_across_partitions,
    drop_a_manifest,
    truncate,
    forge_with_a_stolen_worker_key,
    append_with_a_stolen_worker_key,
    rewrite_history,
    splice_of_two_logs,
)


@pytest.mark.parametrize("tamper", TAMPERS, ids=lambda tamper: tamper.__name__)
def test_tampered_with_then_it_is_found_and_named(tmp_path: Path, tamper: Tamper) -> None:
    for trial in range(TRIALS):
        trail = Trail(seed=trial).write(12, 5)
        folder = trail.export(tmp_path / str(trial))
        codes, place = tamper(trail, folder, Random(trial))
        report = check(trail, folder)
        told = [one for one in report.findings if one.code in codes]
        assert report.exit_code, (trial, codes)
        assert told, (trial, report.findings)
        if place is not None:
            found = {(one.partition, one.offset) for one in told}
            found |= {place for one in told if one.values.get("file") == f"manifests/{place[0]}.ndjson.gz"}
            assert place in found, (trial, place, report.findings)
        assert bare(check(trail, by_day(folder, Random(trial)))) == bare(report), trial
        shutil.rmtree(folder)


@pytest.mark.parametrize(
    ("spoil", "code", "told"),
    [
        (lambda folder: shutil.rmtree(folder / "days/2026-11-21"), 1, "missing_manifest"),
        (lambda folder: (folder / "days/2026-11-22/1/records.ndjson.gz").unlink(), 4, "missing"),
        (lambda folder: (folder / "days/2026-11-21/0").rename(folder / "days/2026-11-21/3"), 1, "outside"),
    ],
)
def test_an_export_by_day_that_was_changed_then_it_is_found(
    tmp_path: Path, spoil: Callable[[Path], object], code: int, told: str
) -> None:
    trail = Trail(seed=3).write(30, 3)
    folder = by_day(trail.export(tmp_path / "out"), Random(1))
    assert check(trail, folder).exit_code == 0
    spoil(folder)
    report = check(trail, folder)
    assert (report.exit_code, told in {one.code for one in report.findings}) == (code, True), report.findings


def claims(trail: Trail, **last: Any) -> None:
    """Lets the last manifest say this."""
    trail.steps[-1] = signed(trail, trail.steps[-1], **last)


def most_memory(trail: Trail, folder: Path, **more: Any) -> tuple[Report, int]:
    tracemalloc.start()
    report = check(trail, folder, **more)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return report, most


def bomb(file: Path, piece: bytes, times: int) -> None:
    """Appends a piece of 64 MiB to a file so many times, each in a member of 64 KiB."""
    member = gzip.compress(piece * ((64 << 20) // len(piece)), 9, mtime=0)
    with file.open("ab") as out:
        for _ in range(times):
            out.write(member)


def test_two_gigabytes_of_line_ends_behind_the_records_then_it_stops_at_the_first(tmp_path: Path) -> None:
    trail, read = Trail(partitions=1, seed=2).write(3), list[int]()
    folder = trail.export(tmp_path / "export")
    whole = sum(file.stat().st_size for file in folder.rglob("*.ndjson.gz"))
    bomb(folder / "records" / "0.ndjson.gz", b"\n", 32)
    report, most = most_memory(trail, folder, progress=lambda done, _: read.append(done))
    assert [one.code for one in report.findings] == ["stray_record"]
    assert report.exit_code == CHANGED
    assert most < 24_000_000
    assert read[-1] <= whole + READ_BYTES, "of all behind them, what is read at once"


@pytest.mark.long("the bomb of line ends")
def test_records_that_inflate_to_gigabytes_in_a_manifests_place_then_it_gives_up(tmp_path: Path) -> None:
    trail, read = Trail(partitions=1, seed=2, acting=0.0).write(3), list[int]()
    said = step_value(trail.steps[-1])
    claims(trail, audit={**said["audit"], "n": MAX_RECORDS})
    folder = trail.export(tmp_path / "export")
    (folder / "records" / "0.ndjson.gz").unlink()
    bomb(folder / "records" / "0.ndjson.gz", b"0" * ((1 << 20) - 1) + b"\n", 32)
    report, most = most_memory(trail, folder, progress=lambda done, _: read.append(done))
    assert report.exit_code
    assert most < 2 * MAX_TAKEN
    assert read[-1] < 1_000_000, "of 2 MB"


def test_clean_logs_then_there_is_no_alarm(tmp_path: Path) -> None:
    for trial in range(CLEAN):
        trail = Trail(partitions=1 + trial % 4, seed=trial).write(3 + trial % 11, 2 + trial % 7)
        folder = trail.export(tmp_path / str(trial))
        report = check(trail, folder, min_size=len(trail.steps))
        assert (report.exit_code, report.findings) == (0, []), trial
        assert (report.manifests, report.records > 0) == (len(trail.steps), True)
        shutil.rmtree(folder)


def decoy(record: bytes) -> bytes:
    """Returns a record of another input, with the right one where no source stands."""
    at = record.index(b'"src":{')
    right = record[at : record.index(b'"subj"', at)]
    other = record.replace(b'"src":{"offset":', b'"src":{"offset":9')
    return b'{"aside":{' + right + b'"v":1},' + other[1:]


@pytest.mark.parametrize(
    ("write", "codes"),
    [
        (lambda records: (*records[:2], *records[3:]), {"omitted_record"}),
        (lambda records: (*records, records[0]), {"doubled_record"}),
        (lambda records: (records[1], records[0], *records[2:]), {"reordered_record"}),
        (
            lambda records: (records[0].replace(b'"mail.sends.v1"', b'"Yamada Hanako"'), *records[1:]),
            {"foreign_record", "omitted_record"},
        ),
        (lambda records: (decoy(records[0]), *records[1:]), {"foreign_record", "omitted_record"}),
        (
            lambda records: (records[0].replace(b'"verdict":', b'"t":{"src":1},"verdict":'), *records[1:]),
            {"unreadable_record", "omitted_record"},
        ),
    ],
)
def test_a_worker_that_lies_about_its_inputs_then_each_is_named_though_all_is_signed(
    tmp_path: Path, write: Callable[[tuple[bytes, ...]], tuple[bytes, ...]], codes: set[str]
) -> None:
    trail, folder = exported(tmp_path, 6, partitions=1, seed=2, acting=0)
    number = some(trail, Random(1), records=3)
    records = write(trail.steps[number].records)
    steps = rechained(trail, number, records, audit={"from_id": _did(records[0]), "n": len(records)})
    sealed_anew(trail, folder, steps)
    report = check(trail, folder)
    assert {one.code for one in report.findings} == codes
    assert {(one.partition, one.offset) for one in report.findings} == {(0, steps[number].offset)}
    assert "Hanako" not in repr(report.plain())
    absent = {_input(record) for record in trail.steps[number].records if record not in records}
    assert {one.values["input"] for one in report.findings if one.code == "omitted_record"} == absent


def _input(record: bytes) -> int:
    return int(orjson.loads(record)["src"]["offset"])


@pytest.mark.parametrize("skipped", [{"sends": 1, "acts": 1}, {"sends": -4}])
def test_offsets_skipped_by_a_person_then_it_says_who_and_there_is_no_alarm(
    tmp_path: Path, skipped: dict[str, int]
) -> None:
    trail = Trail(seed=3).write(6).resume(1, skipped=skipped).write(3)
    report = check(trail, trail.export(tmp_path / "x"))
    assert (report.exit_code, report.findings) == (0, [])
    told = [one for one in report.says if one[0] in ("skipped_by", "gone_back_by")]
    assert [(values["topic"], values["to"] - values["first"]) for _, values in told] == [
        (f"mail.{name}.v1", count) for name, count in skipped.items()
    ]
    assert {(values["partition"], values["by"]) for _, values in told} == {(1, "taro")}


@pytest.mark.parametrize(
    "wrong", [{"by": "hanako"}, {"act_id": "other"}, {"kind": "suspend", "subject": "controller/C1"}]
)
def test_offsets_skipped_and_no_act_says_so_then_it_is_found(tmp_path: Path, wrong: dict[str, Any]) -> None:
    trail = Trail(seed=3).write(6).resume(1, skipped={"sends": 40}, **wrong).write(1)
    report = check(trail, trail.export(tmp_path / "x"))
    assert (report.exit_code, [one.code for one in report.findings]) == (1, ["unsaid_skip"])


def test_a_beginning_that_was_cut_off_before_it_was_sealed_then_the_chain_tells(tmp_path: Path) -> None:
    trail, folder = exported(tmp_path, 6, partitions=1, seed=2)
    kept = [replace(step, index=n) for n, step in enumerate(trail.steps, start=-3)]
    sealed_anew(trail, folder, kept[3:])
    report = check(trail, folder)
    assert [(one.code, one.offset) for one in report.findings] == [("broken_chain", trail.steps[3].offset)]
    told = (folder / "export.json").read_bytes()
    for first, found in (
        ("2000-01-01T00:00:00.000Z", [("begins_late", trail.steps[3].offset)]),
        (step_value(kept[4])["t1"], []),
    ):
        (folder / "export.json").write_bytes(told.replace(b'"from":null', b'"from":"%s"' % first.encode()))
        trail.put(folder, kept[3:] if found else kept[4:])
        report = check(trail, folder)
        assert [(one.code, one.offset) for one in report.findings] == found
        assert report.exit_code == (5 if found else 0)


def sealed_anew(trail: Trail, folder: Path, steps: list[Step]) -> None:
    """Writes steps as a thief of the worker's and the log's keys does, and a witness who saw nothing else."""
    trail.put(folder, steps)
    shutil.rmtree(folder / "log")
    seal([step.value for step in steps], folder / "log", trail.log, trail.witness, at=0)


def _did(record: bytes) -> str:
    return str(orjson.loads(record)["did"])


# -- one decision's proof -------------------------------------------------------------------------------------------


def proof(trail: Trail) -> dict[str, Any]:
    """Returns the proof of a record that nothing seals yet."""
    step = next(step for step in trail.steps if step.records)
    link = Link(step.partition, step.offset, step.value, step.sig, step.records)
    found: dict[str, Any] = orjson.loads(of_record(link, 0, None, [trail.worker.verifier]))
    return found


def spoilt(found: dict[str, Any], part: str, **more: Any) -> bytes:
    return orjson.dumps({**found, part: {**found[part], **more}})


def first_a_forged_record(found: dict[str, Any]) -> bytes:
    record = orjson.dumps(cleared(found["record"].encode()).decode())
    return b'{"record":%b,%b' % (record, orjson.dumps(found)[1:])


@pytest.mark.parametrize(
    "spoil",
    [
        first_a_forged_record,
        lambda found: spoilt(found, "manifest", offset=NAME),
        lambda found: orjson.dumps({**found, "log": {"checkpoint": "", "hashes": [], "index": 0, "more": 1}}),
        lambda found: orjson.dumps({**found, "of": "a version to come", "v": 3}),
    ],
)
def test_a_proof_with_a_key_twice_or_one_more_then_it_is_none_and_is_not_quoted(
    tmp_path: Path, spoil: Callable[[dict[str, Any]], bytes]
) -> None:
    file, found = tmp_path / "proof.json", proof(Trail(seed=4).write(2))
    file.write_bytes(orjson.dumps(found))
    assert [one.code for one in check_proof(file).findings] == ["unsealed_one"]
    file.write_bytes(spoil(found))
    report = check_proof(file)
    assert report.exit_code == 4
    assert [one.code for one in report.findings] in (["proof"], ["version"])
    assert "Hanako" not in repr(report.plain())


# -- what cannot be verified, and what is not all there -----------------------------------------------------------


def truncated_tile(trail: Trail, folder: Path) -> None:
    (tile,) = (folder / "log" / "tile" / "0").rglob("000.p/*")
    tile.write_bytes(tile.read_bytes()[:-5])


def key_of_another_log(trail: Trail, folder: Path) -> None:
    seal([step.value for step in trail.steps], folder / "log", signing_key(trail.log.name, seed=77), None, at=0)


def missing_about(trail: Trail, folder: Path) -> None:
    (folder / "export.json").unlink()


def first_manifest(line: bytes) -> Callable[[Trail, Path], None]:
    return lambda trail, folder: lines(folder / "manifests" / "0.ndjson.gz", [line])


def a_pipe(trail: Trail, folder: Path) -> None:
    """Replaces a file by a pipe to which nobody writes."""
    (folder / "records/0.ndjson.gz").unlink()
    os.mkfifo(folder / "records/0.ndjson.gz")


def a_line_without_end(trail: Trail, folder: Path) -> None:
    lines(folder / "records" / "0.ndjson.gz", [b"a" * 4 * MAX_LINE])


DEEP = b"[" * 60_000


@pytest.mark.parametrize(
    ("spoil", "codes"),
    [
        (first_manifest(b'{"index":null,"offset":0,"sig":"","value":"{ }","value":"{}"}'), {"line"}),
        (first_manifest(b'{"index":null,"offset":0,"sig":"","value":"%b"}' % DEEP), {"line"}),
        (first_manifest(b'{"index":null,"offset":0,"sig":"","value":"{\\"n\\":-9007199254740992}"}'), {"line"}),
        (a_line_without_end, {"large"}),
        (truncated_tile, {"cut"}),
        (key_of_another_log, {"unknown_log"}),
        (a_pipe, {"no_file"}),
        (missing_about, {"missing"}),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_input_that_is_bad_then_it_cannot_be_verified_and_says_why(
    tmp_path: Path, spoil: Callable[[Trail, Path], None], codes: set[str]
) -> None:
    trail, folder = exported(tmp_path, 12, seed=4)
    spoil(trail, folder)
    report = check(trail, folder)
    assert report.exit_code == 4
    assert {one.code for one in report.findings} <= codes
    assert orjson.dumps(report.plain())  # no program stumbles over it


def test_more_findings_than_are_kept_then_the_gravest_is_first_and_the_exit_code() -> None:
    report = Report()
    for offset in range(MAX_FINDINGS + 5):
        report.add("unknown_key", (0, offset), kid="k")
    for _ in range(2):
        report.add("torn_transaction", (0, 9999), count=1)
    assert (report.exit_code, len(report.findings), report.found) == (1, MAX_FINDINGS + 1, MAX_FINDINGS + 7)
    assert [cause.first.code for cause in causes_of(report.findings)][:2] == ["torn_transaction", "unknown_key"]


# -- its verdict, and the causes ----------------------------------------------------------------------------------


def test_verified_then_its_verdict_and_what_it_could_not_exclude(tmp_path: Path) -> None:
    trail, folder = exported(tmp_path, 5, seed=9)
    report = check(trail, folder)
    assert (report.plain()["verdict"], "witnessed" in [code for code, _ in report.says]) == ("intact", True)
    for min_size, said in ((None, "not_excluded"), (3, "long_enough")):
        report = verify(folder, min_size=min_size)
        assert (report.exit_code, report.verdict, said in [code for code, _ in report.says]) == (0, "intact", True)
    for spoil, verdict in ((incomplete, "cannot_tell"), (tampered, "changed"), (missing_about, "cannot_tell")):
        spoil(trail, folder)
        report = check(trail, folder, min_size=1)
        assert report.plain()["verdict"] == verdict
        assert (report.exit_code == 5) is ("witnessed" in [code for code, _ in report.says])


def test_the_certificate_then_both_languages_give_verdict_log_and_causes(tmp_path: Path) -> None:
    trail = Trail(seed=9).write(5)
    folder = trail.export(tmp_path / "export <1>")
    tampered(trail, folder)
    report, page = check(trail, folder), tmp_path / "made.html"
    done = CliRunner().invoke(command, [str(folder), "--witness", trail.witness.verifier, "--out", str(page)])
    assert done.exit_code == report.exit_code == CHANGED
    for lang in ("ja", "en"):
        assert f'<h2 class="{report.verdict}">{report.lines(lang)[0]}</h2>' in page.read_text("utf-8")
    assert "export &lt;1&gt;" in page.read_text("utf-8")


NAME = "\x1b[2KYamada Hanako, 1-2-3"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"kid": NAME}, "unknown_key"),
        ({"policy": {"id": "jp-pmark", "version": 1, "sha256": f"../{NAME}"}}, "lacking"),
        ({"in": [{"topic": NAME, "from": 0, "to": 5, "n": 3, "gaps": []}]}, "miscounted_range"),
    ],
)
def test_a_forged_manifest_that_holds_no_id_then_the_finding_does_not_quote_it(
    tmp_path: Path, fields: dict[str, Any], code: str
) -> None:
    trail, folder = exported(tmp_path, 2, partitions=1, seed=4)
    trail.put(folder, [trail.steps[0], signed(trail, trail.steps[1], **fields)])
    report = check(trail, folder)
    assert code in {one.code for one in report.findings}
    told = "\n".join([*report.lines("en"), *report.lines("ja"), repr(report.plain())])
    assert "Hanako" not in told
    assert "\x1b" not in told


def first_range(step: Step, **more: int) -> dict[str, Any]:
    """Returns the inputs of a manifest, the numbers of its first range each larger by as many."""
    first, *rest = step_value(step)["in"]
    return {"in": [first | {name: first[name] + count for name, count in more.items()}, *rest]}


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("moved_manifest", lambda trail, step: signed(trail, step, partition=1)),
        ("unsigned_manifest", lambda trail, step: replace(step, sig=b"")),
        ("forged_manifest", lambda trail, step: replace(step, sig=signing_key("x", seed=99).sign(step.value))),
        ("miscounted_range", lambda trail, step: signed(trail, step, **first_range(step, n=1))),
        ("skipped_offset", lambda trail, step: signed(trail, step, **first_range(step, **{"from": 1, "n": -1}))),
        ("repeated_offset", lambda trail, step: signed(trail, step, **first_range(step, **{"from": -1, "n": 1}))),
        ("broken_chain", lambda trail, step: signed(trail, step, prev="0" * 64)),
        ("repeated_manifest", lambda trail, step: replace(trail.steps[2], offset=step.offset)),
    ],
)
def test_a_fault_of_a_manifest_then_it_is_named_by_its_word_and_offset(
    tmp_path: Path, code: str, change: Callable[[Trail, Step], Step]
) -> None:
    trail, folder = exported(tmp_path, 6, partitions=1, seed=5, acting=0)
    trail.put(folder, [*trail.steps[:3], change(trail, trail.steps[3]), *trail.steps[4:]])
    assert (code, trail.steps[3].offset) in {(one.code, one.offset) for one in check(trail, folder).findings}


def test_all_made_anew_with_other_keys_then_it_is_not_excluded_but_a_witness_tells(tmp_path: Path) -> None:
    trail, other = Trail(seed=4).write(12), Trail(seed=5).write(12)
    folder = other.export(tmp_path / "export")
    report = verify(folder, min_size=5)
    assert report.exit_code == 0
    assert any("made the whole anew with other keys" in line for line in report.lines("en"))
    report = check(trail, folder)
    assert (report.exit_code, [one.code for one in report.findings]) == (4, ["not_cosigned"])


def test_a_report_of_coverage_with_findings_then_it_is_told_whatever_the_last_found(tmp_path: Path) -> None:
    trail, folder = exported(tmp_path, 4, seed=4)
    reports = [
        canonical({"v": 1, "kind": "coverage", "at": f"2026-11-24T0{hour}:00:00.000Z", "found": found})
        for hour, found in enumerate([7, 0, "Hanako", 0], 3)
    ]
    shutil.rmtree(folder / "log")
    seal([*(step.value for step in trail.steps), *reports], folder / "log", trail.log, trail.witness, at=0)
    report = check(trail, folder)
    assert report.exit_code == 0
    told = {"count": 2, "leaf": 6, "at": "2026-11-24T05:00:00.000Z", "found": "?"}
    assert dict(report.says)["uncovered"] == told


def test_an_older_log_beside_newer_manifests_then_it_says_where_the_log_ends(tmp_path: Path) -> None:
    trail, folder = exported(tmp_path, 10, partitions=1, seed=5)
    shutil.rmtree(folder / "log")
    seal([step.value for step in trail.steps[:7]], folder / "log", trail.log, trail.witness, at=0)
    report = check(trail, folder)
    assert (report.exit_code, [one.code for one in report.findings]) == (5, ["unsealed"])
    assert (report.findings[0].offset, report.findings[0].values) == (trail.steps[7].offset, {"size": 7, "count": 3})


def test_a_log_that_is_gone_with_the_end_of_all_then_neither_is_excluded_aloud(tmp_path: Path) -> None:
    trail, folder = exported(tmp_path, 4, partitions=1, seed=5)
    shutil.rmtree(folder / "log")
    trail.put(folder, [replace(step, index=None) for step in trail.steps[:2]])
    assert [one.code for one in verify(folder).findings] == ["no_log"]
    for report in (verify(folder), check_content(orjson.dumps(proof(trail)), "proof.json")):
        assert (report.exit_code, report.found) == (5, 1)
        assert ("not_excluded", {"size": 0}) in report.says


def test_log_rolled_back_to_an_older_checkpoint_then_the_size_wanted_tells(tmp_path: Path) -> None:
    trail = Trail(seed=6).write(9)
    whole, before = trail.steps, trail.steps[:5]
    trail.steps = before
    folder = trail.export(tmp_path / "export")
    assert check(trail, folder).exit_code == 0  # that is what it was then
    report = check(trail, folder, min_size=len(whole))
    assert (report.exit_code, [one.code for one in report.findings]) == (1, ["too_small"])


def test_a_range_then_its_manifests_alone_are_wanted(tmp_path: Path) -> None:
    trail = Trail(seed=8).write(14)
    times = sorted(step_value(step)["t1"] for step in trail.steps)
    first, to = times[4], times[10]
    folder = trail.export(tmp_path / "export", **{"from": first, "to": to})
    trail.put(folder, [step for step in trail.steps if first <= step_value(step)["t1"] < to])
    report = check(trail, folder)
    assert (report.exit_code, report.manifests) == (0, 6)
    assert "only" in [code for code, _ in report.says]
    gone = [step for step in trail.steps if first <= step_value(step)["t1"] < to][1:]
    trail.put(folder, gone)
    assert check(trail, folder).exit_code == 1


def test_sentences_then_whatever_is_found_has_one() -> None:
    source = bundle().replace((ROOMS / "audit/tlog/log_faults.py").read_text("utf-8").partition("Fault = ")[2], "")
    assert set(re.findall(r'(?:add|Trouble|say)\("(\w+)"', source)) <= SAYS.keys()
    assert {exit_code for exit_code, *_ in SAYS.values()} == {0, CHANGED, UNVERIFIABLE, INCOMPLETE}


def test_the_copy_in_an_export_then_it_runs_with_nothing_but_cryptography(tmp_path: Path) -> None:
    trail, folder = exported(tmp_path, 5, seed=9)
    right = alone(tmp_path, str(folder), "--witness", trail.witness.verifier, script=folder / "verify.py")
    assert (right.returncode, right.stderr) == (0, ""), right
    trail.put(folder, trail.steps[1:])
    wrong = alone(tmp_path, str(folder), "--json", script=folder / "verify.py")
    assert (wrong.returncode, orjson.loads(wrong.stdout)) == (1, verify(folder).plain())
    told = alone(tmp_path, str(folder), "--witness", "", script=folder / "verify.py")
    assert (told.returncode, told.stdout, told.stderr.count("\n")) == (2, "", 1)


# -- its output, and its end --------------------------------------------------------------------------------------


def incomplete(trail: Trail, folder: Path) -> None:
    shutil.rmtree(folder / "policies")


def tampered(trail: Trail, folder: Path) -> None:
    trail.put(folder, trail.steps[1:])
