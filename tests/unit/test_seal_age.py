"""Status and console tell the age of seal and witness from the files of the log."""

from __future__ import annotations

from pathlib import Path

from gatekeeper.audit.log.seal_status import SealStatus
from gatekeeper.ground.settings import Settings
from streams.operations import fleet
from tests.support.witnessed_log import WitnessedLog


def read(place: WitnessedLog) -> SealStatus:
    found = fleet.seal(Settings(log=str(place.folder / "log"), keys=str(place.folder / "keys")))
    assert found is not None
    return found


def test_a_cosignature_by_nobody_we_know_then_it_does_not_count(tmp_path: Path) -> None:
    place = WitnessedLog(tmp_path)
    place.seal(b"a")
    place.look()
    for file in (tmp_path / "keys").glob("witness-*.pub"):
        file.unlink()
    found = read(place)
    assert found.witnessed is None


def test_a_checkpoint_that_nobody_signed_then_that_is_said(tmp_path: Path) -> None:
    place = WitnessedLog(tmp_path)
    place.seal(b"a")
    file = tmp_path / "log" / "checkpoint"
    file.write_text(file.read_text().replace("\n1\n", "\n7\n"))
    found = read(place)
    assert found.error
    assert found.error.key == "error.log_checkpoint_wrong"


def test_a_log_without_its_public_keys_then_the_missing_file_is_named_and_no_damage(tmp_path: Path) -> None:
    place = WitnessedLog(tmp_path)
    place.seal(b"a")
    (tmp_path / "keys" / "log-1.pub").unlink()
    found = read(place)
    assert found.error is not None
    assert (found.error.key, found.error.values["folder"]) == ("error.log_keyless", tmp_path / "keys")
