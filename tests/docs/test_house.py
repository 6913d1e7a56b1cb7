"""A stranger finds a room: a name stands once within a layer, and helpers of tests stand in one folder."""

from __future__ import annotations

import ast
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

FREE = ("gatekeeper/cli/", "gatekeeper/console/pages/")
"""Folders whose files have the name of their command or page, whatever else has it."""


@pytest.fixture(scope="module")
def layers(house: Path) -> dict[str, list[Path]]:
    """The files of each layer: `schemas`, `streams`, and in `gatekeeper` each line of its import-linter contract."""
    contracts = tomllib.loads((house / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    (lines,) = (one["layers"] for one in contracts if one.get("containers") == ["gatekeeper"])
    found = {folder: sorted((house / folder).rglob("*.py")) for folder in ("schemas", "streams")}
    for line in lines:
        rooms = [house / "gatekeeper" / room.strip().replace(".", "/") for room in line.split("|")]
        found[line] = [
            file for room in rooms for file in (*room.rglob("*.py"), room.with_suffix(".py")) if file.exists()
        ]
    return found


def types(source: str) -> Iterator[str]:
    """Yields the names of all classes, nested ones too, and of types that are named at the top: `Place = tuple[…]`."""
    tree = ast.parse(source)
    yield from (node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef))
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id.lstrip("_")
            if name[:1].isupper() and not name.isupper():
                yield name


def twice(names: list[tuple[str, Path]]) -> dict[str, list[str]]:
    found = defaultdict(list)
    for name, file in names:
        found[name.lstrip("_")].append(f"{file.parent.name}/{file.name}")
    return {name: files for name, files in found.items() if len(files) > 1}


def test_layers_then_they_hold_every_file(house: Path, layers: dict[str, list[Path]]) -> None:
    held = {file for files in layers.values() for file in files}
    there = {file for folder in ("schemas", "gatekeeper", "streams") for file in (house / folder).rglob("*.py")}
    assert {str(file.relative_to(house)) for file in there - held} == {
        *("gatekeeper/__init__.py", "gatekeeper/__main__.py", "gatekeeper/audit/__init__.py")
    }


def test_a_module_then_its_name_stands_once_in_its_layer(house: Path, layers: dict[str, list[Path]]) -> None:
    for layer, files in layers.items():
        named = [file for file in files if not file.stem.startswith("__")]
        named = [file for file in named if not str(file.relative_to(house)).startswith(FREE)]
        assert twice([(file.stem, file) for file in named]) == {}, layer


def test_a_class_or_type_then_its_name_stands_once_in_its_layer(layers: dict[str, list[Path]]) -> None:
    for layer, files in layers.items():
        assert twice([(name, file) for file in files for name in types(file.read_text("utf-8"))]) == {}, layer
