"""The product decides as an independent reading of the rules does, with the same reasons (tests/support/law)."""

from __future__ import annotations

from collections import Counter

from tests.support.law_crowd import differences

PEOPLE = 200


def test_people_of_every_kind_then_product_and_law_say_the_same() -> None:
    judged = list(differences(PEOPLE, seed=1))
    told = [(one.number, one.decision.verdict, one.law[0], *one.alone) for one in judged if not one.same]
    assert told == []
    assert min(Counter(one.law[0] for one in judged).values()) > PEOPLE / 50
    assert any(one.released and one.law[0] == "clear" for one in judged)
