"""The form of the documents: short pages, one role each, headings as in the help, and no riddle that was solved."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from gatekeeper.cli import HEADINGS
from gatekeeper.texts import text
from tests.docs.conftest import PAGES

HOW_TO = sorted(name for name in PAGES if name.startswith("docs/how-to/"))
RIDDLES = (
    "the same test does clear, so it can fail",
    "a fact that does not itself speak against the send",
    "of how many it is one",
    "no worker wrote",
    "is unknown to the proof",
    "Time alone calls nothing back",
    "could be cut off unseen",
    "can be cut off unseen",
    "arrived since you looked",
    "then whom the walk comes to",
    "Whom the sealer tells",
    "of whom more is known than",
    "What was done about one item",
    "appear whole or not at all, stay",
    "findings are kept, however many",
)
"""Parts of sentences that were rewritten; they come back by copying."""
QUESTION = re.compile(r"(Wh(at|ere|ether|o|om|ose|y|en|ich)(ever)?|How(ever)?|So (many|much|long|often|soon))\b")


def test_the_readme_then_it_has_at_most_120_lines() -> None:
    assert len(PAGES["README.md"].splitlines()) <= 120


@pytest.mark.parametrize("name", HOW_TO)
def test_a_how_to_then_it_has_at_most_600_words_and_says_for_whom_it_is(name: str) -> None:
    assert len(PAGES[name].split()) <= 600
    assert re.match(r"# [^\n]+\n\nFor [a-z]", PAGES[name])


def test_commands_then_the_page_has_the_headings_of_the_help() -> None:
    told = re.findall(r"^## (.*)$", PAGES["docs/reference/commands.md"], re.M)
    assert told == [text(heading, "en") for heading in HEADINGS]


def test_commands_then_each_stands_under_its_heading() -> None:
    sections = re.split(r"^## .*$", PAGES["docs/reference/commands.md"], flags=re.M)[1:]
    for section, verbs in zip(sections, HEADINGS.values(), strict=True):
        assert set(re.findall(r"`gatekeeper ([a-z]+)", section)) == set(verbs)


def test_changes_then_each_is_one_line() -> None:
    lines = PAGES["CHANGELOG.md"].partition("\n## ")[2].splitlines()[1:]
    assert [line for line in lines if line and not line.startswith(("#", "* "))] == []
    assert [line for line in lines if len(line.split()) > 40] == []


@pytest.mark.parametrize("riddle", RIDDLES)
def test_a_riddle_that_was_solved_then_nobody_is_told_it_again(source: str, riddle: str) -> None:
    assert [name for name, page in PAGES.items() if riddle in page] == []
    assert riddle not in source


def test_a_docstring_then_it_begins_with_a_statement(house: Path) -> None:
    folders = ("schemas", "gatekeeper", "streams", "tests", "benchmarks", "scripts")
    files = [path for folder in folders for path in (house / folder).rglob("*.py")]
    assert len(files) > 500
    said = ((path, line) for path in files for line in docstrings(path.read_text("utf-8")))
    assert [f"{path.relative_to(house)}: {line}" for path, line in said if QUESTION.match(line)] == []


def docstrings(source: str) -> Iterator[str]:
    """Yields the first lines of all strings that stand alone: of modules, classes, functions and names."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.value.value.partition("\n")[0]
