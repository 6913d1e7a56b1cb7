"""One word for one thing: texts, pages, letters and manual hold to `docs/reference/glossary.md`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from gatekeeper.audit.verify.sentences import SAYS
from gatekeeper.ground.texts import catalogue
from tests.docs.conftest import HOUSE, PAGES

GLOSSARY = "docs/reference/glossary.md"
READ = ("README.md", "docs/index.md", "docs/manual/", "docs/how-to/", "docs/reference/", "docs/explanation/")
"""The pages held against the glossary. Decisions and the changelog quote former words."""
CODE = re.compile(r"^ *```.*?^ *```|`[^`\n]*`|\]\([^)]*\)", re.S | re.M)
END = re.compile(r"(?<=。)|(?<=[.!?]) |\n")
COUNTER = re.compile(
    r"[0-9}] (?:件(?!名)|日(?!本|付|時|ご)|通(?!知|り|常|信)|人(?!物|員)|個(?!人)|台(?!帳)|回(?!答|数)|時間(?!帯)"
    r"|分(?!か|散|け|割)|行(?!わ|い|う|っ|き|く)|歳|か月|秒|枚|年|ページ|文字|字|バイト|番目)"
)
"""A number, or a value filled in, with a space before its counter."""


class Term(NamedTuple):
    """A row of the glossary: the words that it replaces, and the phrases in which such a word is right."""

    japanese: str
    english: str
    wrong: tuple[str, ...]
    but: tuple[str, ...]

    def right(self, word: str) -> str:
        """Returns the term in the language of a wrong word."""
        return self.english if word.isascii() and not word.startswith(("/", "a~")) else self.japanese

    def misused(self, sentence: str) -> Iterator[str]:
        """Yields the wrong words that a sentence has outside the phrases that may have them."""
        for phrase in self.but:
            sentence = sentence.replace(phrase, "")
        yield from (word for word in self.wrong if word in sentence)


def terms(page: str) -> tuple[Term, ...]:
    """Returns the rows of a glossary's tables."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line[:2] == "| "]
    return tuple(
        Term(japanese, english, tuple(filter(None, wrong.split("、"))), tuple(filter(None, but.split("、"))))
        for japanese, english, _, wrong, but in rows
        if japanese != "日本語"
    )


TERMS = terms(PAGES[GLOSSARY])
PAIRS = [(term, word) for term in TERMS for word in term.wrong]


def texts() -> Iterator[tuple[str, str]]:
    """Yields every text that a person reads, behind its place."""
    for key, both in catalogue().items():
        subject, _, name = key.partition(".")
        for text in both.values():
            yield f"gatekeeper/ground/texts/{subject}.toml [{name}]", text
    for name, (_, japanese, english) in SAYS.items():
        yield from ((f"gatekeeper/audit/verify/sentences.py {name}", text) for text in (japanese, english))
    for path in sorted((HOUSE / "gatekeeper").rglob("templates/*.html")):
        yield path.relative_to(HOUSE).as_posix(), path.read_text("utf-8")
    for name, page in PAGES.items():
        if name.startswith(READ) and name != GLOSSARY:
            yield name, CODE.sub("`", page)


def findings(place: str, text: str) -> list[str]:
    """Returns the words that are wrong in a text, each with its place, its sentence and the right word."""
    return [
        f"{place}: {sentence.strip()!r} has {word}; write {term.right(word)}"
        for sentence in filter(None, END.split(text))
        for term in TERMS
        for word in term.misused(sentence)
    ]


def test_texts_pages_letters_and_manual_then_one_word_for_one_thing() -> None:
    read = [*texts()]
    assert len(read) > 4000
    wrong = [finding for place, text in read for finding in findings(place, text)]
    assert not wrong, "\n".join((f"{len(wrong)} wrong words:", *wrong))


def test_a_number_then_its_counter_stands_close() -> None:
    wrong = [f"{place}: {number[0]!r}" for place, text in texts() for number in COUNTER.finditer(text)]
    assert not wrong, "\n".join((f"{len(wrong)} spaces before a counter:", *wrong))


@pytest.mark.parametrize(("term", "word"), PAIRS, ids=[word for _, word in PAIRS])
def test_a_wrong_word_then_it_is_found_with_place_sentence_and_right_word(term: Term, word: str) -> None:
    sentence = f"{''.join(term.but)} x{word}x "
    assert f"page.md: {sentence.strip()!r} has {word}; write {term.right(word)}" in findings("page.md", sentence)
    for phrase in term.but:
        assert not [*term.misused(phrase)], f"{phrase} is allowed"


def test_a_phrase_that_may_have_a_wrong_word_then_a_text_has_it() -> None:
    everything = "\n".join(text for _, text in texts())
    unused = [phrase for term in TERMS for phrase in term.but if phrase not in everything]
    assert unused == []
    assert [phrase for term in TERMS for phrase in term.but if not any(word in phrase for word in term.wrong)] == []


def test_terms_then_each_stands_once_and_is_wrong_nowhere() -> None:
    japanese = [term.japanese for term in TERMS]
    assert sorted(set(japanese)) == sorted(japanese)
    other = {word for _, word in PAIRS}  # right for one thing, wrong for another
    mine = [word for term in TERMS for word in (term.japanese, term.english) if word not in other]
    assert [finding for word in mine for finding in findings(GLOSSARY, word)] == []


def test_terms_that_replace_a_word_then_a_text_has_them() -> None:
    everything = "\n".join(text for _, text in texts())
    assert [term.japanese for term in TERMS if term.wrong and term.japanese not in everything] == []


def test_the_glossary_then_it_is_a_page_of_this_house() -> None:
    assert Path(HOUSE / GLOSSARY).is_file()
    assert "reference/glossary.md" in PAGES["docs/index.md"]
