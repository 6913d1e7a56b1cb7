"""Normalisation of letters: one form for all widths, script variants and dashes."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any
from unicodedata import normalize

from joyokanji import convert

from gatekeeper.identity.characters import Replacement, Table, assigned, replacing

HIRAGANA = {katakana: katakana - 0x60 for katakana in range(0x30A1, 0x30F7)}
"""Table for `str.translate` from katakana to hiragana."""

_DASHES = "\u02d7\u2010\u2011\u2012\u2013\u2014\u2015\u2043\u2212\u2500\u2501\ufe58\ufe63"
_INVISIBLE = [0xAD, 0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF, *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)]
_SPACED_MARKS = {0x309B: "\u3099", 0x309C: "\u309a"}  # NFKC would put a space before these two
_TO_ONE_FORM: dict[int, str | None] = {**dict.fromkeys(_INVISIBLE), **dict.fromkeys(map(ord, _DASHES), "-")}

# A dash after kana is a long vowel, unless a number or a Latin letter follows: コ－ポ, but ハイツー101.
_LONG_VOWEL = re.compile(r"(?<=[ぁ-ゖァ-ヺ])[-ー]+(?![-ー0-9a-z])")
_DASH = re.compile(r"(?<![ぁ-ゖァ-ヺー])ー+|ー+(?=[-0-9a-z])")
_AGAIN = re.compile(r"([\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff])々")


def settled(step: Callable[[str], str], text: str) -> str:
    """`text` after `step` is applied until nothing changes, at most 64 times, so that the result is a fixed point.

    Real spellings need one round and a check; the bound protects against hostile text.
    """
    for _ in range(64):
        again = step(text)
        if again == text:
            return text
        text = again
    return text


def alike(text: str) -> str:
    """`text` in one form: NFKC, lower case, modern kanji, one dash, one long vowel mark, no invisible letters.

    White space and punctuation stay. Idempotent.
    """
    plain = _plain()
    for _ in range(64):
        if plain(text):
            return text
        again = _alike(text)
        if again == text:
            return text
        text = again
    return text


def _alike(text: str) -> str:
    folded = normalize("NFKC", normalize("NFKC", text.translate(_FIRST)).casefold()).translate(_one_form())
    if "々" in folded:
        folded = _AGAIN.sub(r"\1\1", folded)
    if "-" in folded or "ー" in folded:
        folded = _DASH.sub("-", _LONG_VOWEL.sub("ー", folded))
    return folded


@cache
def _plain() -> Callable[[str], object]:
    """Matches a text of letters that `_alike` leaves as they are, wherever they stand; most texts are such."""
    changed = _changed()
    kanji = (letter for letter in map(chr, range(0x4E00, 0xA000)) if ord(letter) not in changed)
    same = "".join(
        letter for letter in kanji if normalize("NFKC", letter) == letter and assigned(ord(letter)) == ord(letter)
    )
    kana, dashes = "ぁ-ゖァ-ヺ", "-ー0-9a-z"
    alone = rf"[{same}0-9a-z \n!-,./:-@\[-`{{-~]"
    kept = rf"[{kana}](?![-ー])|[{kana}]ー(?![{dashes}])|(?<![{kana}ー])-"
    return re.compile(rf"(?:{alone}+|{kept})*+").fullmatch


@cache
def _one_form() -> Table:
    return replacing(_changed())


@cache
def _changed() -> Mapping[int, Replacement]:
    """The characters that have another form, from joyokanji's old forms (旧字体) and our own."""
    olds = map(chr, range(0x4E00, 0xA000))
    table: dict[int, Replacement] = {**_TO_ONE_FORM, **{ord(old): new for old in olds if (new := convert(old)) != old}}
    for new, others in _kanji()["same"].items():
        table.update((ord(other), convert(new)) for other in others)
    return table


_FIRST = Table(lambda code: _SPACED_MARKS.get(code) or assigned(code))


@cache
def similar() -> Mapping[str, str]:
    """Characters often confused with each other: each maps to the others of its group."""
    groups: list[str] = _kanji()["similar"]["groups"]
    return {letter: group.replace(letter, "") for group in groups for letter in group}


@cache
def _kanji() -> dict[str, Any]:
    return tomllib.loads(files("gatekeeper.identity").joinpath("kanji.toml").read_text("utf-8"))
