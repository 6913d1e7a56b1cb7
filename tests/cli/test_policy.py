"""`gatekeeper policy`: lists, shows, checks and compares without a broker."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest

from gatekeeper.policy import packs
from tests.cli.conftest import Run

SHIPPED = files("gatekeeper.policy").joinpath("jp-pmark.toml").read_bytes()

pytestmark = pytest.mark.main


def test_policies_then_every_version_is_listed_and_shown_as_it_is(run: Run) -> None:
    names = [(one["id"], one["version"]) for one in run("policy", "list", "--json").json]
    assert names == [(id_, version) for id_ in ("jp-appi", "jp-pmark", "strictest") for version in (1, 3, 2, 4)]
    for version, age in (("1", 15), ("2", 16)):
        assert run("policy", "show", f"jp-pmark@{version}", "--json").json["minor_age"] == age
    assert run("policy", "show", "jp-pmark@1", "--text").out == packs.shipped_text(packs.load("jp-pmark").home[0])
    assert "jp-pmark@1" in run("policy", "show", "jp-pmark@9").says(2)


def test_a_policy_file_then_it_is_right_or_refused_with_its_place(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_bytes(SHIPPED)
    assert run("policy", "lint", str(file)).code == 0
    file.write_bytes(SHIPPED.replace(b"minor_age", b"minor_aeg"))
    said = run("policy", "lint", str(file)).says(2)
    assert [one for one in ("parameters.minor_aeg", "mine.toml", "minor_age") if one not in said] == []


def test_two_policies_then_exit_1_where_the_new_one_widens(run: Run) -> None:
    assert run("policy", "diff", "jp-pmark@1", "jp-pmark@2").code == 0
    wider = run("policy", "diff", "jp-pmark@1", "jp-appi@1", "--json")
    assert wider.code == 1
    assert {one["key"] for one in wider.json if one["widens"]} == {"off", "purpose_only", "consent_channels"}
