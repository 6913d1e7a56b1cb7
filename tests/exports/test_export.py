"""An export read and written again, one decision proven from it, and the commands over it."""

from __future__ import annotations

import gzip
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner, Result

from gatekeeper.audit.checks.trail import Link
from gatekeeper.audit.export import export
from gatekeeper.audit.export.bundle import bundle
from gatekeeper.audit.export.export_in_progress import part_of
from gatekeeper.audit.export.export_reader import ExportReader, days_of, last_finished
from gatekeeper.audit.log.sealed import sealed
from gatekeeper.audit.tlog.notes import parse_vkey
from gatekeeper.audit.verify.export_check import verify
from gatekeeper.cli.audit import command
from gatekeeper.ground.atomic_store import AtomicStore
from gatekeeper.ground.errors import IncompleteError, IntegrityError, UnavailableError, UsageError
from gatekeeper.ground.times import span
from gatekeeper.keys import Keys
from schemas.codec import canonical
from schemas.topics import DAY_MS
from tests.support import invented, staff
from tests.support.trails import GROUP, Trail, alone, bytes_of, lines

ABOUT = {"made": "2026-11-24T01:00:00.000Z", "group": GROUP, "from": None, "to": None}


def again(folder: Path, out: Path, **more: Any) -> export.Exported:
    """Writes an export of what an export holds, as the same call does again and again."""
    keys, trail = Keys(folder / "keys"), ExportReader(folder)
    log = sealed(AtomicStore(folder / "log"), keys.public("log"), keys.public("witness"))
    part = part_of(out, user=os.geteuid())
    given = {"about": ABOUT, "log": log, "keys": keys.folder, "finished": last_finished(out, part), **more}
    return export.write(out, part, trail, **given)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(command, list(arguments), catch_exceptions=True)


def test_records_that_are_missing_then_reading_says_where(tmp_path: Path) -> None:
    trail = Trail(partitions=1, seed=1).write(4)
    path = trail.export(tmp_path / "a")
    records = [one for step in trail.steps for one in step.records]
    lines(path / "records" / "0.ndjson.gz", records[:-1])
    with pytest.raises(IncompleteError):
        list(ExportReader(path).links(0))
    lines(path / "records" / "0.ndjson.gz", records[1:])
    with pytest.raises(IntegrityError):
        list(ExportReader(path).links(0))


def test_people_then_every_call_puts_them_into_the_export_anew(tmp_path: Path) -> None:
    first, people = Trail(seed=2).write(4).export(tmp_path / "a"), staff.person_lines(arrived=invented.T)
    for number in (len(people) - 1, len(people)):
        (first / "staff.ndjson").write_bytes(b"".join(canonical(one.plain) + b"\n" for one in people[:number]))
        again(first, tmp_path / "b")
        assert ExportReader(tmp_path / "b").people() == people[:number]
        assert verify(tmp_path / "b").exit_code == 0


def test_exported_again_then_it_verifies_and_holds_the_same(tmp_path: Path) -> None:
    trail = Trail(seed=2).write(12)
    first = trail.export(tmp_path / "a")
    found = again(first, tmp_path / "b")
    assert (found.manifests, found.size, found.witnessed, found.left) == (12, 12, True, 0)
    report = verify(tmp_path / "b", witness=parse_vkey(trail.witness.verifier))
    assert (report.exit_code, report.manifests, report.records) == (0, 12, found.records)
    for partition in range(trail.partitions):
        assert list(ExportReader(tmp_path / "b").links(partition)) == list(ExportReader(first).links(partition))
    assert found.absent == []
    assert (tmp_path / "b" / "verify.py").read_text("utf-8") == bundle()
    assert not (tmp_path / "b.part").exists()


def test_an_end_that_is_not_sealed_then_it_is_left_out_unless_asked_for(tmp_path: Path) -> None:
    trail = Trail(seed=3).write(12)
    first = trail.export(tmp_path / "a", sealed=8)
    found = again(first, tmp_path / "b")
    assert (found.manifests, found.left) == (8, 4)
    assert found.records == sum(len(step.records) for step in trail.steps[:8])
    assert verify(tmp_path / "b").exit_code == 0
    assert again(first, tmp_path / "c", unsealed=True).manifests == 12
    assert verify(tmp_path / "c").exit_code == 5


def test_a_log_that_grew_since_its_cosignature_then_the_cosigned_one_is_exported(tmp_path: Path) -> None:
    trail = Trail(seed=3).write(270, 1)
    cosigned = trail.export(tmp_path / "then", sealed=258)
    now = trail.export(tmp_path / "now", witnessed=False)
    (now / "log" / "witness").mkdir()
    (key,) = Keys(now / "keys").public("witness")
    shutil.copy(cosigned / "log" / "checkpoint", now / "log" / "witness" / key.hash.hex())
    found = again(now, tmp_path / "b")
    assert (found.size, found.witnessed, found.manifests) == (258, True, 258)
    assert verify(tmp_path / "b", witness=parse_vkey(trail.witness.verifier)).exit_code == 0


def test_a_changed_leaf_of_the_log_then_it_is_not_taken_for_an_unsealed_one(tmp_path: Path) -> None:
    folder = Trail(seed=3).write(5).export(tmp_path / "a")
    (tile,) = (folder / "log" / "tile" / "entries").rglob("000.p/*")
    tile.write_bytes(tile.read_bytes().replace(b'"writer":"worker-0"', b'"writer":"worker-1"', 1))
    with pytest.raises(IntegrityError, match="do not fit its checkpoint of 5 leaves"):
        again(folder, tmp_path / "b")
    assert not (tmp_path / "b.part").exists()


def test_a_folder_that_holds_something_then_nothing_is_written(tmp_path: Path) -> None:
    first = Trail(seed=3).write(3).export(tmp_path / "a")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "mine").write_text("mine")
    with pytest.raises(UsageError):
        again(first, tmp_path / "b")
    (tmp_path / "c.part").mkdir()
    (tmp_path / "c.part" / "mine").write_text("mine")
    with pytest.raises(UsageError):
        again(first, tmp_path / "c")
    assert (tmp_path / "c.part" / "mine").exists()


@pytest.fixture
def days() -> Trail:
    """Decisions of several days, in transactions some hours apart."""
    return Trail(seed=3, apart=(36_000_000, 72_000_000)).write(18)


def content(folder: Path) -> dict[str, bytes]:
    """Returns all that an export holds, by name, inflated."""
    found = bytes_of(folder)
    return {name: gzip.decompress(value) if name.endswith(".gz") else value for name, value in found.items()}


def finished(folder: Path) -> dict[str, tuple[int, int]]:
    """Returns which file each one of a finished day is, and when it was written."""
    found = [file for file in sorted(folder.glob("days/*/*/*")) if file.is_file()]
    return {str(file.relative_to(folder)): (file.stat().st_ino, file.stat().st_mtime_ns) for file in found}


def after(links: int, error: BaseException) -> Callable[[Link], None]:
    """Returns what raises that when it has heard of so many links."""
    left = iter(range(links))

    def told(link: Link) -> None:
        if next(left, None) is None:
            raise error

    return told


def test_decided_on_several_days_then_each_is_a_folder_and_all_is_read_as_one(tmp_path: Path, days: Trail) -> None:
    first = days.export(tmp_path / "a")
    again(first, tmp_path / "b")
    for number in range(days.partitions):
        dates = sorted({one.manifest["t1"][:10] for one in ExportReader(first).links(number)})
        assert [one.parent.name for one in days_of(tmp_path / "b", number)] == dates[:-1]
        assert list(ExportReader(tmp_path / "b").links(number)) == list(ExportReader(first).links(number))
    reports = [verify(tmp_path / name, witness=parse_vkey(days.witness.verifier)) for name in "ab"]
    assert (reports[1].exit_code, reports[1].plain()) == (0, reports[0].plain())


@pytest.mark.parametrize(
    ("sealed_", "error"), [(18, KeyboardInterrupt()), (11, UnavailableError("error.disk", path="x", detail="x"))]
)
def test_cut_off_anywhere_then_no_finished_day_is_written_again_and_all_is_the_same(
    tmp_path: Path, days: Trail, sealed_: int, error: BaseException
) -> None:
    first = days.export(tmp_path / "a", sealed=sealed_)
    again(first, tmp_path / "whole")
    done = 0
    for links in (0, 8, 16):
        out, part = tmp_path / f"b{links}", tmp_path / f"b{links}.part"
        with pytest.raises(type(error)):
            again(first, out, told=after(links, error))
        assert not out.exists()
        before = finished(part)
        done += len(before)
        again(first, out)
        assert content(out) == content(tmp_path / "whole")
        assert before.items() <= finished(out).items()
        assert not part.exists()
    assert done


def test_killed_while_the_export_is_put_together_then_the_same_call_mends_it(
    tmp_path: Path, days: Trail, monkeypatch: pytest.MonkeyPatch
) -> None:
    again(days.export(tmp_path / "then"), tmp_path / "b")
    before, now = finished(tmp_path / "b"), days.write(9).export(tmp_path / "now")
    again(now, tmp_path / "whole")
    move = Path.replace
    for moves in (0, 3, 9):
        out, left = tmp_path / f"c{moves}", iter(range(moves))
        shutil.copytree(tmp_path / "b", out, copy_function=os.link)

        def replaced(file: Path, target: Path, out: Path = out, left: Iterator[int] = left) -> Path:
            if target.is_relative_to(out) and next(left, None) is None:
                raise SystemExit
            return move(file, target)

        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", replaced)
            with pytest.raises(SystemExit):
                again(now, out)
        assert [one.code for one in verify(out).findings] == ["missing"]
        again(now, out)
        assert content(out) == content(tmp_path / "whole")
        assert before.items() < finished(out).items(), "only what was decided since is written"


def test_a_clock_goes_back_at_midnight_then_the_order_stays_and_each_is_on_its_day(tmp_path: Path) -> None:
    trail, midnight = Trail(seed=3, partitions=1), span("2026-11-25", "UTC").first // 1000
    for at in (-70_000, 0, -70_000, 10_000, DAY_MS):
        trail.set_clock(0, midnight + at)
        trail.write(1)
    days = [step.value.partition(b'"t1":"')[2][8:10] for step in trail.steps]
    assert days == [b"24", b"25", b"24", b"25", b"26"]
    again(trail.export(tmp_path / "a"), tmp_path / "b")
    assert [one.parent.name for one in days_of(tmp_path / "b", 0)] == ["2026-11-24", "2026-11-25"]
    assert [one.offset for one in ExportReader(tmp_path / "b").links(0)] == [step.offset for step in trail.steps]
    assert verify(tmp_path / "b").exit_code == 0


def test_another_log_than_the_finished_days_have_then_exit_4_and_nothing_is_written(
    tmp_path: Path, days: Trail
) -> None:
    first = days.export(tmp_path / "a")
    again(first, tmp_path / "b")
    before = bytes_of(tmp_path / "b")
    for other in (days.export(tmp_path / "short", sealed=2), Trail(seed=4).write(18).export(tmp_path / "other")):
        with pytest.raises(IntegrityError, match="sealed log"):
            again(other, tmp_path / "b")
    with pytest.raises(IntegrityError, match="sealed log"):
        again(first, tmp_path / "b", log=None)
    assert bytes_of(tmp_path / "b") == before


def test_a_finished_day_that_cannot_be_read_then_exit_4_and_it_is_named(tmp_path: Path, days: Trail) -> None:
    first = days.export(tmp_path / "a")
    again(first, tmp_path / "b")
    file = days_of(tmp_path / "b", 0)[-1] / "manifests.ndjson.gz"
    for content in (b"", b"no gzip", file.read_bytes()[:-9], gzip.compress(b"{}\n")):
        file.write_bytes(content)
        with pytest.raises(IntegrityError, match=f"{file.parent.parent.name}/0/manifests"):
            again(first, tmp_path / "b")


def test_a_place_that_an_export_cannot_take_then_exit_2_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    (tmp_path / "c.part").symlink_to(tmp_path / "folder")
    for out in (tmp_path / "link", tmp_path / "dangling", tmp_path / "c", Path("..")):
        with pytest.raises(UsageError, match="symbolic link, a mount point, or no name"):
            part_of(out, user=os.geteuid())
    monkeypatch.setattr(Path, "is_mount", lambda path: path.name == "mount")
    with pytest.raises(UsageError, match="mount point"):
        part_of(tmp_path / "mount", user=os.geteuid())
    assert part_of(tmp_path / "folder", user=os.geteuid()) == tmp_path / "folder.part"


def test_a_folder_of_others_or_open_to_them_then_it_is_not_gone_on_with(tmp_path: Path, days: Trail) -> None:
    first, part = days.export(tmp_path / "a"), tmp_path / "b.part"
    with pytest.raises(KeyboardInterrupt):
        again(first, tmp_path / "b", told=after(12, KeyboardInterrupt()))
    before = bytes_of(part)
    assert part.stat().st_mode & 0o777 == 0o700
    with pytest.raises(UsageError, match="another user"):
        part_of(tmp_path / "b", user=os.geteuid() + 1)
    for mode in (0o770, 0o702):
        part.chmod(mode)
        with pytest.raises(UsageError, match=f"{mode:03o}"):
            again(first, tmp_path / "b")
    assert bytes_of(part) == before
    part.chmod(0o755)
    again(first, tmp_path / "b")


def test_a_forged_record_with_somebody_in_place_of_a_hash_then_nothing_of_them_stays(tmp_path: Path) -> None:
    trail = Trail(seed=3, partitions=1).write(3)
    first = trail.export(tmp_path / "a")
    values = [one for step in trail.steps for one in step.records]
    said = orjson.loads(values[0])
    lines(first / "records" / "0.ndjson.gz", [canonical({**said, "policy": {"sha256": "Narumi"}}), *values[1:]])
    assert "Narumi" not in f"{again(first, tmp_path / 'b')}"


@pytest.fixture(scope="module")
def proof(tmp_path_factory: pytest.TempPathFactory) -> tuple[Trail, Path, str]:
    """A trail, the proof of one of its decisions, and the decision's id."""
    trail, folder = Trail(seed=5).write(270, 1), tmp_path_factory.mktemp("proven")
    did = str(orjson.loads(next(step for step in trail.steps[250:] if step.records).records[-1])["did"])
    done = run("prove", did, str(trail.export(folder / "export")), "--out", str(folder / "proof.json"), "--json")
    assert done.exit_code == 0, done
    return trail, folder / "proof.json", did


def test_a_decision_proven_then_the_proof_stands_alone(tmp_path: Path, proof: tuple[Trail, Path, str]) -> None:
    trail, file, did = proof
    done = run("check", str(file), "--witness", trail.witness.verifier)
    assert done.exit_code == 0, done.output
    assert did in done.output
    script = file.parent / "export" / "verify.py"
    lonely = alone(tmp_path, "--proof", str(file), "--witness", trail.witness.verifier, script=script)
    assert lonely.returncode == 0, lonely
    assert run("check", str(file), "--min-size", "271").exit_code == 1


def spoilt(said: dict[str, Any], part: str | None, name: str, old: str, new: str) -> None:
    place = said[part] if part else said
    assert old in place[name]
    place[name] = place[name].replace(old, new, 1)


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda said: spoilt(said, None, "record", '"v":1', '"v":2'), 1),
        (lambda said: spoilt(said, "manifest", "value", '"writer":"worker-0"', '"writer":"worker-1"'), 1),
        (lambda said: said["log"].update(index=said["log"]["index"] + 1), 1),
        (lambda said: spoilt(said, "log", "checkpoint", "\n270\n", "\n269\n"), 1),
        (lambda said: spoilt(said, None, "record", '"v":1', '"v":1.0'), 4),
        (lambda said: said.update(keys=said["keys"][1:]), 4),
        (lambda said: said.update(log=None), 5),
    ],
)
def test_a_proof_that_was_changed_then_it_is_refused(
    tmp_path: Path, proof: tuple[Trail, Path, str], spoil: Callable[[dict[str, Any]], None], code: int
) -> None:
    _, file, _ = proof
    said = json.loads(file.read_bytes())
    spoil(said)
    (tmp_path / "proof.json").write_text(json.dumps(said))
    done = run("check", str(tmp_path / "proof.json"), "--json")
    assert done.exit_code == code, done.output
    told = json.loads(done.output)
    assert told["exit"] == code
    assert {"proven", "witnessed"}.isdisjoint(one["code"] for one in told["says"])


def test_a_decision_that_is_not_there_then_usage(tmp_path: Path) -> None:
    folder = Trail(seed=5).write(3).export(tmp_path / "export")
    done = run("prove", "A" * 26, str(folder), "--out", str(tmp_path / "proof"))
    assert isinstance(done.exception, UsageError)
    assert not (tmp_path / "proof").exists()
