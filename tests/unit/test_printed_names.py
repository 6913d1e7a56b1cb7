"""The names in a printed one, and the sentence about a stop of one (domain rule 8.2.44)."""

from __future__ import annotations

import pytest

from gatekeeper.identity import identify
from gatekeeper.identity.letters import alike
from gatekeeper.identity.printed_names import printed_names
from gatekeeper.identity.token import OTHERS
from schemas.events import Delivery
from tests.support import invented

KEY = {1: bytes(range(32)), 2: bytes(range(1, 33))}
HOME = "緑山県若葉市青葉町1-2-3"


@pytest.mark.parametrize(
    ("printed", "name", "nth"),
    [
        *(("高橋 一郎・花子", "高橋花子", 2), ("高橋 一郎・佐藤 恵・茂", "佐藤茂", 3)),
        *(("高橋 一郎様 佐藤 恵様", "佐藤恵", 2), ("高橋 一郎さん、恵さん", "高橋恵", 2)),
        *(("高橋一郎と花子", "高橋花子", 2), ("高橋 一郎 花子", "高橋花子", 0)),
        *(("高橋一郎 花子 茂", "高橋茂", 0), ("高橋一郎氏佐藤恵", "佐藤恵", 2)),
        *(("高橋一郎さん花子さん", "高橋花子", 2), ("高橋 一郎 妻花子", "高橋花子", 2)),
        *(("高橋 一郎ほか 佐藤 恵", "佐藤恵", 2), ("鵜沼殿介・恵", "鵜沼殿介", 1)),
        *(("高橋 花子(旧姓 佐藤)", "佐藤花子", 2), ("高橋(佐藤)花子", "佐藤花子", 2)),
        ("高橋 花子（タカハシ ハナコ）", "タカハシハナコ", 2),
        ("株式会社見本商事 田中 太郎", "田中太郎", 2),
        ("株式会社見本商事 田中 太郎", "株式会社見本商事", 1),
        *(("見本商事 株式会社 田中 太郎", "田中太郎", 2), ("株式会社見本商事田中太郎", "田中太郎", 0)),
        *(("田中太郎見本商事有限会社", "田中太郎", 0), ("見本商事 田中太郎", "田中太郎", 0)),
        ("田中 太郎(株式会社見本商事)", "田中太郎", 1),
    ],
)
def test_a_name_printed_with_others_then_it_is_read_with_its_place(printed: str, name: str, nth: int) -> None:
    places = {read.name: read.nth for read in printed_names(alike(printed)) or ()}
    assert places[name] == nth


@pytest.mark.parametrize(
    "printed",
    ["高橋 一郎", "高橋一郎 様", "我妻 恵", "氏家 恵", "John Smith", ""],
)
def test_one_name_then_no_other_is_read(printed: str) -> None:
    assert printed_names(alike(printed)) == ()


def test_more_names_than_fit_then_the_print_is_not_accounted_for() -> None:
    family = "高橋 " + "・".join(f"{one}{two}" for one in "一二三四" for two in "郎子美恵")
    found = identify(KEY, "postal", Delivery(name=family, lines=(HOME,)))
    assert found is not None
    assert not found.accounted
    assert len(found.others) == OTHERS * len(KEY)


@pytest.mark.parametrize("text", ["ab・cd・" * 33, "\ufdfa" * 200])
def test_more_words_than_names_are_read_in_then_nobody_reads_them_and_a_person_looks(text: str) -> None:
    sent = {**invented.written("cp-1"), "name": text[:200]}
    assert printed_names(alike(text)) is None
    identified = invented.TOKENS.of("postal", Delivery.model_validate(sent))
    assert identified is not None
    assert not identified.accounted


@pytest.mark.parametrize(
    ("name", "line"),
    [("高橋 一郎", "総務部"), ("高橋 一郎・花子", "営業部")],
)
def test_another_line_or_name_printed_then_it_is_another_print(name: str, line: str) -> None:
    first, other = (
        invented.TOKENS.of(
            "postal", Delivery.model_validate({"name": name, "postcode": "999-0001", "lines": [HOME, line]})
        )
        for name, line in (("高橋 一郎", "営業部"), (name, line))
    )
    assert first is not None
    assert other is not None
    assert first.is_like(first)
    assert not first.is_like(other)
