"""The sentences of a page, of a docstring and of a catalogue's text, and how many words each has."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

CODE_BLOCK = re.compile(r"^ *(```|~~~).*?^ *\1[^\n]*$|(?<=\n\n)(?: {4}[^\n]*\n?)+", re.S | re.M)
QUOTES = '"' * 3
TABLE_RULE = re.compile(r"[|:\- ]+")
ITEM = re.compile(r"(?:[*+-]|\d+\.) +")
CODE = re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)", re.S)
LINK = re.compile(r"!?\[((?:[^][]|\[[^][]*\])*)\]\([^)]*\)")
NAMES = re.compile(r"Code(?:(?:,| and| or|, and|, or) Code\b)+")
PLACEHOLDER = re.compile(r"\{[^{}]*\}")
ABBREVIATION = re.compile(r"\b(?:e\.g|i\.e|etc|cf|vs|art|para)\.", re.I)
END = re.compile(r"(?<=[.!?…])[\"”’)*_\]]*\s+|(?<=[。！？])")
WORD = re.compile(r"[^\W_]")


def of_page(markdown: str) -> Iterator[str]:
    """Yields the sentences of a page. A heading, an item of a list, a table's cell and a paragraph each end one."""
    paragraph: list[str] = []
    for line in [*CODE_BLOCK.sub("", markdown).splitlines(), ""]:
        text = line.strip().lstrip("> ")
        item = ITEM.match(text)
        if item or not text or text.startswith(("#", "|")):
            yield from of_text(" ".join(paragraph))
            paragraph = []
        if text.startswith("|"):
            for cell in [] if TABLE_RULE.fullmatch(text) else re.split(r"(?<!\\)\|", text):
                yield from of_text(cell)
        elif text.startswith("#"):
            yield from of_text(text.lstrip("# "))
        elif text:
            paragraph.append(text[item.end() :] if item else text)


def of_text(text: str) -> Iterator[str]:
    """Yields the sentences of one paragraph, in which code, a list of names, and a placeholder are a word each."""
    text = NAMES.sub("Code", LINK.sub(r"\1", CODE.sub("Code", text)))
    text = ABBREVIATION.sub("abbreviation", PLACEHOLDER.sub("Value", text))
    yield from (sentence.strip() for sentence in END.split(text) if sentence.strip())


def docstrings(python: str) -> Iterator[str]:
    """Yields the strings that stand alone, with three quotes: of a module, its classes, functions and names."""
    parts = python.split(QUOTES)
    for before, text in zip(parts[::2], parts[1::2], strict=False):
        code = before.rstrip()
        if not code or ("\n" in before[len(code) :] and code[-1] not in "([{,=+"):
            yield inspect.cleandoc(text)


def words(sentence: str) -> int:
    """Counts the words of a sentence: what stands between blanks and has a letter or a digit."""
    return sum(1 for token in sentence.split() if WORD.search(token))


def long(sentences: Iterator[str]) -> list[str]:
    """Lists the sentences that have more than 20 words."""
    return [sentence for sentence in sentences if words(sentence) > 20]
