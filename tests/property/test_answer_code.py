"""The answer code under slips of the pen."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.confirmation import code as codes

CODES = st.binary(min_size=codes.ENTROPY_BYTES, max_size=codes.ENTROPY_BYTES).map(codes.new)
PLACES = st.integers(0, codes.LENGTH - 1)


@given(CODES)
def test_any_code_then_it_is_read_back_as_shown(code: str) -> None:
    assert codes.read(codes.shown(code)) == codes.read(code.lower()) == code


@given(CODES, PLACES, st.sampled_from(codes.ALPHABET))
def test_one_character_wrong_then_refused(code: str, place: int, wrong: str) -> None:
    slip = code[:place] + wrong + code[place + 1 :]
    assert codes.read(slip) == (code if slip == code else None)


@given(CODES, PLACES, PLACES)
def test_two_characters_swapped_then_refused(code: str, one: int, other: int) -> None:
    slip = list(code)
    slip[one], slip[other] = slip[other], slip[one]
    assert codes.read("".join(slip)) == (code if "".join(slip) == code else None)
