"""The sealed log in status and console, and the keys with which it is sealed: its own system's alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatekeeper.audit.log.seal_status import SealStatus
from gatekeeper.audit.tlog.notes import parse_vkey
from gatekeeper.ground.errors import UsageError
from gatekeeper.ground.settings import Settings
from gatekeeper.keys import Keys, key_name
from streams.operations import fleet
from streams.operations.sealing import Sealer, SealerCallbacks
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


@pytest.mark.parametrize("role", ["log", "worker"])
def test_given_a_key_of_another_system_then_2_and_no_log_is_begun(tmp_path: Path, role: str) -> None:
    settings = Settings(keys=str(tmp_path / "keys"), log=str(tmp_path / "log"))
    keys = Keys(settings.key_folder)
    for each in ("log", "worker"):
        keys.make(each, key_name(settings.group, each))
    stranger = keys.make(role, key_name("trial.gatekeeper", role)).verifier or ""
    told = SealerCallbacks(finding=lambda _: None, sealed=lambda _: None)
    with pytest.raises(UsageError, match=r"another system's") as refused:
        Sealer(settings, told=told, seconds=1.0).run(once=True)
    assert refused.value.values["kid"] == parse_vkey(stranger).kid
    assert not settings.log_folder.exists()
