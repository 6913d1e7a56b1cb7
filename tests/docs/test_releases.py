"""The page of releases names commits that are those releases, and the script cuts the next one as the page says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.docs.conftest import HOUSE, PAGES
from tests.support.changed_copy import ChangedCopy


class Release(NamedTuple):
    """A release that is out, as docs/releases.md names it."""

    version: str
    day: str
    commit: str


GIT = shutil.which("git")
ROW = re.compile(r"(?m)^\| ([0-9.]+) \| (\d{4}-\d\d-\d\d) \| `([0-9a-f]{40})` \|$")
NAMED = [Release(*row) for row in ROW.findall(PAGES["docs/releases.md"])]
LONG = pytest.mark.long("what the pages say of releases; no release is cut")


def git(folder: Path, *words: str) -> str:
    """Returns what git says in a folder, with our own name and mail."""
    who = ("-c", "user.name=gate", "-c", "user.email=gate@gate.example", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", *who, *words], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_page_then_it_has_each_release_of_the_changes_with_its_day() -> None:
    dated = re.findall(r"^## ([0-9.]+) \((\d{4}-\d\d-\d\d)\)$", PAGES["CHANGELOG.md"], re.M)
    assert [(one.version, one.day) for one in NAMED] == dated


@pytest.mark.parametrize("release", NAMED, ids=lambda one: one.version)
def test_a_release_then_its_commit_has_its_version_and_a_tag_leads_there(release: Release) -> None:
    if GIT is None or f"{release.commit}\n" not in git(HOUSE, "rev-list", "--all") + "\n":
        pytest.skip("its commit is not in the history that is here")
    project = git(HOUSE, "show", f"{release.commit}:pyproject.toml")
    assert tomllib.loads(project)["project"]["version"] == release.version
    if f"v{release.version}" in git(HOUSE, "tag").split():
        assert git(HOUSE, "rev-parse", f"v{release.version}^{{commit}}") == release.commit


@pytest.fixture
def clone(tmp_path: Path) -> ChangedCopy:
    """A repository with this tree in one commit."""
    if GIT is None:
        pytest.skip("git is not here")
    copy = ChangedCopy(tmp_path / "clone")
    git(copy.folder, "init", "--quiet", "--initial-branch", "main")
    for name, value in (("user.name", "gate"), ("user.email", "gate@gate.example"), ("commit.gpgsign", "false")):
        git(copy.folder, "config", name, value)
    git(copy.folder, "add", "--all")
    git(copy.folder, "commit", "--quiet", "--message", "tree")
    return copy


def released(copy: ChangedCopy, *words: str) -> tuple[int, str]:
    """Returns exit code and messages of the script, called in a copy."""
    outside = os.environ | {"PYTHON": sys.executable, "PYTHONPATH": str(copy.folder), "PYTHONDONTWRITEBYTECODE": "1"}
    call = ["scripts/release", *words]
    done = subprocess.run(call, cwd=copy.folder, env=outside, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@LONG
def test_a_release_cut_then_its_commit_is_dated_and_tagged_and_the_next_one_begins(clone: ChangedCopy) -> None:
    version = tomllib.loads((HOUSE / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    code, said = released(clone, "99.0.0")
    assert code == 0, said

    commit = git(clone.folder, "rev-parse", f"v{version}^{{commit}}")
    assert commit == git(clone.folder, "rev-parse", "HEAD^")
    at = {name: git(clone.folder, "show", f"{commit}:{name}") for name in ("CHANGELOG.md", "pyproject.toml")}
    assert re.search(rf"^## {version} \(\d{{4}}-\d\d-\d\d\)$", at["CHANGELOG.md"], re.M)
    assert tomllib.loads(at["pyproject.toml"])["project"]["version"] == version
    assert f"tests/golden/contracts/{version}-" in git(clone.folder, "ls-tree", "-r", "--name-only", commit)

    assert (clone.folder / "docs/releases.md").read_text("utf-8").count(f"| `{commit}` |\n") == 1
    changes = (clone.folder / "CHANGELOG.md").read_text("utf-8")
    assert re.findall(r"^## .*$", changes, re.M)[0] == "## 99.0.0 (not released)"
    for name in ("pyproject.toml", "deploy/kubernetes/kustomization.yaml", "schemas/json/openapi.json"):
        assert "99.0.0" in (clone.folder / name).read_text("utf-8"), name
    assert git(clone.folder, "status", "--porcelain") == ""
    found = clone.tested(
        "tests/docs/test_releases.py::test_the_page_then_it_has_each_release_of_the_changes_with_its_day",
        "tests/docs/test_releases.py::test_a_release_then_its_commit_has_its_version_and_a_tag_leads_there",
        "tests/docs/test_style.py::test_changes_then_each_is_one_line",
        "tests/golden/test_kept_contracts.py::test_releases_then_the_contract_of_each_is_kept",
    )
    assert {case: wrong for case, wrong in found.items() if wrong} == {}


@LONG
def test_a_tree_with_changes_or_no_version_to_come_then_nothing_is_cut(clone: ChangedCopy) -> None:
    for words in ((), ("soon",)):
        assert released(clone, *words)[0] == 2
    (clone.folder / "README.md").write_text("changed")
    code, said = released(clone, "99.0.0")
    assert (code, "commit your changes first" in said) == (2, True)
    assert git(clone.folder, "log", "--format=%s") == "tree"
