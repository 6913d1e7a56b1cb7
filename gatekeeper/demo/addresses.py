"""Names and addresses as people really write them, all invented: they stand in a send's `delivery` and nowhere else."""

from __future__ import annotations

import base64
import hashlib
import hmac
import unicodedata
from random import Random

from schemas.events import Delivery

KEY = b"a demo key, known to everybody: tokens made with it protect nobody"

SURNAMES = [
    "佐藤",
    "鈴木",
    "高橋",
    "田中",
    "伊藤",
    "渡辺",
    "山本",
    "中村",
    "小林",
    "加藤",
    "吉田",
    "山田",
    "佐々木",
    "山口",
    "松本",
    "井上",
    "木村",
    "林",
    "斎藤",
    "清水",
    "森",
    "池田",
    "橋本",
    "石川",
]
GIVEN_NAMES = [
    "陽菜",
    "結衣",
    "葵",
    "さくら",
    "美咲",
    "恵子",
    "和子",
    "幸子",
    "由美",
    "真理子",
    "翔太",
    "大輔",
    "健一",
    "誠",
    "直樹",
    "隆",
    "茂",
    "清",
    "実",
    "樹",
    "蓮",
    "湊",
    "あかり",
    "はるか",
]
HARD_NAMES = (
    "髙橋 實",  # the "ladder" form of 高
    "山﨑 碧",
    "𠮷田 一",  # outside the Basic Multilingual Plane
    "齋藤 さくら",
    "斉藤 茂樹",
    "齊藤 ひろし",
    "渡邊(旧姓 斎藤) 恵",
    "林 一",
    "ﾀﾅｶ ﾊﾅｺ",  # half-width, as an old mainframe printed it
    "ﾏﾘｱ･ｻﾝﾄｽ",
    "グエン・ティ・ラン",
    "佐々木 清 様",
)
TOWNS = (
    ("緑山県", "若葉市", "青葉町"),
    ("緑山県", "若葉市", "大字下沢字中通"),
    ("緑山県", "北緑市", "北1条西"),  # a grid of numbered streets
    ("緑山県", "泉ヶ丘市", "泉ケ丘"),
    ("緑山県", "東若葉郡みどり町", "川端"),  # before the merger of the towns
    ("水野府", "水野市", "三条通室町東入"),
    ("水野府", "水野市", "本町通二条上ル"),
    ("水野府", "霞浦市", "港"),
)
HOUSES = (
    "{a}丁目{b}番{c}号",
    "{a}-{b}-{c}",
    "{a}－{b}－{c}",  # the full-width minus is the point
    "{a}ー{b}ー{c}",  # the long-vowel mark, typed for a hyphen
    "{a}‐{b}‐{c}",
    "{b}番地",
    "{b}番地の{c}",
)
EXTRAS = ("みどりハイツ{r}号室", "コーポ若葉 {r}", "メゾン泉", "佐藤様方", "私書箱{r}号", "ｸﾞﾘｰﾝｺｰﾄ{r}")
_WIDE_DIGITS = str.maketrans("0123456789", "０１２３４５６７８９")


def invent(rng: Random) -> Delivery:
    """Returns a name and a postal address that no one has; the postcode begins with 000, which no place does."""
    name = rng.choice(HARD_NAMES) if rng.random() < 0.12 else f"{rng.choice(SURNAMES)} {rng.choice(GIVEN_NAMES)}"
    prefecture, city, town = rng.choice(TOWNS)
    house = rng.choice(HOUSES).format(a=rng.randint(1, 9), b=rng.randint(1, 40), c=rng.randint(1, 30))
    if rng.random() < 0.1:
        house = house.translate(_WIDE_DIGITS)
    lines = [f"{prefecture}{city}", f"{town}{house}"]
    if rng.random() < 0.35:
        lines.append(rng.choice(EXTRAS).format(r=rng.randint(101, 909)))
    return Delivery(name=name, postcode=f"000-{rng.randint(0, 9999):04}", lines=tuple(lines))


def token(*values: str) -> str:
    """Returns the token of a contact point: version 1, HMAC-SHA256 of the values made alike, base64url, 43 letters.

    The demo's own way of making alike, width and white space only; a real system's stands in `gatekeeper.identity`.
    """
    alike = "".join(unicodedata.normalize("NFKC", "\n".join(values)).casefold().split(" "))
    digest = hmac.digest(KEY, alike.encode(), hashlib.sha256)
    return "t1_" + base64.urlsafe_b64encode(digest).decode().rstrip("=")
