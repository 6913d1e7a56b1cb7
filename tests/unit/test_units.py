"""The units for systemd: their calls and settings exist, and systemd's own tool finds them right and closed."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gatekeeper.ground.errors import IntegrityError, RestartError, UsageError
from gatekeeper.ground.settings import Settings
from tests.support.call import read_call

HOUSE = Path(__file__).parents[2]
SYSTEMD = HOUSE / "deploy/systemd"
UNITS = sorted(path.name for path in SYSTEMD.glob("*.service"))
PARTS = [name.removeprefix("gatekeeper-").removesuffix(".service") for name in UNITS]
INSTALLED = "/opt/direct-mail-gatekeeper/.venv/bin/gatekeeper"
MOST_EXPOSED = 1.5
"""Of ten, by systemd-analyze security; a service without any of this has more than nine."""


def lines(file: Path) -> list[tuple[str, str]]:
    """Returns the settings of a unit or a file of variables, in order."""
    found = [line.partition("=") for line in file.read_text("utf-8").splitlines() if not line.startswith(("#", "["))]
    return [(name, value) for name, _, value in found if name]


def values(name: str, key: str) -> list[str]:
    """Returns what a unit says under `key`, with what all units share."""
    shared = lines(SYSTEMD / "gatekeeper-.service.d/closed.conf")
    return [value for found, value in [*shared, *lines(SYSTEMD / name)] if found == key]


@pytest.mark.parametrize("name", UNITS)
def test_given_a_unit_then_its_call_and_its_settings_exist(name: str) -> None:
    (call,) = values(name, "ExecStart")
    program, *words = shlex.split(call)
    assert program == INSTALLED
    read_call(words)
    given = dict(value.split("=", 1) for value in values(name, "Environment"))
    assert given
    for variable, value in given.items():
        field = variable.removeprefix("GATEKEEPER_").lower()
        assert field in Settings.model_fields, variable
        Settings.model_validate({field: value.replace("%S", "/var/lib").replace("%l", "host-1")})


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_then_it_starts_again_but_not_after_what_a_person_must_see_first(name: str) -> None:
    assert values(name, "Restart") == ["always"]
    kept = {int(code) for line in values(name, "RestartPreventExitStatus") for code in line.split()}
    assert kept == {UsageError.exit_code, IntegrityError.exit_code}
    assert RestartError.exit_code not in kept
    assert values(name, "TimeoutStopSec") == ["30"]


def test_given_the_parts_then_each_has_a_user_and_a_closed_folder_of_its_own() -> None:
    users = re.findall(r"^u (\S+) ", (SYSTEMD / "gatekeeper.sysusers.conf").read_text("utf-8"), re.M)
    assert sorted(users) == [f"gatekeeper-{part}" for part in PARTS]
    made = (SYSTEMD / "gatekeeper.tmpfiles.conf").read_text("utf-8").splitlines()
    for part, name in zip(PARTS, UNITS, strict=True):
        user = f"gatekeeper-{part}"
        assert values(name, "User") == values(name, "Group") == [user]
        assert f"GATEKEEPER_KEYS=/etc/gatekeeper/{part}/keys" in values(name, "Environment")
        for folder in (f"/etc/gatekeeper/{part}", f"/etc/gatekeeper/{part}/keys"):
            assert f"d {folder} 0700 {user} {user}" in made


@pytest.mark.skipif(
    not shutil.which("systemd-analyze"), reason="systemd-analyze is not here (Debian: apt install systemd)"
)
def test_given_systemd_s_own_tool_then_the_units_are_right_and_closed(tmp_path: Path) -> None:
    """The program is another one, as nothing is installed where the units say."""
    shutil.copytree(SYSTEMD, tmp_path, dirs_exist_ok=True)
    files = [tmp_path / name for name in UNITS]
    for file in files:
        file.write_text(file.read_text("utf-8").replace(INSTALLED, sys.executable))
    done = subprocess.run(["systemd-analyze", "verify", *files], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    for file in files:
        call = ["systemd-analyze", "security", "--offline=true", "--no-pager", file]
        rated = subprocess.run(call, capture_output=True, text=True, check=False)
        (exposure,) = re.findall(rf"exposure level for {file.name}: ([\d.]+)", rated.stdout)
        assert float(exposure) <= MOST_EXPOSED, rated.stdout
