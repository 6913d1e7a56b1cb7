"""The pieces of a printed name and address: each character belongs to one of them (domain rule 7.4.19)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from gatekeeper.ground.cache import MEGABYTE, Cache
from gatekeeper.identity import address_parser, places
from gatekeeper.identity.name import is_bare, normalise_name
from gatekeeper.identity.normalised import Spelled
from schemas.events import Delivery

Kind = Literal["postcode", "place", "house", "building", "host", "name", "further"]

BUILDING = 60
"""Characters of building and room, at most, without white space."""
_READING = 20  # letters of the readings in brackets behind a name, at most
_PLACE = 60
_ITEMS = 5  # chome, block, house, tower, room
_STREETS = 25

_FIELD = re.compile(r"〒?\s*(?:([0-9]{3})-?([0-9]{4})|(?![0-9]{8})[a-z0-9 -]{3,10})")  # another country's has letters
_POSTCODE = re.compile(r"〒\s*([0-9]{3})-?([0-9]{4})(?![0-9])|(?<!\S)([0-9]{3})-([0-9]{4})(?![-0-9])")
PREFECTURE = re.compile(r"東京都|北海道|京都府|大阪府|[^\W\d_]{2,3}?県")
_FIRST = re.compile(rf"(?<!\S)(?:{PREFECTURE.pattern})")
_HOST = re.compile(r"(?:(?<!\S)[^\s\d-]{1,10} )?[^\s\d-]{1,30}\s*(?:様方|気付)\s*$|(?<=[\d\s])[^\s\d-]{1,20}方\s*$")
_NO_PART = re.compile(
    r"転送|回送|転居|移転|[旧前新元]住所|旧姓|気付|[様宛@〒]|御中|(?:殿|さま|サマ|さん|行)(?!\S)|tel|電話"
)
_NUMBERED = re.compile(r"[0-9]\s*(?:丁目|番地|番(?!館|街))|[0-9]+-[0-9]+-[0-9]+")
_KYOTO = re.compile(r"(?:京都府)?京都市.{1,3}?区.{1,10}通.{0,10}")
_MERGED = re.compile(r"(?:[^\W\d_]{1,3}?[都道府県])?(?:[^\W\d_]{1,6}?[市区町村郡]){0,3}")
_WORDS = re.compile(r"\w")
_AGAIN = re.compile(rf"\s(?:{_NUMBERED.pattern})")
_MUNICIPALITY = re.compile(r"[^\W\d_]{1,6}?(?:[市郡](?!営)|[^\W\d_]区(?!役))[^\W\d_]{1,10}?[0-9]")
_ROOM = re.compile(r"(?:[0-9]|(?<![a-z])[a-z]|号室|号|室|棟|階|-f)$")
APARTMENTS = (
    "ビル|ビルディング|ハイツ|マンション|荘|コーポ|コーポラス|アパート|ハイム|メゾン|パレス|レジデンス|コート|ハウス|寮"
    "|団地|住宅|社宅|宿舎|タワー|ヒルズ|プラザ|カーサ|ヴィラ|ビラ|シャトー|ドミール"
)
"""The ends of names of houses. No part of a town ends so, but for a few."""
BUILDING_WORD = f"{APARTMENTS}|館|棟|センター|店|院|校|園|所|会館|苑"
_LETTER = "[^\\W\\d_a-z号室階棟館]"
_BEHIND_ROOM = re.compile(
    rf"(?:[0-9]{{3,}}|[0-9]号?室)(?:\s+{_LETTER}|(?!{BUILDING_WORD}){_LETTER}{{2,}})|[0-9]\s+{_LETTER}{{2,}}$"
)
_NAMED = re.compile(
    rf"(?:{BUILDING_WORD})[^\W\d_]{{0,6}}[0-9a-z]{{0,3}}|[^\W_]{{0,30}}(?:{BUILDING_WORD})[0-9a-z]{{0,3}}"
)
_BEFORE = re.compile(rf"(?<!\S)[一-鿿]{{1,6}}\s+[^\W\d_]{{2,}}(?:{BUILDING_WORD})")  # 佐藤恵 みどりハイツ
_BUILDINGS = re.compile(r"\s*\n\s*(?![0-9]|[a-z]-?[0-9]|[a-z]棟)")  # lines, the room with its building
_STREET = re.compile(r"京都市.{1,3}?区(.*)(?:[上下][ルるが]|[東西南北]入)")
_OLD_NAME = re.compile(
    r"[(\[〔【「]\s*旧姓?[:\s]*([^\W\d_ー]{1,10}|[^\W\d_]{1,10})\s*[)\]〕】」]\s*(?:様|さま|サマ|殿)?\s*$"
)
_NO_NAME = re.compile(r"転送|回送|[旧前新元]住所|気付|様方")
_CUT = re.compile(r"\s(?=\S)")
_SEPARATED = re.compile(rf"^(?:\s*{address_parser.SEPARATOR})+")
_KANA = re.compile(r"[(\[〔【]([ぁ-ゖァ-ヺー\s・]+)[)\]〕】]")


class Piece(NamedTuple):
    """A part of the lines, or of the name, in one form (`letters.alike`, digits for numerals). `further`: no part."""

    kind: Kind
    text: str


def pieces(delivery: Delivery) -> tuple[Piece, ...]:
    """Postcode, lines and name of `delivery` in pieces, which hold each of their characters once.

    A piece is `further` if it is no postcode, place, house number, building with room, host (様方, 気付) or name.
    """
    return pieces_of(Spelled.of(delivery))


def pieces_of(spelled: Spelled) -> tuple[Piece, ...]:
    """The same of texts that are in one form already."""
    field: tuple[Piece, ...] = ()
    match = None
    if spelled.postcode:
        match = _FIELD.fullmatch(spelled.postcode)
        field = (Piece("postcode" if match else "further", spelled.postcode),)
    code = "".join(filter(None, match.groups())) if match else ""
    return (
        *field,
        *_of_lines(address_parser.counted("\n".join(spelled.lines)), code, spelled.person),
        *_of_name(spelled.name),
    )


def accounted(found: Iterable[Piece]) -> bool:
    """True if all that is printed is part of one name and one address (domain rule 7.4.19)."""
    return "further" not in [piece.kind for piece in found]


def _of_lines(text: str, code: str, addressee: str) -> Iterator[Piece]:
    """The pieces of the lines: postcodes, then the place, house, building, host and name, in this order.

    `code`: the digits of the postcode in its own field, "" without. `addressee`: the normalised name.
    """
    first, _, others = text.partition("\n")
    if addressee and others and _is_name(first, addressee):
        yield Piece("name", first)
        text = others
    body = text
    for match in _POSTCODE.finditer(text):
        digits = "".join(filter(None, match.groups()))
        code = code or digits
        yield Piece("postcode" if digits == code else "further", match[0])
        body = body[: match.start()] + " " * len(match[0]) + body[match.end() :]
    house = address_parser.house(body)
    if house is None:
        rest, host = _host(body)
        yield from _placed(rest, code)
        yield from host
        return
    items, end = address_parser.chain(body, house)
    place, numbers, rest = body[: house.start()], body[house.start() : end], body[end:]
    yield from _placed(place, code)
    second = _AGAIN.search(numbers)
    cut = second.start() if second else len(numbers)
    yield Piece("house" if second or len(items) <= _ITEMS else "further", numbers[:cut])
    if second:
        yield Piece("further", numbers[cut:] + rest)
        return
    rest, name = _name_behind(rest, addressee)
    rest, host = _host(rest)
    yield from (*_buildings(rest), *host, *name)


def _is_name(text: str, name: str) -> bool:
    """True if `text` is the normalised `name`. Normalising makes no kanji that does not stand in the text."""
    return (name[:1] < "一" or name[:1] > "鿿" or name[0] in text) and normalise_name(text) == name


def _host(rest: str) -> tuple[str, tuple[Piece, ...]]:
    """The text without the host at its end, and the host."""
    match = _HOST.search(rest) if "方" in rest or "気付" in rest else None
    if match is None:
        return rest, ()
    kind: Kind = "host" if _is_plain(host_of(match[0])) else "further"
    return rest[: match.start()], (Piece(kind, match[0]),)


def host_of(piece: str) -> str:
    """The name of the host in a piece that ends in 様方, 方 or 気付."""
    return re.sub(r"様?方\s*$|気付\s*$", "", piece)


def _name_behind(rest: str, name: str) -> tuple[str, tuple[Piece, ...]]:
    """The text without the person's own name at its end, and that name."""
    for cut in _CUT.finditer(rest):
        if _is_name(rest[cut.end() :], name):
            return rest[: cut.start()], (Piece("name", rest[cut.end() :]),)
    return rest, ()


def _is_plain(text: str) -> bool:
    return not _NO_PART.search(text) and not any(PREFECTURE.match(word) for word in text.split())


def _placed(text: str, code: str) -> tuple[Piece, ...]:
    """The place in a text before a house number, and the text before its prefecture if there is any."""
    return _places((text, code if places.is_known(code) else ""))


def _of_place(key: tuple[str, str]) -> tuple[Piece, ...]:
    text, code = key
    prefecture = _FIRST.search(text)
    at = (
        prefecture.start()
        if prefecture and text[: prefecture.start()].strip() and not PREFECTURE.match(text.strip())
        else 0
    )
    place = Piece("place" if _is_place(text[at:], code) else "further", text[at:])
    return (Piece("further", text[:at]), place) if at else (place,)


_places: Cache[tuple[str, str], tuple[Piece, ...]] = Cache(
    16 * MEGABYTE, _of_place, lambda key, _: 700 + 8 * len(key[0])
)


def _is_place(text: str, code: str) -> bool:
    """True for a place, with no more before its town than a municipality that may have been merged."""
    _, *others = text.split() or [""]
    place = address_parser.squeezed(text)
    settled, _ = places.settle(place, code)
    same = next((at for at in range(len(place)) if settled.endswith(place[at:])), 0)
    street = _STREET.search("".join(text.split()))
    return (
        not _NO_PART.search(text)
        and not any(PREFECTURE.match(word) for word in others)
        and len("".join(text.split())) <= _PLACE
        and bool(street or _KYOTO.fullmatch(place[:same]) or _MERGED.fullmatch(place[:same]))
        and (street is None or (len(street[1]) <= _STREETS and bool(re.search("[通筋路]|^$", street[1]))))
    )


def _buildings(rest: str) -> Iterator[Piece]:
    """The building with its room, and the text behind it if there is any."""
    if _is_building(rest):
        yield Piece("building", rest)
        return
    ends = [match.start() for match in re.finditer(r"\s|(?<=[0-9室])(?=[^\W\d_号室階棟館])", rest)]
    end = next((end for end in reversed(ends) if _is_building(rest[:end])), 0)
    if end:
        yield Piece("building", rest[:end])
    yield Piece("further", rest[end:])


def _is_building(text: str) -> bool:
    """True for a building and its room. Without a room, the last word of a line must say that it is a building."""
    plain = _SEPARATED.sub("", text).strip()
    if not _WORDS.search(plain):
        return True
    return (
        len("".join(plain.split())) <= BUILDING
        and _is_plain(plain)
        and not _NUMBERED.search(plain)
        and not _MUNICIPALITY.search(plain)
        and not _BEHIND_ROOM.search(plain)
        and not _BEFORE.search(plain)
        and all(_ROOM.search(line.strip()) or _NAMED.fullmatch(line.split()[-1]) for line in _BUILDINGS.split(plain))
    )


def _of_name(text: str) -> Iterator[Piece]:
    """The pieces of the name: a former name stands in brackets at its end, and its reading in brackets."""
    if is_bare(text):
        yield Piece("further" if _NO_NAME.search(text) else "name", text)
        return
    rest = _OLD_NAME.sub("", text)
    dropped = "".join(reading[1] for reading in _KANA.finditer(rest))
    known = not re.search(r"旧姓|[(\[〔【「]\s*旧", rest) and len("".join(dropped.split())) <= _READING
    yield Piece("name" if known and not _NO_NAME.search(rest) else "further", text)
