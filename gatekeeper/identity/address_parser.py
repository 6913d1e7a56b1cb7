"""Parser of written addresses: place, numbers, host and postcode."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from gatekeeper.ground.cache import MEGABYTE, Cache
from gatekeeper.identity.letters import alike, settled
from gatekeeper.identity.name import normalise_name

_NUMERALS = "〇零一二三四五六七八九十百千"
_NUMERAL = re.compile(f"[{_NUMERALS}]+")
_DIGITS = {**{letter: digit for digit, letter in enumerate("〇一二三四五六七八九")}, "零": 0}
_TENS = {"十": 10, "百": 100, "千": 1000}

_POSTCODE = re.compile(r"〒?\s*([0-9]{3})-?([0-9]{4})")
_MARKED_POSTCODE = re.compile(r"〒\s*([0-9]{3})-?([0-9]{4})(?![0-9])")
_CARE = re.compile(r"([^\s\d-]{1,20}?)様方|(?<=[\d\s])(?!番|丁|号|条|線|地割|区|階)([^\s\d-]{1,20}?)方$")
_DIGIT = re.compile(r"[0-9]")
# At most nine numerals, matched from the first, so that a line of only numerals takes no longer than another.
_COUNTED = re.compile(rf"(?<![{_NUMERALS}])[{_NUMERALS}]{{1,9}}(?=丁目|番|号|条|線|地割|区|階(?![一-鿿]))")
_AFTER_COUNT = re.compile(rf"(?<=[目番地号の])[{_NUMERALS}]+(?![^\W0-9_ぁ-ヺa-z])")  # 五番地六, but 1番千代田荘
_CHAINED = re.compile(
    rf"(?:(?<![{_NUMERALS}])[{_NUMERALS}]{{1,9}}|(?<![0-9])[0-9]+)(?:[-のノ](?:[{_NUMERALS}]+|[0-9]+))+"
)
_STREET = re.compile(r"([上下])(?:ル|る|がる|ガル)|([東西南北])入(?:ル|る)")
# 丸ノ内 丸の内, 三ツ沢 三つ沢, 泉ヶ丘 泉ケ丘 泉が丘
_BETWEEN = re.compile(r"(?<=[^\W\d_ぁ-ヺ])(?:([のノ])|([つツっッ])|([ケヶがガヵカ]))(?=[^\W\d_ぁ-ヺ])")
_SPELLED = re.compile(r"[^\w-]|[_上下入字様のノつツっッケヶがガヵカ]")  # all that the four steps below may change
_SECTION = re.compile(r"(?<!文)[大小]?字")
_NOT_LETTERS = re.compile(r"(?:[^\w-]|_)+")
_FLOOR = re.compile(r"(?<=[0-9])(?:階(?![一-鿿])|f(?![a-z]))")

# The first house number; numbers of a 条, a 線, a 区, a 番町 or a 2号北 belong to the name of the place.
_HOUSE = re.compile(r"[0-9]+(?![0-9])(?!条|線|基線|地割|区|町|番[町丁街川沢堰江]|号[東西南北]|丁目[一-鿿])")
_ITEM = r"(?:[0-9]+|[a-z](?![a-z]))"
SEPARATOR = r"(?:丁目|番地|番(?!館)|号室|号棟|号|室|棟|[-のノ])"
_NEXT = re.compile(
    rf"(?:\s*{SEPARATOR})+\s*({_ITEM})"  # 1丁目2番3号, 1-2-3
    rf"|\s*((?<=[a-z])[0-9]+|(?<=[0-9])[a-z](?![a-z])|(?<=\s)[0-9]+)(?=$|\s|{SEPARATOR})"  # 101a, b101, "3 101"
)
_TOWER = re.compile(r"(?<![a-z0-9])([0-9]+|[a-z])号?棟")
_ROOM = re.compile(rf"(?<![a-z0-9])({_ITEM}(?:[-\s]*{_ITEM})*)\s*(号室|号|室)?\s*-*$")
_ITEMS = re.compile(r"[0-9]+|[a-z]")


class AddressParts(NamedTuple):
    """The normalised parts of an address; "" for a missing part."""

    place: str
    numbers: str
    """House and room, joined by `-`; the name of a building is dropped, because the numbers identify it."""
    care: str
    postcode: str
    """Seven digits."""


def read(lines: Iterable[str], postcode: str) -> AddressParts:
    """The parts of a written address; the postcode comes from its field, else from a 〒 mark on a line.

    `lines`, `postcode`: as in `Spelled`.
    """
    text = " ".join(lines)
    code = _POSTCODE.fullmatch(postcode) if postcode else None
    if "〒" in text:
        code = code or _MARKED_POSTCODE.search(text)
        text = _MARKED_POSTCODE.sub(" ", text)
    care = ""
    with_whom = _CARE.search(text) if "方" in text else None
    if with_whom and (with_whom[1] or _DIGIT.search(text, 0, with_whom.start())):  # 枚方 and 北方 are towns
        care = normalise_name(with_whom[1] or with_whom[2])[-20:]  # 株式会社 is longer than the ㈱ it was found as
        text = f"{text[: with_whom.start()]} {text[with_whom.end() :]}"
    place, numbers = parts = _split(text)
    # until parsing the parts again gives the same parts
    for _ in range(0 if numbers and _ends(place) else 64):
        place, numbers = _split(place + numbers)
        if (place, numbers) == parts:
            break
        parts = (place, numbers)
    return AddressParts(place, numbers, care, code[1] + code[2] if code else "")


_ends: Cache[str, bool] = Cache(
    16 * MEGABYTE, lambda place: _split(f"{place}1") == (place, "1"), lambda place, _: 200 + 4 * len(place)
)
"""True if a place ends where a house number begins that is written behind it, whatever the number."""


def _split(text: str) -> tuple[str, str]:
    """The place and the numbers of an address."""
    text = counted(text)
    first = house(text)
    if first is None:
        return squeezed(text), ""
    numbers, end = chain(text, first)
    place = squeezed(text[: first.start()]).removesuffix("第").rstrip("-")
    return place, "-".join(item.lstrip("0") or "0" for item in (*numbers, *_inside(text[end:])))


def counted(text: str) -> str:
    """`text` with kanji numerals of counts as digits, and each floor as `-f`."""
    return _FLOOR.sub("-f", one_form(text))


def house(text: str) -> re.Match[str] | None:
    """The first house number of a `counted` text."""
    return _HOUSE.search(text)


def chain(text: str, house: re.Match[str]) -> tuple[list[str], int]:
    """The consecutive numbers from the first house number on, and where they end."""
    items, end = [house[0]], house.end()
    while match := _NEXT.match(text, end):
        items.append(match[1] or match[2])
        end = match.end()
    return items, end


def one_form(text: str) -> str:
    """`text` with kanji numerals of counts as digits.

    White space stays, so that neighbouring numbers do not run together.
    """
    if not _NUMERAL.search(text):
        return text
    text = _AFTER_COUNT.sub(_digits, _COUNTED.sub(_digits, text))
    return _CHAINED.sub(lambda chain: _NUMERAL.sub(_digits, chain[0]), text)


def squeezed(text: str) -> str:
    """The name of a place without white space, marks, 大字 and 字. It has one spelling of の, ツ and ケ."""
    return _places(text)


def _squeezed(text: str) -> str:
    if not _SPELLED.search(text):
        return alike(text)
    text = _STREET.sub(lambda match: f"{match[1]}ル" if match[1] else f"{match[2]}入", _NOT_LETTERS.sub("", text))
    text = _SECTION.sub("", text).replace("様方", "")  # a 様方 without a name: `read` has taken the others
    return alike(_BETWEEN.sub(lambda match: "の" if match[1] else "ツ" if match[2] else "ケ", text))


_places: Cache[str, str] = Cache(
    16 * MEGABYTE, lambda text: settled(_squeezed, text), lambda text, _: 400 + 4 * len(text)
)


def _inside(rest: str) -> list[str]:
    """The tower and the room after the name of a building; a number inside the name does not count."""
    rest = rest.strip()
    room = _ROOM.search(rest)
    if room and not (room[2] or len(room[1]) > 2 or rest[: room.start()][-1:] in ("", " ", "-")):
        room = None
    towers = [tower[1] for tower in _TOWER.finditer(rest, 0, room.start() if room else len(rest))]
    return towers + (_ITEMS.findall(room[1]) if room else [])


def _digits(numeral: re.Match[str]) -> str:
    """A kanji numeral as digits, positional (一〇三) or with units (百三)."""
    letters = numeral[0]
    if not any(letter in _TENS for letter in letters):
        return "".join(str(_DIGITS[letter]) for letter in letters)
    total = digit = 0
    for letter in letters:
        if letter in _TENS:
            total += (digit or 1) * _TENS[letter]
            digit = 0
        else:
            digit = digit * 10 + _DIGITS[letter]
    return str(total + digit)
