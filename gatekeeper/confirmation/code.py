"""The answer code, which a person copies from the letter to link an answer to its question.

Eleven random characters and a check character. The alphabet has no I, L, O and U; a written I, L or O is read as 1 or
0. The check character is a weighted sum over the field of 32 elements. It detects each wrong character and each
swap of two; one in 32 of other mistakes passes.
"""

from __future__ import annotations

import unicodedata

ENTROPY_BYTES = 7
"""Random bytes of a code; 55 bits are used. With a million open questions, one guess in 36,000 million hits."""
LENGTH = 12
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

_WRITTEN = str.maketrans({"O": "0", "I": "1", "L": "1", **dict.fromkeys("- ‐‑‒–—―−ー・_.")})
_POLYNOMIAL = 0b100101  # x^5 + x^2 + 1, primitive: x has 31 different powers


def new(entropy: bytes) -> str:
    """The code made from 7 random bytes, without hyphens; raises ValueError for another number of bytes."""
    if len(entropy) != ENTROPY_BYTES:
        raise ValueError(f"{ENTROPY_BYTES} bytes are needed")
    number = int.from_bytes(entropy, "big") & (1 << 55) - 1
    digits = [number >> 5 * place & 31 for place in range(LENGTH - 1)]
    return "".join(ALPHABET[digit] for digit in [*digits, _sum(digits)])


def read(written: str) -> str | None:
    """The code in a text of any case, width and grouping; None if the check fails."""
    code = unicodedata.normalize("NFKC", written).strip().upper().translate(_WRITTEN)
    digits = [ALPHABET.find(char) for char in code]
    if len(digits) != LENGTH or -1 in digits or _sum(digits[:-1]) != digits[-1]:
        return None
    return code


def shown(code: str) -> str:
    """A code in print: three groups of four, joined by hyphens."""
    return "-".join(code[start : start + 4] for start in range(0, LENGTH, 4))


def _sum(digits: list[int]) -> int:
    """The sum of the digits times x, x^2, x^3…; the check digit has the weight x^0."""
    total = 0
    for digit in reversed(digits):
        total = _times_x(total ^ digit)
    return total


def _times_x(element: int) -> int:
    element <<= 1
    return element ^ _POLYNOMIAL if element & 0b100000 else element
