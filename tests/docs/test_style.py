"""The form of the documents: short pages, one role each, headings as in the help, and no riddle that was solved."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gatekeeper.audit.verify.sentences import SAYS
from gatekeeper.cli import HEADINGS
from gatekeeper.ground.texts import catalogue, text
from tests.docs.conftest import PAGES
from tests.support.sentences import docstrings, long, of_page, of_text, words

GROUPS = ("Added", "Changed", "Fixed", "Removed")
"""The groups of changes of a version, in order; a version has those that it needs."""
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
    assert re.match(r"# [^\n]+\n\n(For [a-z]|対象：)", PAGES[name])


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


def test_changes_then_each_version_out_or_to_come_has_its_four_groups_in_order() -> None:
    for part in PAGES["CHANGELOG.md"].split("\n## ")[1:]:
        version, _, text = part.partition("\n")
        before, *groups = re.split(r"^### (\w+)\n", text, flags=re.M)
        if "never released" in version:
            continue
        assert before.strip() == "", version
        assert groups[::2] == [name for name in GROUPS if name in groups[::2]], version
        assert all(group.strip() for group in groups[1::2]), version


@pytest.mark.parametrize("riddle", RIDDLES)
def test_a_riddle_that_was_solved_then_nobody_is_told_it_again(source: str, riddle: str) -> None:
    assert [name for name, page in PAGES.items() if riddle in page] == []
    assert riddle not in source


@pytest.mark.parametrize("name", PAGES)
def test_a_page_then_no_sentence_has_more_than_20_words(name: str) -> None:
    assert long(of_page(PAGES[name])) == []


@pytest.mark.parametrize(
    ("page", "sentences"),
    [
        ("Two lines\nmake one. Here is\nanother.", ["Two lines make one.", "Here is another."]),
        ("# A heading\nis none of the text.", ["A heading", "is none of the text."]),
        ("* one item\n  goes on\n* and another", ["one item goes on", "and another"]),
        ("| a | b. c |\n|---|---|\n| d | e |", ["a", "b.", "c", "d", "e"]),
        ("See [two words](page.md#a.b) there, e.g. now.", ["See two words there, abbreviation now."]),
        ("Set `a b. c`, `d` and `e` to {some value}.", ["Set Code to Value."]),
        ("Before:\n\n```sh\nnot. counted.\n```\n\n    nor. this.\n\nAfter!", ["Before:", "After!"]),
        ('A "quotation." Then 文です。次の文。', ['A "quotation.', "Then 文です。", "次の文。"]),
    ],
)
def test_a_page_then_its_sentences_are_told_apart(page: str, sentences: list[str]) -> None:
    assert list(of_page(page)) == sentences


LAWS = {"notice.letter"}
"""The letter that asks a person, which lists the person's rights in the order of the standard, in one sentence."""


def test_a_text_then_no_sentence_has_more_than_20_words() -> None:
    texts = {key: both["en"] for key, both in catalogue().items() if key not in LAWS}
    texts |= {code: english for code, (_, _, english) in SAYS.items()}
    assert len(texts) > 2000
    assert {
        key: found for key, text in texts.items() for line in text.splitlines() if (found := long(of_text(line)))
    } == {}


def test_a_sentence_then_marks_are_no_words() -> None:
    assert words("one — two, `three` · 4") == 4
    assert long(iter(["a " * 20, "a " * 21])) == ["a " * 21]


@pytest.fixture(scope="module")
def told(house: Path) -> list[tuple[str, str]]:
    """Every docstring of ours, behind the name of its file."""
    folders = ("schemas", "gatekeeper", "streams", "tests", "benchmarks")
    files = [path for folder in folders for path in (house / folder).rglob("*.py")]
    files += [path for path in (house / "scripts").iterdir() if path.is_file()]
    assert len(files) > 500
    return [
        (path.relative_to(house).as_posix(), text) for path in files for text in docstrings(path.read_text("utf-8"))
    ]


def test_a_title_of_a_test_then_it_has_at_most_80_characters(house: Path) -> None:
    titles = [
        title
        for path in (house / "tests").rglob("*.py")
        for title in re.findall(r"^ *(?:async )?def (test_\w+)", path.read_text("utf-8"), re.M)
    ]
    assert len(titles) > 2000
    assert [title for title in titles if len(title) > 80] == []


def test_a_docstring_then_it_begins_with_a_statement(told: list[tuple[str, str]]) -> None:
    assert [each for each in told if QUESTION.match(each[1])] == []


def test_a_docstring_of_the_product_then_it_says_what_a_caller_gets(told: list[tuple[str, str]]) -> None:
    assert [each for each in told if each[1].startswith("Returns") and not each[0].startswith("tests/")] == []


def test_a_docstring_then_no_sentence_has_more_than_20_words(told: list[tuple[str, str]]) -> None:
    product = [each for each in told if not each[0].startswith("tests/")]
    assert len(product) > 2000
    assert [(name, found) for name, text in product if (found := long(of_page(text)))] == []
