"""Other names and addresses that can be read from a printed one, so that their stops count (domain rule 7.4.19)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from itertools import pairwise, product
from typing import cast

from gatekeeper.identity.address_segments import BUILDING_WORD, PREFECTURE, Piece, host_of, pieces
from gatekeeper.identity.letters import alike
from gatekeeper.identity.printed_names import printed_names
from schemas.events import Delivery
from schemas.plain_send import PlainDelivery

_BETWEEN_NAMES = re.compile(r"[\s\d()\[\]〔〕【】「」・、,:;&/〒-]+|様方?|殿|御中|宛|気付|旧姓|転送先?|[旧前新元]住所")
_STARTS = re.compile(rf"\s+|転送先?[:\s]*|[旧前新元]住所[:\s]*|(?=〒|{PREFECTURE.pattern})")
_PLACED = ("place", "house", "building")
_NUMBERED = re.compile(r"[0-9〇一二三四五六七八九十]")
_LIKE_A_NAME = re.compile(r"(?<![^\W\d_])[一-鿿]{2,6}(?![^\W\d_])(?<![館荘寮棟室階号店院校園所苑])")
_FIRM = re.compile(
    "(?<![^\\W\\d_])([一-鿿々]{2,6}?)(?:(?:商|工務|本|写真|酒|米|花|書|理容|美容)店|商会|薬局|建設|農園|工業|塗装|造園"
    "|(?:内科|外科|歯科)?医院|歯科|クリニック"
    "|(?:法律|会計|税務|特許|設計|建築|測量|弁護士|会計士|税理士|司法書士|行政書士|社会保険労務士)*事務所"
    f"|{BUILDING_WORD})"
)
"""A firm, or a house, which may bear the name of its owner."""
_SIGN = re.compile("(?:株式|有限|合同|合資|合名)会社|[一-鿿]{2}法人|[(（][株有合医][)）]")
_BETWEEN_KANJI = re.compile(r"(?<=[一-鿿々]) (?=[一-鿿々])")
_CUTS, _NAMES = 12, 8  # places in the lines where another address may begin, and names beside it, at most


def addressed(delivery: Delivery, found: Sequence[Piece]) -> Delivery:
    """The name and address of `delivery` without further text, and without the name on a line before the address.

    `found`: its pieces. `delivery` itself if it holds neither, or if that leaves no place with a house number.
    """
    kinds = [piece.kind for piece in found]
    if not {"place", "house"} <= {*kinds} or not ("further" in kinds or "name" in kinds[: kinds.index("place")]):
        return delivery
    return _at(delivery.name, _postcode(found), (_lines(found, (*_PLACED, "host")),))


def further(delivery: Delivery, found: Sequence[Piece]) -> tuple[Delivery, ...]:
    """The other names and addresses that can be read from `delivery`, the likeliest first; () if all is accounted for.

    `found`: its pieces. Each further name is read at the address itself, and at each other address, like the first
    name.
    """
    unknown = _further(found)
    if not unknown:
        return ()
    named_more = [delivery.name] if found[-1].kind == "further" else []
    text = "\n".join(filter(None, (alike(line).strip() for line in (*delivery.lines, *named_more))))
    cuts = _cuts(text)
    numbered = [text[cut:] for cut in cuts if _NUMBERED.search(text, cut)]
    written = [_at(delivery.name, None, (tail,)) for tail in numbered]
    tails = {address.lines: address for tail in written if (address := addressed(tail, pieces(tail)))}.values()
    heads = [_at(delivery.name, delivery.postcode, (text[:cut],)) for cut in cuts]
    home = _at(delivery.name, _postcode(found), (_lines(found, _PLACED),))
    named = [
        _at(name, address.postcode, address.lines) for name in _names(unknown) for address in (home, delivery, *tails)
    ]
    return (delivery, *tails, *named, *heads)


def turned(delivery: Delivery) -> Iterator[Delivery]:
    """Yields the addresses that may begin further on in the lines, alone and with what stands before them behind."""
    text = "\n".join(filter(None, (alike(line).strip() for line in delivery.lines)))
    for cut in _cuts(text):
        if _NUMBERED.search(text, cut):
            yield _at(delivery.name, delivery.postcode, (f"{text[cut:]} {text[:cut]}",))
            yield _at(delivery.name, delivery.postcode, (text[cut:],))


def _cuts(text: str) -> list[int]:
    """The places in the lines where another address may begin."""
    return sorted({start.end() for start in _STARTS.finditer(text)} - {0, len(text)})[:_CUTS]


def hosts(delivery: Delivery, found: Sequence[Piece]) -> tuple[Delivery, ...]:
    """The hosts (様方, 気付) as people at the address. The stop may be theirs.

    Also those after whom a building or a firm may be named, there and at the house. `found`: the pieces of `delivery`.
    """
    names = [host_of(piece.text) for piece in found if piece.kind == "host"]
    names += [name.name for written in names for name in printed_names(written) or ()]
    names += [name for piece in found if piece.kind == "building" for name in _LIKE_A_NAME.findall(piece.text)]
    houses = dict.fromkeys(_lines(found, kinds) for kinds in (_PLACED, _PLACED[:2]))
    texts = [_SIGN.sub(" ", piece.text) for piece in found if piece.kind in ("building", "further")]
    owners = [name for text in texts for form in (text, _BETWEEN_KANJI.sub("", text)) for name in _FIRM.findall(form)]
    at = [*product(names, [*houses][:1]), *product(owners, houses)]
    return tuple(_at(name, _postcode(found), (house,)) for name, house in dict.fromkeys(at))


def _further(found: Sequence[Piece]) -> list[str]:
    return [piece.text for piece in found if piece.kind == "further"]


def _lines(found: Sequence[Piece], kinds: Collection[str]) -> str:
    return " ".join(piece.text.strip() for piece in found if piece.kind in kinds)


def _postcode(found: Sequence[Piece]) -> str | None:
    return next((piece.text for piece in found if piece.kind == "postcode"), None)


def _names(unknown: Sequence[str]) -> list[str]:
    words = [[word for word in _BETWEEN_NAMES.split(line) if word] for text in unknown for line in text.split("\n")]
    return list(dict.fromkeys(name for line in words for name in _joined(line)))[:_NAMES]


def _joined(words: Sequence[str]) -> Iterator[str]:
    """Yields each two neighbouring words as one name, then the words."""
    yield from (first + second for first, second in pairwise(words))
    yield from (word for word in words if len(word) > 1)


def _at(name: str, postcode: str | None, lines: tuple[str, ...]) -> Delivery:
    return cast("Delivery", PlainDelivery(name, postcode, lines))
