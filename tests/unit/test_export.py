"""An export read and written again, one decision proven from it, and the commands over it."""

from __future__ import annotations

import gzip
import json
import os
import shutil
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner, Result

from gatekeeper.audit.checks.trail import Link
from gatekeeper.audit.export import export
from gatekeeper.audit.export.bundle import bundle
from gatekeeper.audit.export.export_in_progress import PROGRESS, Begun, Standing, part_of
from gatekeeper.audit.export.export_reader import Folder
from gatekeeper.audit.log.atomic_store import Shelf
from gatekeeper.audit.log.sealed import reopened, sealed
from gatekeeper.audit.tlog.notes import parse_vkey
from gatekeeper.audit.verify.export_check import verify
from gatekeeper.cli.audit import command
from gatekeeper.errors import GatekeeperError, IncompleteError, IntegrityError, UnavailableError, UsageError
from gatekeeper.keys import Keys
from schemas.codec import canonical
from tests.trails import GROUP, Trail, alone, bytes_of, line, lines

ABOUT = {"made": "2026-11-24T01:00:00.000Z", "group": GROUP, "from": None, "to": None}


def again(folder: Path, out: Path, **more: Any) -> export.Exported:
    """Writes an export of what an export holds."""
    keys = Keys(folder / "keys")
    log = sealed(Shelf(folder / "log"), keys.public("log"), keys.public("witness"))
    part = part_of(out, user=os.geteuid())
    return export.write(out, part, Folder(folder), **{"about": ABOUT, "log": log, "keys": keys.folder, **more})


def run(*arguments: str) -> Result:
    return CliRunner().invoke(command, list(arguments), catch_exceptions=True)


def test_an_export_read_then_its_links_are_what_was_written(tmp_path: Path) -> None:
    trail = Trail(seed=1).write(9)
    folder = Folder(trail.export(tmp_path / "a"))
    for partition in folder.partitions():
        ours = [step for step in trail.steps if step.partition == partition]
        assert [(one.offset, one.value, one.signature, one.records, one.index) for one in folder.links(partition)] == [
            (step.offset, step.value, step.sig, step.records, step.index) for step in ours
        ]
    record = orjson.loads(next(step for step in trail.steps if step.records).records[-1])
    assert folder.policy(record["policy"]["sha256"])
    assert folder.policy("0" * 64) is None


def test_records_that_are_missing_then_reading_says_where(tmp_path: Path) -> None:
    trail = Trail(partitions=1, seed=1).write(4)
    path = trail.export(tmp_path / "a")
    records = [one for step in trail.steps for one in step.records]
    lines(path / "records" / "0.ndjson.gz", records[:-1])
    with pytest.raises(IncompleteError):
        list(Folder(path).links(0))
    lines(path / "records" / "0.ndjson.gz", records[1:])
    with pytest.raises(IntegrityError):
        list(Folder(path).links(0))
    (path / "records" / "0.ndjson.gz").write_bytes(b"no gzip")
    with pytest.raises(IntegrityError):
        list(Folder(path).links(0))


def test_exported_again_then_it_verifies_and_holds_the_same(tmp_path: Path) -> None:
    trail = Trail(seed=2).write(12)
    first = trail.export(tmp_path / "a")
    found = again(first, tmp_path / "b")
    assert (found.manifests, found.size, found.witnessed, found.left) == (12, 12, True, 0)
    report = verify(tmp_path / "b", witness=parse_vkey(trail.witness.verifier))
    assert (report.exit_code, report.manifests, report.records) == (0, 12, found.records)
    for partition in range(trail.partitions):
        assert list(Folder(tmp_path / "b").links(partition)) == list(Folder(first).links(partition))
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


def test_a_log_of_several_tiles_that_grew_since_its_cosignature_then_the_cosigned_one_is_exported(
    tmp_path: Path,
) -> None:
    trail = Trail(seed=3).write(520, 1)
    cosigned = trail.export(tmp_path / "then", sealed=300)
    now = trail.export(tmp_path / "now", witnessed=False)
    (now / "log" / "witness").mkdir()
    (key,) = Keys(now / "keys").public("witness")
    shutil.copy(cosigned / "log" / "checkpoint", now / "log" / "witness" / key.hash.hex())
    found = again(now, tmp_path / "b")
    assert (found.size, found.witnessed, found.manifests) == (300, True, 300)
    assert verify(tmp_path / "b", witness=parse_vkey(trail.witness.verifier)).exit_code == 0


def test_a_leaf_of_the_log_that_was_changed_then_it_is_not_taken_for_one_that_is_not_sealed(tmp_path: Path) -> None:
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


def test_an_export_that_fails_then_nothing_is_left_behind(tmp_path: Path) -> None:
    trail = Trail(partitions=1, seed=3).write(3)
    first = trail.export(tmp_path / "a")
    lines(first / "records" / "0.ndjson.gz", [])
    with pytest.raises(GatekeeperError):
        again(first, tmp_path / "b")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a"]


def after(links: int, error: BaseException, standing: Standing | None = None) -> Callable[[Link], None]:
    """Returns what raises that when it has heard of so many links behind the one where an export stood."""
    left = iter(range(links))

    def told(link: Link) -> None:
        if standing and link.partition == standing.partition and link.offset <= standing.offset:
            return
        if next(left, None) is None:
            raise error

    return told


def cut_off(folder: Path, out: Path, links: int, error: BaseException, **more: Any) -> Begun:
    """Ends an export that way when it has taken so many links; returns how far it had written down that it came."""
    kept, begun = list[Begun](), more.get("begun")
    told = after(links, error, begun.standing if begun else None)
    with pytest.raises(type(error)):
        again(folder, out, told=told, due=lambda: True, save=kept.append, **more)
    return kept[-1]


def content(folder: Path) -> dict[str, bytes]:
    """Returns all that an export holds, by name, inflated."""
    found = bytes_of(folder)
    return {name: gzip.decompress(value) if name.endswith(".gz") else value for name, value in found.items()}


@pytest.mark.parametrize("sealed_", [12, 7, 0])
@pytest.mark.parametrize("error", [KeyboardInterrupt(), UnavailableError("error.disk", path="x", detail="x")])
def test_cut_off_anywhere_then_it_goes_on_and_is_what_one_in_one_go_is(
    tmp_path: Path, sealed_: int, error: BaseException
) -> None:
    first = Trail(seed=3).write(12).export(tmp_path / "a", sealed=sealed_)
    expected = again(first, tmp_path / "whole")
    for links in range(12):
        out = tmp_path / f"b{links}"
        begun = cut_off(first, out, links, error)
        assert not out.exists()
        assert again(first, out, begun=begun) == expected
        assert content(out) == content(tmp_path / "whole")
        assert not out.with_name(f"{out.name}.part").exists()
        assert not (out / PROGRESS).exists()


def test_cut_off_then_what_was_written_is_not_written_again_and_each_link_that_is_read_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trail = Trail(seed=3).write(12)
    first = trail.export(tmp_path / "a")
    begun, told, written = cut_off(first, tmp_path / "b", 6, KeyboardInterrupt()), list[Link](), list[Link]()
    write = export._Writer._link

    def link(self: Any, link: Link, *more: Any) -> None:
        written.append(link)
        write(self, link, *more)

    monkeypatch.setattr(export._Writer, "_link", link)
    again(first, tmp_path / "b", begun=begun, told=told.append)
    assert len(written) == 12 - 6
    assert (len(begun.done), begun.standing is None) == (1, False)
    assert [one.place for one in told] == [
        one.place for number in range(3) if number not in begun.done for one in Folder(first).links(number)
    ]


def test_cut_off_again_and_again_then_it_is_what_one_in_one_go_is(tmp_path: Path) -> None:
    first = Trail(seed=3).write(12).export(tmp_path / "a", sealed=9)
    again(first, tmp_path / "whole")
    begun: Begun | None = None
    for _ in range(8):
        begun = cut_off(first, tmp_path / "b", 1, KeyboardInterrupt(), begun=begun)
    again(first, tmp_path / "b", begun=begun)
    assert content(tmp_path / "b") == content(tmp_path / "whole")


def test_cut_off_amid_what_is_written_behind_the_partitions_then_it_is_what_one_in_one_go_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Trail(seed=3).write(12).export(tmp_path / "a")
    again(first, tmp_path / "whole")
    for puts in range(4, 16, 4):
        out, kept, left = tmp_path / f"b{puts}", list[Begun](), iter(range(puts))
        whole = Path.write_bytes

        def put(file: Path, data: bytes, left: Iterator[int] = left, whole: Any = whole) -> int:
            if next(left, None) is None:
                raise OSError(28, "No space left on device")
            return int(whole(file, data))

        with monkeypatch.context() as patch:
            patch.setattr(Path, "write_bytes", put)
            with pytest.raises(UnavailableError):
                again(first, out, save=kept.append)
        again(first, out, begun=kept[-1])
        assert content(out) == content(tmp_path / "whole")


def test_begun_then_all_that_was_written_beyond_what_was_written_down_is_taken_away(tmp_path: Path) -> None:
    first = Trail(seed=3, partitions=1).write(12).export(tmp_path / "a")
    again(first, tmp_path / "whole")
    kept = list[Begun]()
    with pytest.raises(KeyboardInterrupt):
        again(first, tmp_path / "b", told=after(11, KeyboardInterrupt()), due=lambda: True, save=kept.append)
    begun = kept[3]
    assert (begun.manifests, begun.standing is None) == (3, False)
    again(first, tmp_path / "b", begun=begun)
    assert content(tmp_path / "b") == content(tmp_path / "whole")


@pytest.mark.parametrize("kind", ["manifests", "records"])
def test_a_file_that_is_not_what_it_was_then_exit_2_and_it_is_named(tmp_path: Path, kind: str) -> None:
    first, part = Trail(seed=3).write(12).export(tmp_path / "a"), tmp_path / "b.part"
    begun = cut_off(first, tmp_path / "b", 6, KeyboardInterrupt())
    assert begun.standing
    for number in (*begun.done, begun.standing.partition):
        file, names = part / kind / f"{number}.ndjson.gz", f"{kind}/{number}.ndjson.gz"
        good = file.read_bytes()
        bad = [good[:30], b"", good[:20] + bytes([good[20] ^ 1]) + good[21:]]
        if number in begun.done:
            bad.append(good + b"x")
        for content in bad:
            file.write_bytes(content)
            with pytest.raises(UsageError, match=names):
                again(first, tmp_path / "b", begun=begun)
            assert (part / PROGRESS).exists()
        file.unlink()
        with pytest.raises(UsageError, match=names):
            again(first, tmp_path / "b", begun=begun)
        file.symlink_to(part / kind / "elsewhere")
        (part / kind / "elsewhere").write_bytes(good)
        with pytest.raises(UsageError, match=names):
            again(first, tmp_path / "b", begun=begun)
        (part / kind / "elsewhere").unlink()
        file.unlink()
        file.write_bytes(good)
    again(first, tmp_path / "b", begun=begun)
    assert verify(tmp_path / "b").exit_code == 0


def test_written_down_then_what_it_says_is_on_the_disk_before(tmp_path: Path) -> None:
    first, there = Trail(seed=3).write(12).export(tmp_path / "a"), dict[Path, int]()

    def sync(path: Path) -> None:
        there[path.relative_to(tmp_path / "b.part")] = path.stat().st_size

    def save(begun: Begun) -> None:
        said = dict(begun.done)
        if begun.standing:
            said[begun.standing.partition] = begun.standing.files
        for number, files in said.items():
            assert there[Path(f"manifests/{number}.ndjson.gz")] >= files.manifests.length
            assert there[Path(f"records/{number}.ndjson.gz")] >= files.records.length
            assert {Path("manifests"), Path("records"), Path()} <= there.keys()

    again(first, tmp_path / "b", due=lambda: True, save=save, sync=sync)
    assert len(there) == 3 + 2 * 3


def test_a_place_that_an_export_cannot_take_then_exit_2_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    (tmp_path / "c.part").symlink_to(tmp_path / "folder")
    monkeypatch.chdir(tmp_path / "folder")
    places = [tmp_path / "link", tmp_path / "dangling", tmp_path / "c", Path(), Path(), Path(".."), Path("/")]
    for out in (*places, tmp_path / "folder" / ".."):
        with pytest.raises(UsageError, match="symbolic link, a mount point, or no name"):
            part_of(out, user=os.geteuid())
    monkeypatch.setattr(Path, "is_mount", lambda path: path.name == "mount")
    with pytest.raises(UsageError, match="mount point"):
        part_of(tmp_path / "mount", user=os.geteuid())
    assert part_of(tmp_path / "folder", user=os.geteuid()) == tmp_path / "folder.part"


@pytest.fixture
def group_writes() -> Iterator[None]:
    """What is made here is open to the group, as many systems have it."""
    before = os.umask(0o002)
    yield
    os.umask(before)


def test_a_folder_of_others_or_open_to_them_then_it_is_not_gone_on_with(tmp_path: Path) -> None:
    first, part = Trail(seed=3).write(12).export(tmp_path / "a"), tmp_path / "b.part"
    begun, before = cut_off(first, tmp_path / "b", 6, KeyboardInterrupt()), bytes_of(part)
    assert part.stat().st_mode & 0o777 == 0o700
    with pytest.raises(UsageError, match="another user"):
        part_of(tmp_path / "b", user=os.geteuid() + 1)
    for mode in (0o770, 0o702):
        part.chmod(mode)
        with pytest.raises(UsageError, match=f"{mode:03o}"):
            again(first, tmp_path / "b", begun=begun)
    assert bytes_of(part) == before
    part.chmod(0o755)
    again(first, tmp_path / "b", begun=begun)


def test_written_then_the_folder_is_as_open_as_any_that_is_made_here(tmp_path: Path, group_writes: None) -> None:
    first = Trail(seed=3).write(3).export(tmp_path / "a")
    (first / "keys").chmod(0o755)
    again(first, tmp_path / "b")
    assert (tmp_path / "b").stat().st_mode & 0o777 == 0o775


def test_killed_at_any_step_of_the_end_then_it_goes_on_or_is_there_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, group_writes: None
) -> None:
    first = Trail(seed=3).write(12).export(tmp_path / "a")
    (first / "keys").chmod(0o755)
    again(first, tmp_path / "whole")

    def killed(*_: object, **__: object) -> None:
        raise SystemExit

    for number, (where, name) in enumerate([(Path, "rmdir"), (Path, "replace"), (shutil, "rmtree")]):
        out, kept = tmp_path / f"b{number}", list[Begun]()
        out.mkdir()
        with monkeypatch.context() as patch:
            patch.setattr(where, name, killed)
            with pytest.raises(SystemExit):
                again(first, out, save=kept.append)
        if name == "rmtree":
            assert (out / PROGRESS).exists()
            assert verify(out).exit_code == 0
        else:
            again(first, out, begun=kept[-1])
            assert content(out) == content(tmp_path / "whole")


def test_a_key_that_cannot_be_read_then_exit_3_and_what_was_written_stays(tmp_path: Path) -> None:
    first, kept = Trail(seed=3).write(12).export(tmp_path / "a"), list[Begun]()
    again(first, tmp_path / "whole")
    (first / "keys" / "worker-7.pub").mkdir()
    with pytest.raises(UnavailableError, match=r"worker-7\.pub"):
        again(first, tmp_path / "b", save=kept.append, log=None, unsealed=True)
    (first / "keys" / "worker-7.pub").rmdir()
    again(first, tmp_path / "b", begun=kept[-1])
    assert verify(tmp_path / "b").manifests == 12


def test_a_log_that_is_away_when_it_is_to_be_copied_then_exit_4_and_what_was_written_stays(tmp_path: Path) -> None:
    first, kept = Trail(seed=3).write(12).export(tmp_path / "a"), list[Begun]()
    again(first, tmp_path / "whole")

    def told(link: Link) -> None:
        if (first / "log").exists():
            (first / "log").rename(tmp_path / "log")

    with pytest.raises(IntegrityError):
        again(first, tmp_path / "b", told=told, save=kept.append)
    (tmp_path / "log").rename(first / "log")
    again(first, tmp_path / "b", begun=kept[-1])
    assert content(tmp_path / "b") == content(tmp_path / "whole")


def test_something_that_nobody_thought_of_then_what_was_written_stays(tmp_path: Path) -> None:
    first = Trail(seed=3).write(12).export(tmp_path / "a")
    again(first, tmp_path / "whole")
    begun = cut_off(first, tmp_path / "b", 6, OSError(5, "Input/output error"))
    again(first, tmp_path / "b", begun=begun)
    assert content(tmp_path / "b") == content(tmp_path / "whole")


def test_begun_then_what_was_left_of_the_other_files_is_taken_away(tmp_path: Path) -> None:
    first, part = Trail(seed=3).write(12).export(tmp_path / "a"), tmp_path / "b.part"
    again(first, tmp_path / "whole")
    begun = cut_off(first, tmp_path / "b", 6, KeyboardInterrupt())
    (part / "keys").mkdir()
    (part / "keys" / "x.pub").write_text("stale")
    (part / "log").symlink_to(tmp_path / "whole")
    again(first, tmp_path / "b", begun=begun)
    assert content(tmp_path / "b") == content(tmp_path / "whole")


def test_a_link_in_the_place_of_a_folder_then_it_is_taken_away_and_not_what_it_leads_to(tmp_path: Path) -> None:
    first, part, mine = Trail(seed=3).write(12).export(tmp_path / "a"), tmp_path / "b.part", tmp_path / "mine"
    again(first, tmp_path / "whole")
    begun = cut_off(first, tmp_path / "b", 6, KeyboardInterrupt())
    (part / "records").rename(mine)
    (part / "records").symlink_to(mine)
    before = bytes_of(mine)
    with pytest.raises(UsageError, match="records/0"):
        again(first, tmp_path / "b", begun=begun)
    (part / "records").symlink_to(mine)
    again(first, tmp_path / "b")
    assert content(tmp_path / "b") == content(tmp_path / "whole")
    assert bytes_of(mine) == before


def test_a_trail_without_the_link_where_it_stood_then_exit_2_and_what_was_written_stays(tmp_path: Path) -> None:
    trail = Trail(seed=3, partitions=1).write(12)
    first = trail.export(tmp_path / "a")
    begun = cut_off(first, tmp_path / "b", 6, KeyboardInterrupt())
    before = bytes_of(tmp_path / "b.part")
    other = Trail(seed=4, partitions=1).write(12)
    for steps in (trail.steps[:4], trail.steps[7:], other.steps):
        trail.put(first, steps)
        with pytest.raises(UsageError, match=r"b\.part"):
            again(first, tmp_path / "b", begun=begun)
        assert bytes_of(tmp_path / "b.part") == before
    trail.put(first, trail.steps)
    assert again(first, tmp_path / "b", begun=begun).manifests == 12


def test_a_log_that_grew_since_then_the_checkpoint_is_the_one_that_it_began_with(tmp_path: Path) -> None:
    trail = Trail(seed=3).write(520, 1)
    then, now = trail.export(tmp_path / "then", sealed=300), trail.export(tmp_path / "now")
    again(then, tmp_path / "whole")
    begun = cut_off(then, tmp_path / "b", 200, KeyboardInterrupt())
    note = (then / "log" / "checkpoint").read_text("utf-8")
    log = reopened(Shelf(now / "log"), note, Keys(now / "keys").public("witness"))
    assert again(now, tmp_path / "b", begun=begun, log=log).size == 300
    assert content(tmp_path / "b") == content(tmp_path / "whole")


def test_a_log_that_was_made_anew_then_exit_4(tmp_path: Path) -> None:
    note = (Trail(seed=3).write(12).export(tmp_path / "a") / "log" / "checkpoint").read_text("utf-8")
    other = Trail(seed=4).write(12).export(tmp_path / "b")
    with pytest.raises(IntegrityError):
        reopened(Shelf(other / "log"), note, [])


def test_a_forged_record_with_somebody_in_the_place_of_a_hash_then_nothing_of_them_is_kept(tmp_path: Path) -> None:
    trail = Trail(seed=3, partitions=1).write(3)
    first, kept = trail.export(tmp_path / "a"), list[Begun]()
    values = [one for step in trail.steps for one in step.records]
    said = orjson.loads(values[0])
    lines(first / "records" / "0.ndjson.gz", [canonical({**said, "policy": {"sha256": "Narumi"}}), *values[1:]])
    found = again(first, tmp_path / "b", save=kept.append)
    assert "Narumi" not in f"{found} {kept}"


@pytest.mark.parametrize("value", [b"", b"[]", b'{"a":[]}', b'{"name":"Narumi"}'])
def test_a_forged_record_that_names_what_is_no_reference_then_it_is_exported_and_nothing_of_it_is_told(
    tmp_path: Path, value: bytes
) -> None:
    trail = Trail(seed=3, partitions=1).write(3)
    first, named = trail.export(tmp_path / "a"), sha256(value).hexdigest()
    values = [one for step in trail.steps for one in step.records]
    said = orjson.loads(values[0])
    forged = canonical({**said, "facts": {"refs": {"joint_use_terms/x": named}}})
    lines(first / "records" / "0.ndjson.gz", [forged, *values[1:]])
    (first / "reference" / f"{named}.json").write_bytes(value)
    assert again(first, tmp_path / "b").absent == []
    assert (tmp_path / "b" / "reference" / f"{named}.json").read_bytes() == value


@pytest.fixture
def proof(tmp_path: Path) -> tuple[Trail, Path, str]:
    """A trail, the proof of one of its decisions, and the decision's id."""
    trail = Trail(seed=5).write(300, 3)
    folder = trail.export(tmp_path / "export")
    did = str(orjson.loads(trail.steps[270].records[-1])["did"])
    done = run("prove", did, str(folder), "--out", str(tmp_path / "proof.json"), "--json")
    assert done.exit_code == 0, done
    return trail, tmp_path / "proof.json", did


def test_a_decision_proven_then_the_proof_stands_alone(tmp_path: Path, proof: tuple[Trail, Path, str]) -> None:
    trail, file, did = proof
    done = run("check", str(file), "--witness", trail.witness.verifier)
    assert done.exit_code == 0, done.output
    assert did in done.output
    script = tmp_path / "export" / "verify.py"
    lonely = alone(tmp_path, "--proof", str(file), "--witness", trail.witness.verifier, script=script)
    assert lonely.returncode == 0, lonely
    assert run("check", str(file), "--min-size", "301").exit_code == 1


def _record(said: dict[str, Any]) -> None:
    said["record"] = said["record"].replace('"v":1', '"v":2')


def _manifest(said: dict[str, Any]) -> None:
    said["manifest"]["value"] = said["manifest"]["value"].replace('"writer":"worker-0"', '"writer":"worker-1"')


def _path(said: dict[str, Any]) -> None:
    said["log"]["index"] += 1


def _checkpoint(said: dict[str, Any]) -> None:
    said["log"]["checkpoint"] = said["log"]["checkpoint"].replace("\n300\n", "\n299\n")


def _float(said: dict[str, Any]) -> None:
    said["record"] = said["record"].replace('"v":1', '"v":1.0')


def _key(said: dict[str, Any]) -> None:
    said["keys"] = said["keys"][1:]


def _unsealed(said: dict[str, Any]) -> None:
    said["log"] = None


@pytest.mark.parametrize(
    ("spoil", "code"),
    [(_record, 1), (_manifest, 1), (_path, 1), (_checkpoint, 1), (_float, 4), (_key, 4), (_unsealed, 5)],
)
def test_a_proof_that_was_changed_then_it_is_refused(
    proof: tuple[Trail, Path, str], spoil: Callable[[dict[str, Any]], None], code: int
) -> None:
    _, file, _ = proof
    said = json.loads(file.read_bytes())
    spoil(said)
    file.write_text(json.dumps(said))
    done = run("check", str(file), "--json")
    assert done.exit_code == code, done.output
    told = json.loads(done.output)
    assert told["exit"] == code
    assert {"proven", "witnessed"}.isdisjoint(one["code"] for one in told["says"])


def test_a_proof_that_is_none_then_one_sentence_says_so(tmp_path: Path) -> None:
    for content in (b"", b"[]", b'{"keys":[]}', b"\xff"):
        (tmp_path / "proof").write_bytes(content)
        done = run("check", str(tmp_path / "proof"))
        assert done.exit_code == 4, done
        assert "cannot be read as a proof" in done.output
    assert run("check", str(tmp_path / "absent")).exit_code == 4


def test_a_decision_that_is_not_there_then_usage(tmp_path: Path) -> None:
    folder = Trail(seed=5).write(3).export(tmp_path / "export")
    done = run("prove", "A" * 26, str(folder), "--out", str(tmp_path / "proof"))
    assert isinstance(done.exception, UsageError)
    assert not (tmp_path / "proof").exists()


def test_a_pipe_to_write_the_proof_to_then_it_is_written_there_and_a_link_stays_one(tmp_path: Path) -> None:
    trail = Trail(seed=5).write(3)
    folder = trail.export(tmp_path / "export")
    did = next(str(orjson.loads(record)["did"]) for step in trail.steps for record in step.records)
    pipe, link, file = tmp_path / "pipe", tmp_path / "link", tmp_path / "file"
    os.mkfifo(pipe)
    read = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
    link.symlink_to(file)
    for out in (pipe, link):
        assert run("prove", did, str(folder), "--out", str(out)).exit_code == 0
    assert (pipe.is_fifo(), link.is_symlink()) == (True, True)
    assert os.read(read, 1 << 16) == file.read_bytes()
    assert run("check", str(file)).exit_code == 0
    os.close(read)


def test_verified_by_the_command_then_the_same_is_said(tmp_path: Path) -> None:
    trail = Trail(seed=7).write(6)
    folder = trail.export(tmp_path / "export")
    done = run("verify", str(folder), "--witness", trail.witness.verifier, "--min-size", "6", "--json")
    assert (done.exit_code, json.loads(done.output)["manifests"]) == (0, 6)
    ours = [line(one) for one in trail.steps if one.partition == 0]
    lines(folder / "manifests" / "0.ndjson.gz", ours[1:])
    told = run("verify", str(folder))
    assert told.exit_code == 1
    assert "artition 0" in told.output
    assert isinstance(run("verify", str(folder), "--witness", "nobody").exception, UsageError)
    assert run("verify", str(folder), "--min-size", "0").exit_code == 2


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda said: canonical(said).replace(b'"method":"paper"', b'"method":"\\u001b[2J"'), 1),
        (lambda said: canonical({**said, "purpose": "\x1b[2J"}), 5),
        (lambda said: canonical({name: one for name, one in said.items() if name != "facts"}), 5),
        (lambda said: canonical(said)[:-1], 5),
    ],
)
def test_a_forged_record_explained_then_it_drives_no_terminal_and_one_of_another_form_is_named(
    tmp_path: Path, spoil: Callable[[dict[str, Any]], bytes], code: int
) -> None:
    trail = Trail(partitions=1, seed=1).write(3)
    folder = trail.export(tmp_path / "export")
    values = [value for step in trail.steps for value in step.records]
    did = next(said["did"] for said in map(orjson.loads, values) if said["stage"] == "intake")
    lines(
        folder / "records/0.ndjson.gz",
        [spoil(orjson.loads(value)) if f'"did":"{did}"'.encode() in value else value for value in values],
    )
    done = run("explain", did, str(folder))
    found = done.exit_code if not isinstance(done.exception, GatekeeperError) else done.exception.exit_code
    assert (found, "\x1b" in done.output) == (code, False), done
    assert ("audit record of the manifest at offset" in done.output) == (code == 5)
