"""The inquiry code, a short form of the decision id. A person reads it from a letter to ask why it came."""

from __future__ import annotations

import re
import unicodedata

from gatekeeper.ground.errors import UsageError

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
LENGTH = 10
"""Letters of a decision id in its code: 50 bits, which few decisions share."""
_MEANT = str.maketrans("018", "OIB")
"""Digits that no code contains, with the letters that they resemble."""
_BETWEEN = re.compile(r"[\s\u00ad\u2010-\u2015\u2212\u30fc\uff70_.-]+")


def make(did: str) -> str:
    """The code of a decision as it is printed, `ABCDE-FGHIJ-2`: the last letter checks the others."""
    code = did[:LENGTH]
    return f"{code[:5]}-{code[5:]}-{_check(code)}"


def read(text: str) -> str:
    """The first ten letters of the decision id, from a typed code.

    Small letters, full-width letters, other dashes and no dashes are accepted. Raises UsageError (2) if the text is no
    code, or if the check letter shows a misread letter. The error does not repeat the input, which may be anything.
    """
    plain = _BETWEEN.sub("", unicodedata.normalize("NFKC", text)).upper().translate(_MEANT)
    if len(plain) != LENGTH + 1 or not set(plain) <= set(LETTERS):
        raise UsageError("error.inquiry_form")
    if plain[-1] != _check(plain[:-1]):
        raise UsageError("error.inquiry_check")
    return plain[:-1]


def _check(code: str) -> str:
    """Luhn's check letter over 32 letters. It shows any single misread letter and nearly every swap of neighbours."""
    total = 0
    for index, letter in enumerate(reversed(code)):
        value = LETTERS.index(letter)
        if index % 2 == 0:
            value = value * 2 // 32 + value * 2 % 32
        total += value
    return LETTERS[-total % 32]
