"""The form of the documents: short sentences, changes in their groups, and short names of tests."""

from __future__ import annotations

import re
from pathlib import Path

from gatekeeper.audit.verify.sentences import SAYS
from gatekeeper.cli import HEADINGS
from gatekeeper.ground.texts import catalogue, text
from tests.docs.conftest import PAGES
from tests.support.sentences import docstrings, long, of_page, of_text

GROUPS = ("Added", "Changed", "Fixed", "Removed")
"""The groups of changes of a version, in order; a version has those that it needs."""
LAWS = {"notice.letter"}
"""The letter that asks a person, which lists the person's rights in the order of the standard, in one sentence."""


def test_commands_then_each_stands_under_its_heading_of_the_help() -> None:
    sections = re.split(r"^## (.*)$", PAGES["docs/reference/commands.md"], flags=re.M)[1:]
    assert sections[::2] == [text(heading, "en") for heading in HEADINGS]
    for section, verbs in zip(sections[1::2], HEADINGS.values(), strict=True):
        assert set(re.findall(r"`gatekeeper ([a-z]+)", section)) == set(verbs)


def test_changes_then_each_is_one_line() -> None:
    lines = PAGES["CHANGELOG.md"].partition("\n## ")[2].splitlines()[1:]
    assert [line for line in lines if line and not line.startswith(("#", "* "))] == []
    assert [line for line in lines if len(line.split()) > 40] == []


def test_changes_then_each_version_out_or_to_come_has_its_four_groups_in_order() -> None:
    for part in PAGES["CHANGELOG.md"].split("\n## ")[1:]:
        version, _, changes = part.partition("\n")
        before, *groups = re.split(r"^### (\w+)\n", changes, flags=re.M)
        if "never released" in version:
            continue
        assert before.strip() == "", version
        assert groups[::2] == [name for name in GROUPS if name in groups[::2]], version
        assert all(group.strip() for group in groups[1::2]), version


def test_pages_texts_and_docstrings_then_no_sentence_has_more_than_20_words(house: Path) -> None:
    assert long(iter(["a " * 20, "a " * 21])) == ["a " * 21]
    told = {name: long(of_page(page)) for name, page in PAGES.items()}
    for key, both in catalogue().items():
        told[key] = [found for line in both["en"].splitlines() if key not in LAWS for found in long(of_text(line))]
    told |= {code: long(of_text(english)) for code, (_, _, english) in SAYS.items()}
    for folder in ("schemas", "gatekeeper", "streams"):
        for path in (house / folder).rglob("*.py"):
            docs = docstrings(path.read_text("utf-8"))
            told[str(path)] = [found for one in docs for found in long(of_page(one))]
    assert len(told) > 2000
    assert {name: found for name, found in told.items() if found} == {}


def test_a_title_of_a_test_then_it_has_at_most_80_characters(house: Path) -> None:
    files = [path.read_text("utf-8") for path in (house / "tests").rglob("*.py")]
    titles = [title for file in files for title in re.findall(r"^ *(?:async )?def (test_\w+)", file, re.M)]
    assert titles
    assert [title for title in titles if len(title) > 80] == []
