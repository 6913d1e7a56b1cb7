"""The answer code: what a person copies from the letter, so that an answer finds its question.

Eleven random characters and a check character. The alphabet has no I, L, O and U; who writes them is understood.
The check is a sum over the field of 32 elements in which every place has a weight of its own: one wrong character
and two that changed places never pass, and of other slips one in 32 does.
"""

from __future__ import annotations

import unicodedata

ENTROPY_BYTES = 7
"""55 bits of them are used: a million open questions, and a guess finds one of them once in 36,000 million times."""
LENGTH = 12
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

_WRITTEN = str.maketrans({"O": "0", "I": "1", "L": "1", **dict.fromkeys("- ‐‑‒–—―−ー・_.")})
_POLYNOMIAL = 0b100101  # x^5 + x^2 + 1, primitive: x has 31 different powers


def new(entropy: bytes) -> str:
    """The code made of 7 random bytes, without the hyphens that it is shown with."""
    if len(entropy) != ENTROPY_BYTES:
        raise ValueError(f"{ENTROPY_BYTES} bytes are needed")
    number = int.from_bytes(entropy, "big") & (1 << 55) - 1
    digits = [number >> 5 * place & 31 for place in range(LENGTH - 1)]
    return "".join(ALPHABET[digit] for digit in [*digits, _sum(digits)])


def read(written: str) -> str | None:
    """The code that somebody wrote in whatever case, width and grouping; None where the check fails."""
    found = unicodedata.normalize("NFKC", written).strip().upper().translate(_WRITTEN)
    digits = [ALPHABET.find(char) for char in found]
    if len(digits) != LENGTH or -1 in digits or _sum(digits[:-1]) != digits[-1]:
        return None
    return found


def shown(code: str) -> str:
    """A code as it is printed: in three groups of four."""
    return "-".join(code[start : start + 4] for start in range(0, LENGTH, 4))


def _sum(digits: list[int]) -> int:
    """The sum of the digits times x, x^2, x^3…; the check itself stands for x^0."""
    total = 0
    for digit in reversed(digits):
        total = _times_x(total ^ digit)
    return total


def _times_x(element: int) -> int:
    element <<= 1
    return element ^ _POLYNOMIAL if element & 0b100000 else element
