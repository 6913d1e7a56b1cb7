"""Normalisation of names: one form for all spellings of a person's name."""

from __future__ import annotations

import re

from gatekeeper.identity.letters import alike, settled

_COMPANY = re.compile(r"\((株|有)\)")
_FORMER = re.compile(r"[(\[〔【「]\s*旧姓?([^)\]〕】」]*)[)\]〕】」]?|旧姓(.*)$")
_READING = re.compile(r"[(\[〔【][ぁ-ゖァ-ヺー\s・]+[)\]〕】]")
_NOT_LETTERS = re.compile(r"[\W_]+")
_HONORIFIC = re.compile(r"(.{2,}?)(?:様|さま|サマ|殿|御中)+")
_SMALL = str.maketrans("ァィゥェォッャュョヮ", "アイウエオツヤユヨワ")
_LETTERS = re.compile(r"[一-鿿ぁ-ゖァ-ヺ ]*").fullmatch
_TREATED = re.compile(r"[旧様殿御まマァィゥェォッャュョヮ]").search
"""Letters that a step of normalising a name looks at."""


def normalise_name(text: str) -> str:
    """The name without spaces, marks, honorifics, reading or former name; "" where nothing is left.

    Small katakana become large, as old systems print them. A former name (旧姓) in brackets is left out; written alone,
    a former name counts as another name. The order of names and the script (kanji, kana, Latin) stay as written.
    Idempotent.
    """
    return person_of(alike(text))


def person_of(name: str) -> str:
    """The normalised name of a written one that `letters.alike` has brought into one form."""
    return name.replace(" ", "") if is_bare(name) else settled(_normalise, name)


def is_bare(name: str) -> bool:
    """True if a name in one form is all kanji, kana and spaces that the steps of normalising leave alone."""
    return _LETTERS(name) is not None and _TREATED(name) is None


def former_and_reading(name: str) -> tuple[str, str]:
    """The former name and the reading in a name in one form, "" without; `normalise_name` leaves both out."""
    if is_bare(name):
        return "", ""
    former = "".join(one or other for one, other in _FORMER.findall(name))
    return former, "".join(_READING.findall(_FORMER.sub("", name)))


def without_reading(name: str) -> str:
    """A name in one form without its reading, which stands behind it in brackets."""
    return _READING.sub("", name)


def _normalise(text: str) -> str:
    if "(" in text or "旧" in text or "〔" in text or "【" in text or "[" in text or "「" in text:
        text = _COMPANY.sub(lambda match: "株式会社" if match[1] == "株" else "有限会社", text)
        text = _READING.sub("", _FORMER.sub("", text))
    letters = _NOT_LETTERS.sub("", text).translate(_SMALL)
    honoured = _HONORIFIC.fullmatch(letters)
    return alike(honoured[1] if honoured else letters)
