"""The inquiry code: made from a decision id, read as people type it, and misreadings noticed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.audit.records import inquiry
from gatekeeper.ground.errors import UsageError

DID = "MZXW6YTBOI7AAAAAQWERTYUIOP"
DIDS = st.text(inquiry.LETTERS, min_size=26, max_size=26)


def refused(typed: str) -> str:
    """Returns the sentence by which a code is refused, which holds nothing of what was typed."""
    with pytest.raises(UsageError) as caught:
        inquiry.read(typed)
    assert not caught.value.values
    return caught.value.key


def test_decision_id_then_its_code_is_as_it_was_when_letters_were_printed() -> None:
    # printed codes must be readable for years: these two never change
    assert inquiry.make(DID) == "MZXW6-YTBOI-3"
    assert inquiry.make("A" * 26) == "AAAAA-AAAAA-A"


@given(DIDS)
def test_code_then_it_is_read_back_to_the_beginning_of_the_id(did: str) -> None:
    assert inquiry.read(inquiry.make(did)) == did[: inquiry.LENGTH]


@pytest.mark.parametrize("typed", [" MZXW6 YTBOI 3\n", "ｍｚｘｗ６ーｙｔｂｏｉー３", "MZXW6−YTB0I−3", "mzxw6_yt8o1_3"])
def test_code_as_people_type_it_then_it_is_read(typed: str) -> None:
    assert inquiry.read(typed) == DID[:10]


@given(DIDS, st.integers(0, 10), st.sampled_from(inquiry.LETTERS))
def test_one_letter_misread_then_it_is_refused(did: str, place: int, letter: str) -> None:
    code = inquiry.make(did).replace("-", "")
    other = code[:place] + letter + code[place + 1 :]
    if other != code:
        assert refused(other) == "error.inquiry_check"


@pytest.mark.parametrize("typed", ["", "AAAAA-AAAAA", "山田太郎山田太郎山田太"])
def test_what_is_no_code_then_it_is_refused_and_not_said_again(typed: str) -> None:
    assert refused(typed) == "error.inquiry_form"
