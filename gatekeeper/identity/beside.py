"""The text beside person and house number, which a token of the address leaves out.

A building's name, a host, a former name and a reading are free text. So they are printed only if a source gives them
for this person at this address (domain rule 7.4.19). Numbers, and words for parts of a building, need no source.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice

from gatekeeper.identity.address_parser import counted, squeezed
from gatekeeper.identity.address_segments import PREFECTURE, Piece, host_of, pieces
from gatekeeper.identity.letters import HIRAGANA, alike
from gatekeeper.identity.name import former_and_reading, normalise_name
from gatekeeper.identity.postal import Postal
from schemas.events import Delivery

MOST = 8
"""Texts beside one address, at most; an address that has more is not accounted for."""
_PARTS = re.compile(r"号室|号棟|号館|番館|丁目|番地|番|号|室|棟|階|館|-f(?![a-z])|[の第](?=[0-9])")
_SMALL = str.maketrans("ぁぃぅぇぉっゃゅょゎ", "あいうえおつやゆよわ")
_NO_LETTER = re.compile(r"[\W\d_ー]+")
_ONE_LETTER = re.compile(r"(?<![a-z])[a-z](?![a-z])")
_MUNICIPALITIES = re.compile("[市区町村郡]")
_SAME = re.compile("びるぢんぐ|びるでいんぐ")


def besides(whole: Postal, pieces: Sequence[Piece]) -> tuple[str, ...]:
    """The normalised texts beside the person and house number of `whole`, each with person and place; () without any.

    `pieces`: the pieces of the same delivery. One text has one form for all its spellings.
    """
    texts = dict.fromkeys((kind, text) for kind, text in _texts(whole, pieces) if text)
    return tuple(f"beside||{whole.name}|{whole.place}|{kind}|{text}" for kind, text in islice(texts, MOST + 1))


def too_much(delivery: Delivery) -> tuple[str, ...]:
    """The printed text that is no part of one name and one address, in one form.

    Else the texts that sources must give, or the place and all names. It is for eyes alone, and nothing may store it.
    """
    parts = pieces(delivery)
    further = [line for piece in parts if piece.kind == "further" for line in piece.text.split("\n")]
    given = [
        piece.text for piece in parts if piece.kind == "host" or (piece.kind == "building" and _building(piece.text))
    ]
    given += [text for piece in parts if piece.kind == "name" for text in former_and_reading(piece.text)]
    others = further or [*filter(None, given)] or [piece.text for piece in parts if piece.kind in ("place", "name")]
    return tuple(" ".join(text.split()) for text in others if text.strip())


def _texts(whole: Postal, pieces: Sequence[Piece]) -> Iterator[tuple[str, str]]:
    for piece in pieces:
        match piece.kind:
            case "building":
                yield "building", _building(piece.text)
            case "host":
                yield "host", normalise_name(host_of(piece.text))
            case "name":
                former, reading = former_and_reading(piece.text)
                yield "former", normalise_name(former)
                yield "reading", _letters(reading)
            case "place":
                yield "way", _way(piece.text, whole.place)


def _building(text: str) -> str:
    """The name of a building: its letters without numbers, and without words for its parts that stand at numbers."""
    return _SAME.sub("びる", _letters(_ONE_LETTER.sub("", _PARTS.sub(" ", counted(text)))))


def _letters(text: str) -> str:
    return _NO_LETTER.sub("", alike(text)).translate(HIRAGANA).translate(_SMALL)


def _way(text: str, place: str) -> str:
    """The beginning of a place that its normalised form leaves out: streets of Kyoto, words like a municipality.

    "" for a municipality whose name goes on in the place, as 清水市 does in 静岡市清水区.
    """
    written = squeezed(text).removesuffix("第")
    begun = next((at for at in range(len(written) + 1) if place.endswith(written[at:])), 0)
    city = place.removesuffix(written[begun:])
    prefecture = PREFECTURE.match(place)
    way = written[next(at for at in range(begun, -1, -1) if city.endswith(written[:at])) : begun]
    way = way.removeprefix(prefecture[0]) if prefecture else way
    return "" if all(name in place for name in _MUNICIPALITIES.split(way)) else way
