"""Invented names and addresses, spelled as people really write them; only a send's `delivery` contains them.

The towns are real, because a stop's row needs a place of the postal table. No house has such a number there, and
postcodes that begin with 000 are nobody's. None of the named people lives there.
"""

from __future__ import annotations

import hashlib
from random import Random
from typing import NamedTuple

from schemas.events import Delivery

KEY = hashlib.sha256(b"a demo key, known to everybody: tokens made with it protect nobody").digest()

SURNAMES = (
    "佐藤", "鈴木", "高橋", "田中", "伊藤", "渡辺", "山本", "中村", "小林", "加藤", "吉田", "山田",
    "佐々木", "山口", "松本", "井上", "木村", "林", "斎藤", "清水", "森", "池田", "橋本", "石川",
)  # fmt: skip
GIVEN_NAMES = (
    "陽菜", "結衣", "葵", "さくら", "美咲", "恵子", "和子", "幸子", "由美", "真理子", "翔太", "大輔",
    "健一", "誠", "直樹", "隆", "茂", "清", "実", "樹", "蓮", "湊", "あかり", "はるか",
)  # fmt: skip
HARD_NAMES = (
    ("髙橋 實", "高橋 実"),  # the "ladder" form of 高
    ("山﨑 碧", "山崎 碧"),
    ("𠮷田 一", "吉田 一"),  # outside the Basic Multilingual Plane
    ("齋藤 さくら", "斎藤 さくら"),
    ("斉藤 茂樹", "齊藤 茂樹"),
    ("渡邊 恵(旧姓 斎藤)", "渡辺 恵"),
    ("林 一", "林　一"),
    ("ﾀﾅｶ ﾊﾅｺ", "タナカ ハナコ"),  # half-width, as an old mainframe printed it
    ("ﾏﾘｱ･ｻﾝﾄｽ", "マリア・サントス"),
    ("グエン・ティ・ラン", "グエン ティ ラン"),
    ("佐々木 清 様", "佐々木 清"),
)
"""Names that are hard to match, each with another spelling."""
_OLD = str.maketrans("高吉斎渡辺実恵", "髙𠮷齋渡邊實惠")

PLACES: tuple[tuple[str, tuple[str, ...], str], ...] = (
    # postcode ("": an invented one), city/town in each of its spellings, kind of number
    ("", ("東京都東村山市/青葉町",), "block"),
    ("", ("埼玉県川越市/大字下赤坂字中通", "埼玉県川越市/下赤坂中通"), "lot"),
    ("", ("北海道岩見沢市/北1条西", "北海道岩見沢市/北一条西"), "block"),  # a grid of numbered streets
    ("", ("茨城県龍ヶ崎市/松ケ丘", "茨城県龍ケ崎市/松が丘"), "block"),
    ("", ("埼玉県比企郡小川町/腰越",), "lot"),
    ("", ("京都府亀岡市/本町通二条上ル", "京都府亀岡市/本町通二条上る"), "lot"),
    ("", ("大阪府岸和田市/港緑町",), "block"),
    ("060-0001", ("北海道札幌市中央区/北1条西", "札幌市中央区/北一条西"), "block"),
    ("604-0941", ("京都府京都市中京区/御幸町通御池上ル亀屋町", "京都市中京区/御幸町通御池上る亀屋町"), "lot"),
    ("424-0886", ("静岡県静岡市清水区/草薙", "静岡県清水市/草薙"), "lot"),  # before the merger
    ("514-1101", ("三重県津市/久居明神町", "三重県久居市/明神町"), "lot"),
    ("150-0002", ("東京都渋谷区/渋谷郵便局私書箱",), "box"),
)
WEIGHTS = (16, 12, 12, 12, 12, 8, 16, 3, 3, 2, 2, 2)
NUMBERS = {
    "block": ("{a}丁目{b}番{c}号", "{a}-{b}-{c}", "{a}－{b}－{c}", "{a}ー{b}ー{c}", "{a}‐{b}‐{c}"),
    "lot": ("{b}番地{c}", "{b}番地の{c}", "{b}-{c}", "{b}－{c}"),
    "box": ("第{b}号", "{b}号"),
}
"""Spellings of house numbers by kind; they test the full-width minus and the long-vowel mark typed for a hyphen."""
EXTRAS = (
    ("みどりハイツ{r}号室", "みどりハイツ {r}", "ﾐﾄﾞﾘﾊｲﾂ{r}"),
    ("コーポ若葉 {r}", "コーポ若葉{r}号室", "コーポ若葉-{r}"),
    ("メゾン泉", "ﾒｿﾞﾝ泉"),
    ("佐藤様方", "佐藤方"),
)
NO_HOUSE = 900
"""Added to the number of a block or lot, so that there is no such house."""
_WIDE_DIGITS = str.maketrans("0123456789", "０１２３４５６７８９")
_KANJI_DIGITS = "〇一二三四五六七八九"


class Address(NamedTuple):
    """Person at an address, with all spellings that mean the same."""

    names: tuple[str, ...]
    postcode: str
    towns: tuple[str, ...]
    kind: str
    numbers: tuple[int, int, int]
    extra: tuple[str, ...] = ()
    room: int = 0

    def written(self, rng: Random | None = None) -> Delivery:
        """The address in its first spelling, or with `rng` in a random one."""
        name, town, house = self.names[0], self.towns[0], NUMBERS[self.kind][0]
        extra = self.extra[0] if self.extra else ""
        first = str(self.numbers[0])
        if rng:
            name = rng.choice((*self.names, f"{self.names[-1]} 様", self.names[-1].replace(" ", "").translate(_OLD)))
            town, house = rng.choice(self.towns), rng.choice(NUMBERS[self.kind])
            extra = rng.choice(self.extra) if self.extra else ""
            first = _KANJI_DIGITS[self.numbers[0]] if "丁目" in house and rng.random() < 0.5 else first
        a, b, c = first, *self.numbers[1:]
        city, _, rest = town.partition("/")
        house = house.format(a=a, b=b, c=c)
        if rng and rng.random() < 0.3:
            house = house.translate(_WIDE_DIGITS)
        lines = [city, f"{rest}{house}", *([extra.format(r=self.room)] if extra else [])]
        if rng and rng.random() < 0.3:
            lines = [f"{city}{rest}{house}", *lines[2:]]
        return Delivery(name=name, postcode=self.postcode, lines=tuple(lines))

    def mistaken(self, rng: Random) -> Delivery:
        """The address as a faulty mail merge prints it: another house number, no room, or another postcode."""
        luck = rng.random()
        if luck < 0.4:
            a, b, c = self.numbers
            return self._replace(numbers=(a, b + 1, c)).written()
        if luck < 0.7 and self.room:
            return self._replace(extra=(), room=0).written()
        return self._replace(postcode=_postcode(rng)).written()


def names_of(name: str) -> tuple[str, ...]:
    """A name with its other spellings."""
    return next((names for names in HARD_NAMES if name in names), (name,))


def mailbox(number: int) -> Delivery:
    """A mailbox; some contain dots that RFC 5322 forbids but a mobile carrier once allowed."""
    local = {0: f"p{number}..x", 1: f"p{number}."}.get(number % 40, f"p{number}")
    return Delivery(email=f"{local}@{'docomo' if number % 40 < 2 else 'mail'}.example")


def invent(rng: Random) -> Address:
    """An invented name and postal address; an invented postcode begins with 000."""
    names = rng.choice(HARD_NAMES) if rng.random() < 0.12 else (f"{rng.choice(SURNAMES)} {rng.choice(GIVEN_NAMES)}",)
    postcode, towns, kind = rng.choices(PLACES, WEIGHTS)[0]
    numbers = (rng.randint(1, 9), rng.randint(1, 40) + NO_HOUSE, rng.randint(1, 30))
    extra: tuple[str, ...] = rng.choice(EXTRAS) if rng.random() < 0.35 and kind != "box" else ()
    room = rng.randint(101, 909) if extra and "{r}" in extra[0] else 0
    return Address(names, postcode or _postcode(rng), towns, kind, numbers, extra, room)


def _postcode(rng: Random) -> str:
    return f"000-{rng.randint(0, 9999):04}"
