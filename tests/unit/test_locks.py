"""Production installs the product's imports, and nothing that only tests or a demo need."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

HOUSE = Path(__file__).parents[2]
PROJECT = tomllib.loads((HOUSE / "pyproject.toml").read_text("utf-8"))["project"]


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[<>=~!\[ ]", line)[0] for line in requirements}


RUNTIME = names(PROJECT["dependencies"])
EXTRAS = {name: names(wanted) for name, wanted in PROJECT["optional-dependencies"].items()}


def locked(name: str) -> dict[str, str]:
    """Returns the version of each package of a lock."""
    lines = (HOUSE / "requirements" / f"{name}.txt").read_text("utf-8").splitlines()
    return dict(line.split(" ")[0].split("==") for line in lines if not line.startswith(" "))


def test_the_locks_then_each_holds_the_one_before_and_production_no_extras() -> None:
    runtime, broker, dev = locked("runtime"), locked("broker"), locked("dev")
    assert runtime.items() <= broker.items() <= dev.items()
    assert runtime.keys() >= RUNTIME
    assert not (EXTRAS["broker"] | EXTRAS["dev"]) & runtime.keys()
    assert broker.keys() >= EXTRAS["broker"]
    assert not EXTRAS["dev"] & broker.keys()
    assert dev.keys() >= EXTRAS["dev"]


def bounds() -> dict[str, SpecifierSet]:
    """Returns the bounds of the table in ADR 8."""
    text = (HOUSE / "docs" / "adr" / "0008-dependencies.md").read_text("utf-8").partition("## Bounds")[2]
    rows = re.findall(r"^\| `([a-z0-9-]+)` \| `([^`]+)` \| .+ \|$", text, re.MULTILINE)
    return {name: SpecifierSet(bound) for name, bound in rows}


def test_the_bounds_that_must_stay_then_the_project_and_every_lock_have_them() -> None:
    wanted = {Requirement(line).name: Requirement(line).specifier for line in PROJECT["dependencies"]}
    found = bounds()
    assert found.keys() >= {"aiohttp", "click", "cryptography", "pydantic", "starlette"}
    for name, bound in found.items():
        assert set(bound) <= set(wanted.get(name, bound)), f"pyproject.toml does not say {name}{bound}"
        for lock in ("runtime", "broker", "dev"):
            assert locked(lock)[name] in bound, (lock, name)
        assert version(name) in bound, f"{name} {version(name)} is installed here"


@pytest.mark.parametrize("name", ["build", "uv", "runtime", "broker", "dev"])
def test_a_lock_then_every_package_has_hashes_and_no_address(name: str) -> None:
    text = (HOUSE / "requirements" / f"{name}.txt").read_text("utf-8").replace("\\\n", "")
    for line in text.splitlines():
        assert re.fullmatch(r"[a-z0-9-]+==[\w.]+( ; [^:/]+?)?( +--hash=sha256:[0-9a-f]{64})+", line), line[:80]
