"""The answer code under slips of the pen."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.confirmation import code as codes

CODES = st.binary(min_size=codes.ENTROPY_BYTES, max_size=codes.ENTROPY_BYTES).map(codes.new)
PLACES = st.integers(0, codes.LENGTH - 1)


@given(CODES, PLACES, st.sampled_from(codes.ALPHABET))
def test_one_character_wrong_then_refused(code: str, place: int, wrong: str) -> None:
    slip = code[:place] + wrong + code[place + 1 :]
    assert codes.read(slip) == (code if slip == code else None)
