"""`gatekeeper policy`: lists, shows, checks and compares without a broker."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

import pytest
from click.testing import CliRunner

from gatekeeper.cli.policy import command
from gatekeeper.ground.errors import UsageError
from gatekeeper.policy import packs

SHIPPED = files("gatekeeper.policy").joinpath("jp-pmark.toml").read_bytes()


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(command, list(arguments), catch_exceptions=False)
    return result.exit_code, result.stdout


def test_policy_shown_then_by_version_and_else_the_one_in_force() -> None:
    for version, age in (("1", 15), ("2", 16)):
        for named in ((f"jp-pmark@{version}",), ("jp-pmark", "--version", version)):
            assert json.loads(run("show", *named, "--json")[1])["minor_age"] == age
    in_force = packs.load("jp-pmark").at(int(datetime.now(UTC).timestamp() * 1000))
    assert json.loads(run("show", "jp-pmark", "--json")[1])["version"] == in_force.version
    shown = CliRunner().invoke(command, ["show", "jp-pmark"])
    assert "minor_age" in shown.stdout
    (unverified,) = [
        line for line in shown.stderr.splitlines() if "照らし合わせ" in line or "Nobody has compared" in line
    ]
    assert "jp-pmark@3" in unverified
    assert "unverified" not in shown.stdout
    with pytest.raises(UsageError, match="jp-pmark@1"):
        run("show", "jp-pmark@9")
    with pytest.raises(UsageError, match="jp-pmark@1"):
        run("show", "jp-pmark", "--version", "9")
    with pytest.raises(UsageError, match="jp-appi"):
        run("show", "nobody's")


def test_policy_file_checked_then_right_or_refused_with_its_place(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_bytes(SHIPPED)
    assert run("lint", str(file))[0] == 0
    file.write_bytes(SHIPPED.replace(b"minor_age", b"minor_aeg"))
    with pytest.raises(UsageError, match=r"parameters.minor_aeg of .*mine\.toml.*minor_age"):
        run("lint", str(file))
    with pytest.raises(UsageError, match="nowhere"):
        run("lint", "nowhere.toml")


def test_policies_compared_then_exit_1_where_the_new_one_widens() -> None:
    assert run("diff", "jp-pmark@1", "jp-pmark@2")[0] == 0
    code, out = run("diff", "jp-pmark@1", "jp-appi@1", "--json")
    assert code == 1
    assert {one["key"] for one in json.loads(out) if one["widens"]} == {"off", "purpose_only", "consent_channels"}
    assert "consent_channels" in run("diff", "jp-appi", "jp-pmark")[1]
