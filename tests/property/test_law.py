"""The product decides as an independent reading of the rules does (tests/support/law)."""

from __future__ import annotations

from collections import Counter

from tests.support.law_crowd import differences

PEOPLE = 300


def test_people_of_every_kind_then_product_and_law_say_the_same() -> None:
    judged = [(number, decision.verdict, law) for number, _, decision, (law, _) in differences(PEOPLE, seed=1)]
    assert [one for one in judged if one[1] != one[2]] == []
    assert min(Counter(verdict for _, verdict, _ in judged).values()) > PEOPLE / 50
