"""The sealer signs with its own system's key, and takes manifests that its own system's workers signed."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatekeeper.audit.tlog.notes import parse_vkey
from gatekeeper.ground.errors import UsageError
from gatekeeper.ground.settings import Settings
from gatekeeper.keys import Keys, key_name
from streams.operations.sealing import Sealer, SealerCallbacks


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
