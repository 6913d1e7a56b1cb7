"""The people whom the row of a stop list binds: certainly, widely, or not at all (domain rule 8.1.37)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple, cast, get_args

from gatekeeper.identity.match import readings
from gatekeeper.identity.normalised import Spelled
from gatekeeper.identity.postal import Postal
from gatekeeper.identity.row_address import row_address
from gatekeeper.identity.row_name import NOBODY_BY_NAME, row_name
from gatekeeper.identity.token import ANYBODY, SURE, Tokens
from schemas.events import Delivery
from schemas.events.sends import CARRIED, READINGS
from schemas.events.suppressions import Lack
from schemas.plain_send import PlainDelivery

NEAR = 800
"""The score of an address that a wide row may mean. A person should look."""
Unbound = Literal["name_missing", "place_unknown", "number_missing"]
"""The cause for which a row can bind nobody; a key of texts/row.toml."""
UNBOUND: frozenset[str] = frozenset(get_args(Unbound))


class Bound(NamedTuple):
    """The tokens that a stop of one person names: its own, and others with their scores."""

    token: str
    readings: tuple[tuple[str, int], ...]


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
    if everybody:
        delivery = cast("Delivery", PlainDelivery(ANYBODY, delivery.postcode, delivery.lines, None, None))
    spelled = Spelled.of(delivery)
    name = NOBODY_BY_NAME if everybody else row_name(spelled.name, spelled.person)
    if not name.people:
        return StopRow((), None, "name_missing")
    address = row_address(delivery, spelled)
    written, meant = address.written, address.meant
    if written is not None and everybody:
        written, meant = written.nameless, tuple(place.nameless for place in meant)
    if address.cause or written is None:
        as_written = (_bound(tokens, written, name.people[0]),) if written else ()
        return StopRow(as_written, None, address.cause)
    if (lacks := name.lacks or address.lacks) is None:
        return StopRow(tuple(_bound(tokens, meant[0], names) for names in name.people), None)
    more = () if everybody else tuple(_others(tokens, delivery))
    everyone = [str(place.nameless) for place in meant] if lacks == "name_in_kana" else []
    bound = []
    for names in name.people:
        near = [str(place._replace(name=names[0])) for place in meant]
        bound.append(_bound(tokens, written, names, (*near, *everyone), more))
    return StopRow(tuple(bound), lacks)


def _others(tokens: Tokens, delivery: Delivery) -> Iterator[str]:
    """Yields the tokens of further names and addresses that can be read from a row."""
    if identified := tokens.of("postal", delivery):
        yield from (token for token, _ in sorted(identified.others, key=lambda pair: -pair[1]))


def _bound(
    tokens: Tokens, at: Postal, names: tuple[str, ...], near: Iterable[str] = (), more: tuple[str, ...] = ()
) -> Bound:
    """The tokens of one person's `names` at an address. `near`: values that may be meant. `more`: further tokens."""
    whole, *same = (at._replace(name=name) for name in names)
    own, *former = tokens.of_value(str(whole))
    scores = dict.fromkeys((*former, *(token for value in same for token in tokens.of_value(str(value)))), SURE)
    for value, score in readings(whole).items():
        for token in tokens.of_value(value):
            scores.setdefault(token, score)
    further = [*dict.fromkeys(near)][:READINGS]
    for other in (*(token for value in further for token in tokens.of_value(value)), *more):
        scores[other] = max(NEAR, scores.get(other, 0))
    scores.pop(own, None)
    return Bound(own, tuple(scores.items())[:CARRIED])
