"""Normalising any spelling is idempotent (P9); width and dash mean nothing, names and numbers do."""

from __future__ import annotations

from collections.abc import Iterable
from unicodedata import normalize

from hypothesis import assume, example, given
from hypothesis import strategies as st

from gatekeeper import identity
from gatekeeper.identity.address_parser import counted, squeezed
from gatekeeper.identity.letters import alike
from gatekeeper.identity.name import normalise_name
from schemas.events import Delivery

WORDS = """
    東京都 渋谷区 神宮前 京都市 中京区 亀屋町 御池通 上る 下ル 東入ル 札幌市 中央区 北一条西 府中市 清水市 草薙 緑山県
    若葉市 大字 字 下沢 泉ヶ丘 丸ノ内 一番町 丁目 番地 番 号 号室 棟 階 F B 様方 方 様 殿 御中 さま 佐藤 髙橋
    ( ) 「 」 （ ） 々 ー - － ‐ ― の ノ 一 二 十 百 〇 1 2 3 10 101 ００ ａ ｱ ﾊﾟ ゛ ﾞ ッ ヤ ャ ㈱ ・ 〒 150-0001
    齋藤 𠮷田 旧姓 私書箱 第 みどりハイツ ｸﾞﾘｰﾝ 林 誠 | _
    """.split()  # noqa: SIM905 (a list of these would be a page)
PIECES = st.lists(st.sampled_from([*WORDS, " ", "\u3000"]), max_size=14).map("".join)
ANY = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=24)
TEXT = st.one_of(PIECES, ANY)
CODES = st.sampled_from([None, "150-0001", "6040941", "424-0886", "060-0001", "000-0001", "514-1101", "x"])

NAMES = st.lists(st.sampled_from("佐藤鈴木高橋田中伊渡辺恵子美誠直樹茂清実"), min_size=2, max_size=5).map("".join)
NUMBERS = st.lists(st.integers(1, 999), min_size=1, max_size=4)
TOWNS = st.sampled_from(
    ["東京都渋谷区神宮前", "北海道札幌市中央区北1条西", "緑山県若葉市青葉町", "京都府京都市中京区亀屋町"]
)
KANJI = str.maketrans("0123456789", "〇一二三四五六七八九")
WIDE = str.maketrans("0123456789", "０１２３４５６７８９")


def at(name: str, *lines: str, postcode: str | None = None) -> str:
    return identity.normalise_postal(Delivery(name=name, postcode=postcode, lines=lines))


@given(TEXT)
@example("様" * 40)
@example("ー" * 5 + "1")
@example("か゛ー々")
@example("一" * 200)
def test_any_text_normalised_twice_then_it_is_as_once(text: str) -> None:
    more = (identity.normalise_name, identity.normalise_email, identity.normalise_phone)
    for normalise in (alike, squeezed, *more):
        once = normalise(text)
        assert normalise(once) == once


@given(NAMES, TOWNS, NUMBERS)
def test_ways_to_write_one_address_then_they_meet(name: str, town: str, numbers: list[int]) -> None:
    chain = "-".join(map(str, numbers))
    counted = "".join(f"{n}{unit}" for n, unit in zip(numbers, ("丁目", "番", "号", "号室"), strict=False))
    value = at(name, town + chain)
    assert value.split("|")[3] == chain
    for written in (
        chain.translate(WIDE),
        chain.replace("-", "－").translate(WIDE),
        chain.replace("-", "ー"),
        chain.replace("-", "の"),
        counted,
        counted.translate(KANJI),
        f" {chain}号",
    ):
        assert at(f"{name} 様", town, written) == value
        assert at(name, normalize("NFD", town + written)) == value


@given(NAMES, NAMES, TOWNS, NUMBERS, NUMBERS)
def test_other_names_or_numbers_then_they_do_not_meet(
    name: str, other: str, town: str, numbers: list[int], others: list[int]
) -> None:
    here = at(name, town + "-".join(map(str, numbers)))
    assert (at(other, town + "-".join(map(str, numbers))) == here) == (other == name)
    assert (at(name, town + "-".join(map(str, others))) == here) == (others == numbers)


HOMES = st.builds(
    lambda town, numbers, building, host: [town + "-".join(map(str, numbers)), *filter(None, (building + host,))],
    TOWNS,
    st.lists(st.integers(1, 999), min_size=2, max_size=3),
    st.sampled_from(["", "みどりハイツ101 ", "コーポ若葉 ", "みどり団地B棟401号室 "]),
    st.sampled_from(["", "佐藤様方", "みどり商店気付"]),
)
BESIDE = st.sampled_from(
    ["〒530-0001", "大阪府大阪市北区梅田", "転送先", "旧住所", "神南4-5-6", "佐藤恵様", "佐藤恵", "見本在中"]
)


def printed(name: str, lines: list[str]) -> Delivery:
    return Delivery.model_construct(name=name, postcode=None, lines=tuple(lines), email=None, phone=None)


@given(TEXT, CODES, st.lists(TEXT, max_size=3))
def test_any_delivery_then_every_printed_character_is_in_one_piece(
    name: str, postcode: str | None, lines: list[str]
) -> None:
    one = Delivery.model_construct(name=name, postcode=postcode, lines=tuple(lines), email=None, phone=None)
    whole = counted("\n".join(filter(None, (alike(line).strip() for line in lines))))
    found = identity.pieces(one)
    assert letters(piece.text for piece in found) == letters((whole, alike(name), alike(postcode or "")))


def letters(texts: Iterable[str]) -> list[str]:
    return sorted("".join("".join(texts).split()))


@given(NAMES, HOMES, BESIDE, st.integers(0, 3))
def test_one_name_and_address_then_all_is_accounted_for_and_other_print_is_not(
    name: str, lines: list[str], more: str, place: int
) -> None:
    assert identity.accounted(identity.pieces(printed(name, lines)))
    assume(normalise_name(more) != normalise_name(name))
    value = identity.normalise_postal(printed(name, lines))
    for beside in (
        printed(name, [*lines[:place], more, *lines[place:]]),
        printed(name, [*lines[:-1], f"{lines[-1]} {more}"]),
        printed(f"{name} 旧姓 {more}", lines),
    ):
        assert not identity.accounted(identity.pieces(beside)) or identity.normalise_postal(beside) != value, beside


WORDS = st.sampled_from(
    ["至急開封マンション", "重要なお知らせ荘", "山田様方", "みどりハイツ", "緑山ビル", "田中商店気付"]
)
NUMBER = st.sampled_from(["", "101", "101号室", "B棟", "3階", "A-101", "第2"])
KEY = {1: bytes(range(32))}


def known(name: str, lines: list[str]) -> identity.Identified:
    found = identity.identify(KEY, "postal", printed(name, lines))
    assert found is not None
    return found


def named_by(*sources: identity.Identified) -> frozenset[str]:
    return frozenset(token for source in sources for each in source.beside for token in each)


@given(NAMES, TOWNS, NUMBERS, WORDS, NUMBER, NUMBER)
def test_free_text_then_it_is_accounted_for_only_where_a_source_gives_it(
    name: str, town: str, numbers: list[int], words: str, number: str, other: str
) -> None:
    home = town + "-".join(map(str, numbers))
    is_host = words.endswith(("様方", "気付"))
    text, another = (words if is_host else f"{words}{room}" for room in (number, other))
    sent, bare, same = (known(name, [home, *more]) for more in ([text], [], [another]))
    assume(sent.accounted)
    assert sent.beside
    assert not sent.by(named_by(bare)).accounted
    assert not sent.by(named_by(known("別名太郎", [home, text]))).accounted
    assert not sent.by(named_by(known(name, ["大阪府大阪市北区梅田9-9", text]))).accounted
    assert sent.by(named_by(sent)).accounted
    assert sent.by(named_by(bare, same)).accounted, "numbers need no source for a name"
    assert bare.by(named_by()).accounted
