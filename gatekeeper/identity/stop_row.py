"""The people whom the row of a stop list binds: certainly, widely, or not at all (domain rule 8.1.37)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple, cast, get_args
from unicodedata import category

from gatekeeper.identity import places
from gatekeeper.identity.address_segments import accounted, pieces_of
from gatekeeper.identity.alternative_readings import turned
from gatekeeper.identity.characters import assigned
from gatekeeper.identity.match import readings
from gatekeeper.identity.name import without_reading
from gatekeeper.identity.name_forms import name_forms
from gatekeeper.identity.normalised import Spelled
from gatekeeper.identity.postal import Postal
from gatekeeper.identity.printed_names import people
from gatekeeper.identity.token import ANYBODY, SURE, Tokens, written_as
from schemas.events import Delivery
from schemas.events.sends import CARRIED, READINGS
from schemas.events.suppressions import Lack
from schemas.plain_send import PlainDelivery

NEAR = 800
"""The score of an address that a wide row may mean. A person should look."""
Unbound = Literal["name_missing", "place_unknown", "number_missing"]
"""The cause for which a row can bind nobody; a key of texts/row.toml."""
UNBOUND: frozenset[str] = frozenset(get_args(Unbound))
_UNKNOWN = re.compile(r"[〓?\ufffd●○◯■□◆◇*※]")
_KANA = re.compile(r"[ぁ-ゖァ-ヺーゝゞヽヾ]+")
_ODD = re.compile(r"^[・/~_]|[0-9_#=×…△▲▽▼☆★]")  # marks in place of a letter of a name
_MORE = re.compile(r"家族|夫妻|夫婦|令夫人|\s奥")  # people without a name
_FAMILY = re.compile(r".*(?:家|一同)")
_WHOLE = 3  # letters of one word that may be family and given name
_WORDS = 2
_NO_LETTER = ("Co", "Cs")


class Bound(NamedTuple):
    """The tokens that a stop of one person names: its own, and others with their scores.

    `forms`: tokens by which sends look it up as well, as with another honorific. No stop names them.
    """

    token: str
    readings: tuple[tuple[str, int], ...]
    forms: tuple[str, ...] = ()


class StopRow(NamedTuple):
    """The people of a row, each for an event of their own. `lacks`: of a wide row, what it lacks to be certain.

    `cause`: why the row is not right. Then it binds as written at most.
    """

    bound: tuple[Bound, ...]
    lacks: Lack | None
    cause: Unbound | None = None


def stop_row(tokens: Tokens, delivery: Delivery, *, everybody: bool = False) -> StopRow:
    """The people of a row by its name and address, and the cause for which it is not right.

    `everybody`: the row has no name, and stops whoever lives at its address.
    """
    delivery = _named(delivery, ANYBODY) if everybody else delivery
    spelled = Spelled.of(delivery)
    if not spelled.person:
        return StopRow((), None, "name_missing")
    written = written_as(delivery)
    others = [*filter(None, map(written_as, turned(delivery)))]
    meant = [place for one in (written, *others) if one for place in _meant(one)]
    if not meant or written is None:
        placed = any(one and places.meant(one.place) for one in (written, *others))
        bound_as_written = (_bound(tokens, _home(written, everybody), (), (), ()),) if written else ()
        return StopRow(bound_as_written, None, "number_missing" if placed else "place_unknown")
    names = None if everybody else people(without_reading(spelled.name))
    lack_of_name = None if everybody else _lack_of_name(spelled, names)
    lacks = lack_of_name or ("names_unclear" if not everybody and _MORE.search(spelled.name) else None)
    lacks = lacks or _lack_of_address(delivery, spelled, written)
    whole = meant[0] if lacks is None and places.is_former(written.place) else written
    homes = [written_as(_named(delivery, " ".join(words))) for words in names or ()]
    alone = homes[0] if len(homes) == 1 and lack_of_name is None else None
    homes = homes if len(homes) > 1 else []
    bound: list[Bound] = []
    for person in [home for home in homes if home] or [written]:
        at = [place._replace(name=person.name) for place in meant]
        near = [] if lacks is None else [str(_home(place, everybody)) for place in at]
        if lacks == "name_in_kana":
            near += [str(place.nameless) for place in at]
        more = () if lacks is None or everybody else _others(tokens, delivery)
        home = _home(whole._replace(name=person.name), everybody)
        forms = () if everybody else _forms(tokens, home, spelled.name if person is written else person.name)
        # the row as written, with its honorific: the token stays, and the bare name is the same person's
        sure = [alone] if alone else [written] if homes and person is homes[0] and lack_of_name is None else []
        same = [str(home._replace(name=one.name)) for one in sure]
        bound.append(_bound(tokens, home, near, more, same)._replace(forms=forms))
    return StopRow(tuple(bound), lacks)


def _meant(written: Postal) -> list[Postal]:
    """The readable addresses that a written one may be."""
    return [written._replace(place=place) for place in places.meant(written.place)] if written.numbers else []


def _home(address: Postal, everybody: bool) -> Postal:
    return address.nameless if everybody else address


def _lack_of_name(spelled: Spelled, names: Sequence[tuple[str, ...]] | None) -> Lack | None:
    if _has_unknown(spelled.name) or _ODD.search(spelled.name):
        return "letter_unknown"
    if _KANA.fullmatch(spelled.person):
        return "name_in_kana"
    if names is None:
        return "names_unclear"
    for words in names:
        if _KANA.fullmatch("".join(words)):
            return "name_in_kana"
        if _FAMILY.fullmatch(words[-1]) or (len(words) < _WORDS and len(words[0]) < _WHOLE):
            return "name_short"
    return None


def _lack_of_address(delivery: Delivery, spelled: Spelled, written: Postal) -> Lack | None:
    if any(map(_has_unknown, (delivery.name, *delivery.lines, *spelled.lines))):
        return "letter_unknown"
    meant = _meant(written)
    if not meant or not accounted(piece for piece in pieces_of(spelled) if piece.kind != "name"):
        return "address_unaccounted"
    if len(meant) > 1:
        return "former_place" if places.is_former(written.place) else "prefecture_missing"
    return None if places.has_town(meant[0].place) else "town_unknown"


def _has_unknown(text: str) -> bool:
    """True for a letter that a file has lost, or that nobody else can read."""
    return bool(_UNKNOWN.search(text)) or any(
        category(letter) in _NO_LETTER or assigned(ord(letter)) != ord(letter) for letter in text
    )


def _others(tokens: Tokens, delivery: Delivery) -> Iterator[str]:
    """Yields the tokens of further names and addresses that can be read from a row."""
    if identified := tokens.of("postal", delivery):
        yield from (token for token, _ in sorted(identified.others, key=lambda pair: -pair[1]))


def _forms(tokens: Tokens, home: Postal, name: str) -> tuple[str, ...]:
    """The tokens of the forms that surely are the same name."""
    same = (form for form, score in name_forms(home.name, name).items() if score == SURE)
    return tuple(token for form in same for token in tokens.of_value(str(home._replace(name=form))))


def _bound(
    tokens: Tokens, whole: Postal, near: Sequence[str], more: Iterator[str] | tuple[str, ...], alike: Sequence[str]
) -> Bound:
    """The tokens of an address. `near`: values that may be meant. `more`: their further tokens. `alike`: as sure."""
    own, *same = tokens.of_value(str(whole))
    sure = (token for value in alike for token in tokens.of_value(value) if token != own)
    scores: dict[str, int] = dict.fromkeys((*same, *sure), SURE)
    for value, score in readings(whole).items():
        for token in tokens.of_value(value):
            scores.setdefault(token, score)
    further = [*dict.fromkeys(near)][:READINGS]
    for other in (*(token for value in further for token in tokens.of_value(value)), *more):
        if other != own:
            scores[other] = max(NEAR, scores.get(other, 0))
    return Bound(own, tuple(scores.items())[:CARRIED])


def _named(delivery: Delivery, name: str) -> Delivery:
    return cast("Delivery", PlainDelivery(name, delivery.postcode, delivery.lines, None, None))
