"""The further names by which a send finds stops (domain rule 8.1.37)."""

from __future__ import annotations

import pytest

from gatekeeper.identity.name import normalise_name
from gatekeeper.identity.name_forms import NEAR, SAME, name_forms


def forms(name: str) -> dict[str, int]:
    return name_forms(normalise_name(name), name)


@pytest.mark.parametrize(
    ("printed", "row", "score"),
    [
        *(("高橋 一郎", "高橋 一郎さん", SAME), ("高橋 一郎さん", "高橋 一郎", SAME)),
        *(("高橋 一郎 君", "高橋 一郎", SAME), ("高橋 隆", "高橋 隆行", NEAR)),
        *(("高橋 隆行", "高橋 隆", NEAR), ("高橋 一郎", "〓橋 一郎", NEAR)),
        *(("高橋 一郎", "高橋 一\ufffd", NEAR), ("高橋 一郎", "高橋", NEAR), ("林 誠", "林家", NEAR)),
        ("五十嵐 隆", "五十嵐御一同様", NEAR),
    ],
)
def test_a_row_then_the_printed_name_is_looked_up_by_it(printed: str, row: str, score: int | None) -> None:
    assert forms(printed).get(normalise_name(row)) == score


@pytest.mark.parametrize("name", ["林", "高橋 一郎", "久保田 真奈美", "あ" * 60, "株式会社見本商事"])
def test_any_name_then_few_further_ones_and_no_empty_one(name: str) -> None:
    found = forms(name)
    assert "" not in found
    assert normalise_name(name) not in found
    assert len(found) <= 38
