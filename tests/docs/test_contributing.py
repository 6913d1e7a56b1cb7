"""CONTRIBUTING names the files that a change touches."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.conftest import PAGES, resolved, rows

ROWS = rows(PAGES["CONTRIBUTING.md"], "to add")


@pytest.mark.parametrize(("example", "touched"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_a_row_then_each_file_in_it_knows_the_example(house: Path, example: str, touched: str) -> None:
    files = re.findall(r"\b[\w./-]+\.(?:py|toml|md|yaml|yml|html|json)\b", touched)
    assert len(files) > 1
    texts = {name: (house / name).read_text("utf-8").lower() + name for name in files}
    assert [name for name, text in texts.items() if example.lower() not in text] == []


def test_names_in_contributing_then_they_exist() -> None:
    named = re.findall(r"`((?:schemas|gatekeeper|streams|tests)(?:\.\w+)+)`", PAGES["CONTRIBUTING.md"])
    assert len(named) > len(ROWS) - 1
    for name in named:
        resolved(name)


def test_acts_without_a_signature_then_only_their_own_folder_sets_that(house: Path) -> None:
    sets = re.compile(r"""acts["']?\s*[=:,]\s*["']unsigned|ACTS=["']?unsigned""", re.IGNORECASE)
    folders = ("tests", "benchmarks", "gatekeeper/demo", "scripts")
    files = {file for folder in folders for file in (house / folder).rglob("*") if file.suffix in (".py", "")}
    found = {file for file in files if file.is_file() and sets.search(file.read_text("utf-8"))}
    assert {str(file.relative_to(house).parent) for file in found} == {"tests/integration/unsigned"}
