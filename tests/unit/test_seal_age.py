"""Status and console tell the age of seal and witness from the files of the log."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatekeeper.audit.log.seal_status import LATE_MS, SealStatus
from gatekeeper.cli.audit import log_metrics
from gatekeeper.ground.atomic_store import AtomicStore
from gatekeeper.ground.metrics import LOG_READABLE, SEAL_AGE, WITNESSED_ENTRIES
from gatekeeper.ground.settings import Settings
from gatekeeper.keys import Keys
from streams.operations import fleet
from tests.support.witnessed_log import WitnessedLog


def read(place: WitnessedLog) -> SealStatus | None:
    return fleet.seal(Settings(log=str(place.folder / "log"), keys=str(place.folder / "keys")))


def test_no_log_then_nothing_is_told(tmp_path: Path) -> None:
    assert read(WitnessedLog(tmp_path)) is None


def test_a_witness_that_is_behind_then_how_far_it_saw_and_when(tmp_path: Path) -> None:
    place = WitnessedLog(tmp_path)
    place.seal(b"a")
    place.look(now=1_750_000_000)
    place.seal(b"b")
    found = read(place)
    assert found is not None
    assert (found.size, found.witnessed) == (2, (1, 1_750_000_000_000))


def test_a_cosignature_by_nobody_we_know_then_it_does_not_count(tmp_path: Path) -> None:
    place = WitnessedLog(tmp_path)
    place.seal(b"a")
    place.look()
    for file in (tmp_path / "keys").glob("witness-*.pub"):
        file.unlink()
    found = read(place)
    assert found is not None
    assert found.witnessed is None


def test_a_checkpoint_that_nobody_signed_then_that_is_said(tmp_path: Path) -> None:
    place = WitnessedLog(tmp_path)
    place.seal(b"a")
    file = tmp_path / "log" / "checkpoint"
    file.write_text(file.read_text().replace("\n1\n", "\n7\n"))
    found = read(place)
    assert found is not None
    assert found.error is not None
    assert found.error.key == "error.log_checkpoint_wrong"


def test_a_log_without_its_public_keys_then_the_missing_file_is_named_and_no_damage(
    tmp_path: Path,
) -> None:
    place = WitnessedLog(tmp_path)
    place.seal(b"a")
    (tmp_path / "keys" / "log-1.pub").unlink()
    found = read(place)
    assert found is not None
    assert found.error is not None
    assert (found.error.key, found.error.values["folder"]) == ("error.log_keyless", tmp_path / "keys")


def test_a_decision_after_the_seal_then_it_is_late_once_it_has_waited_too_long() -> None:
    sealed = SealStatus(2, at=1_000)
    now = 1_000 + LATE_MS + 1
    assert sealed.late(decided=1_001, now=now)
    assert not sealed.late(decided=1_001, now=now - 1)
    assert not sealed.late(decided=1_000, now=now), "all that was decided is sealed"
    assert not sealed.late(decided=None, now=now)


@pytest.mark.parametrize("content", [None, b"no checkpoint"])
def test_a_damaged_log_then_the_metrics_say_so_and_tell_no_age(tmp_path: Path, content: bytes | None) -> None:
    place = WitnessedLog(tmp_path)
    files, keys = AtomicStore(tmp_path / "log"), Keys(tmp_path / "keys")
    assert log_metrics.values(files, keys) == {LOG_READABLE: {(): 1}}, "there is none yet"
    place.seal(b"a")
    place.look()
    found = log_metrics.values(files, keys)
    assert (found[LOG_READABLE], found[WITNESSED_ENTRIES]) == ({(): 1}, {(): 1})
    assert SEAL_AGE in found
    checkpoint = tmp_path / "log/checkpoint"
    checkpoint.unlink()
    checkpoint.mkdir() if content is None else checkpoint.write_bytes(content)
    assert log_metrics.values(files, keys) == {LOG_READABLE: {(): 0}}
