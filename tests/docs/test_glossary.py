"""One word for one thing: texts, pages, letters and manual hold to `docs/reference/glossary.md`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from gatekeeper.audit.verify.sentences import SAYS
from gatekeeper.ground.texts import catalogue
from tests.docs.conftest import HOUSE, PAGES

GLOSSARY = "docs/reference/glossary.md"
READ = ("README.md", "docs/index.md", "docs/manual/", "docs/how-to/", "docs/reference/", "docs/explanation/")
"""The pages held against the glossary. Decisions and the changelog quote former words."""
CODE = re.compile(r"^ *```.*?^ *```|`[^`\n]*`|\]\([^)]*\)", re.S | re.M)
END = re.compile(r"(?<=。)|(?<=[.!?]) |\n")


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
