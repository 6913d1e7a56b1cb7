"""The characters of Unicode 14 on every Python, so that a spelling has the same token whichever Python made it.

Pythons differ in the Unicode version of their tables. An assigned character keeps its normal form, its case and its
kind in every later version (Unicode's stability policy). So only characters differ that Unicode 14 does not assign.
Each of these counts as two letters of the Yi script here, before any table of Python's is asked.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from unicodedata import category, normalize

VERSION = "14.0.0"
"""The version of Unicode by which spellings are normalised; records name it."""
_YI, _LETTERS = 0xA000, 1024
_LOST = re.compile(r"[〓?\ufffd●○◯■□◆◇*※]")
_NO_LETTER = ("Co", "Cs")
_LEARNT = 65_536  # characters that a table holds, at most: two thirds of those in use

Replacement = int | str | None
"""The replacement of a character: another one by its number, a text, or nothing."""


class Table(dict[int, Replacement]):
    """A table for `str.translate` that learns each character that it meets, so that a look-up of it never fails.

    `of`: the replacement of a character by its number, which gives a character that stays as the same number.
    """

    def __init__(self, of: Callable[[int], Replacement]) -> None:
        super().__init__()
        self._of = of

    def __missing__(self, code: int) -> Replacement:
        replacement = self._of(code)
        if len(self) < _LEARNT:
            self[code] = replacement
        return replacement


def replacing(changed: Mapping[int, Replacement]) -> Table:
    """A table that replaces these characters and keeps all others."""
    return Table(lambda code: changed.get(code, code))


def nfkc(text: str) -> str:
    """The compatibility form (NFKC) of `text` by Unicode 14."""
    return text if text.isascii() else normalize("NFKC", text.translate(_ASSIGNED))


def has_lost(text: str) -> bool:
    """True for a letter that a file has lost, or that nobody else can read."""
    return bool(_LOST.search(text)) or any(
        category(letter) in _NO_LETTER or assigned(ord(letter)) != ord(letter) for letter in text
    )


def assigned(code: int) -> Replacement:
    """A character that Unicode 14 assigns stays; any other becomes two letters of the Yi script, one pair for each."""
    starts, ends = _unassigned()
    index = bisect_right(starts, code) - 1
    if index < 0 or ends[index] < code:
        return code
    return chr(_YI + code // _LETTERS) + chr(_YI + code % _LETTERS)


@cache
def _unassigned() -> tuple[list[int], list[int]]:
    """The first and last numbers of the ranges that Unicode 14 does not assign."""
    ranges = files("gatekeeper.identity").joinpath("unassigned.txt").read_text("ascii").split()
    pairs = [(first, last or first) for first, _, last in (span.partition("-") for span in ranges)]
    return [int(first, 16) for first, _ in pairs], [int(last, 16) for _, last in pairs]


_ASSIGNED = Table(assigned)
