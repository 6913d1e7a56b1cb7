"""The address in a row of a stop list, and whether it is sure (domain rule 8.1.37)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Literal, NamedTuple, cast

from gatekeeper.identity import places
from gatekeeper.identity.address_segments import APARTMENTS, Piece, accounted, pieces_of
from gatekeeper.identity.alternative_readings import turned
from gatekeeper.identity.characters import has_lost
from gatekeeper.identity.letters import alike
from gatekeeper.identity.normalised import Spelled
from gatekeeper.identity.postal import Postal
from gatekeeper.identity.token import written_as
from schemas.events import Delivery
from schemas.events.suppressions import Lack
from schemas.plain_send import PlainDelivery

_ROOM = r"(?:号?室|号?棟|階|-f(?![a-z]))"
_NO_HOUSE = re.compile(rf"[0-9]+\s*丁目(?:\s*[0-9a-z]+\s*{_ROOM}|(?!\s*[0-9]))|[0-9a-z]+\s*{_ROOM}")
"""A chome or a room in place of a house number. Blocks of flats, and towns in Hokkaido, have no other."""
_SIGN = r"[./:~〜・_,、]"
_YEAR = r"(?:19|20)([0-9]{2})"
_SERIAL = "(?<![0-9])(?:3[6-9]|4[0-9])[0-9]{3}(?![-0-9])"
"""The number of a day since 1899-12-30, as a spreadsheet keeps the dates of 1998 to 2036."""
_UNCLEAR = re.compile(
    rf"[0-9]+(?:-[0-9]+)?\s*{_SIGN}\s*[0-9]|(?:[0-9]+\s*年\s*)?[0-9]+\s*月\s*[0-9]|[0-9]+号(?![0-9])"
    rf"|{_YEAR}-(?:0?[1-9]|1[0-2])-(?:0?[1-9]|[12][0-9]|3[01])(?![0-9])|[-0]+(?![-0-9])|{_SERIAL}"
)
"""A number that a spreadsheet may have made of another one, as a date. Or one that may be a room."""
_BEFORE = re.compile(rf"(?:[a-z]|明治|大正|昭和|平成|令和|{APARTMENTS})$")
"""The end of a place behind which a number is that of a room, or of a year."""
_AS_NUMBER = re.compile(rf"(?<=[0-9])\s*(?:{_SIGN}|[年月])\s*(?=[0-9])")
_DAY = re.compile(r"(?<=[0-9])日")
_DAY_0 = date(1899, 12, 30)
_SERIALS = re.compile(_SERIAL)
_SHORT_YEAR = re.compile(rf"(?<![0-9]){_YEAR}(?=-)")


class RowAddress(NamedTuple):
    """An address as written (None: unreadable), and those that may be meant, the likeliest first.

    `lacks`: what it lacks to be certain. `cause`: why none is meant.
    """

    written: Postal | None
    meant: tuple[Postal, ...]
    lacks: Lack | None = None
    cause: Literal["place_unknown", "number_missing"] | None = None


def row_address(delivery: Delivery, spelled: Spelled) -> RowAddress:
    """The addresses of a row. `spelled`: its texts."""
    ways = [(way, at) for way in (delivery, *turned(delivery), *_as_numbers(spelled)) if (at := written_as(way))]
    written = written_as(delivery)
    meant = tuple(place for _, at in ways for place in _meant(at))
    if written is None or not meant:
        placed = any(places.meant(at.place) for _, at in ways)
        return RowAddress(written, (), cause="number_missing" if placed else "place_unknown")
    return RowAddress(written, meant, _lack(delivery, spelled, written))


def _meant(address: Postal) -> list[Postal]:
    """The readable addresses that one may be; none without a number."""
    return [address._replace(place=place) for place in places.meant(address.place)] if address.numbers else []


def _lack(delivery: Delivery, spelled: Spelled, written: Postal) -> Lack | None:
    if any(map(has_lost, (delivery.name, *delivery.lines, *spelled.lines))):
        return "letter_unknown"
    pieces = pieces_of(spelled)
    numbers = _numbers(pieces)
    meant = _meant(written)
    behind = places.behind_town(meant[0].place) if meant else None
    if meant and (_NO_HOUSE.match(numbers) or _UNCLEAR.match(numbers) or (behind and _BEFORE.search(behind))):
        return "number_unclear"
    if not meant or not accounted(piece for piece in pieces if piece.kind != "name"):
        return "address_unaccounted"
    if len(meant) > 1:
        return "former_place" if places.is_former(written.place) else "prefecture_missing"
    return "town_unknown" if behind is None else None


def _numbers(pieces: Sequence[Piece]) -> str:
    """The text from the house number on, "" without one."""
    house = next((nth for nth, piece in enumerate(pieces) if piece.kind == "house"), len(pieces))
    return "".join(piece.text for piece in pieces[house:] if piece.kind != "name").lstrip()


def _as_numbers(spelled: Spelled) -> Iterator[Delivery]:
    """Yields the address with its number as it was before a spreadsheet made a date of it."""
    text = _DAY.sub("", _AS_NUMBER.sub("-", "\n".join(spelled.lines)))
    short = _SHORT_YEAR.sub(lambda year: str(int(year[1])), text)
    for line in dict.fromkeys((text, short, *(_SERIALS.sub(form, text) for form in (_day_of_year, _day_of_month)))):
        if line != "\n".join(spelled.lines):
            yield cast("Delivery", PlainDelivery(alike(spelled.name), spelled.postcode or None, (line,), None, None))


def _day_of_year(serial: re.Match[str]) -> str:
    day = _DAY_0 + timedelta(days=int(serial[0]))
    return f"{day.year % 100}-{day.month}-{day.day}"


def _day_of_month(serial: re.Match[str]) -> str:
    return _day_of_year(serial).partition("-")[2]
