"""The people whom the row of a stop list binds: certainly, widely, or not at all (domain rule 8.1.37)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple, cast, get_args

from gatekeeper.identity.match import readings
from gatekeeper.identity.normalised import Spelled
from gatekeeper.identity.postal import Postal
from gatekeeper.identity.row_address import row_address
from gatekeeper.identity.row_name import NOBODY_BY_NAME, RowPerson, row_name
from gatekeeper.identity.token import ANYBODY, SURE, Tokens
from schemas.events import Delivery
from schemas.events.sends import READINGS
from schemas.events.suppressions import BOUND, Lack
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

    `cause`: why the row is not right. Then it binds as written at most, in one event for all its people.
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
        as_written = (_bound(tokens, written, name.together),) if written else ()
        return StopRow(as_written, None, address.cause)
    lacks = name.lacks or address.lacks
    if lacks is None:
        bound = [_bound(tokens, meant[0], person) for person in name.people]
    else:
        more = () if everybody else tuple(_others(tokens, delivery))
        everyone = [str(place.nameless) for place in meant] if lacks == "name_in_kana" else []
        bound = [_bound(tokens, written, person, meant, everyone, more) for person in name.people]
    if any(len(each.readings) > BOUND for each in bound):
        bound = [each._replace(readings=each.readings[:BOUND]) for each in bound]
        lacks = "too_many"
    return StopRow(tuple(bound), lacks)


def _others(tokens: Tokens, delivery: Delivery) -> Iterator[str]:
    """Yields the tokens of further names and addresses that can be read from a row."""
    if identified := tokens.of("postal", delivery):
        yield from (token for token, _ in sorted(identified.others, key=lambda pair: -pair[1]))


def _bound(
    tokens: Tokens,
    at: Postal,
    person: RowPerson,
    meant: Sequence[Postal] = (),
    everyone: Sequence[str] = (),
    more: tuple[str, ...] = (),
) -> Bound:
    """The tokens of a person at an address. `meant`: others at 800, as are the values `everyone` and tokens `more`."""
    own, *former = tokens.of_value(str(at._replace(name=person.names[0])))
    scores = dict.fromkeys(former, SURE)
    values = {str(at._replace(name=name)): SURE for name in (*person.names, *person.forms)}
    for name in person.names:
        for value, score in readings(at._replace(name=name)).items():
            values[value] = max(score, values.get(value, 0))
    near = [[str(place._replace(name=name)) for place in meant] for name in (*person.names, *person.near)]
    for value in (value for way in (*near, everyone) for value in [*dict.fromkeys(way)][:READINGS]):
        values[value] = max(NEAR, values.get(value, 0))
    for value, score in values.items():
        scores |= {token: max(score, scores.get(token, 0)) for token in tokens.of_value(value)}
    for token in more:
        scores[token] = max(NEAR, scores.get(token, 0))
    scores.pop(own, None)
    return Bound(own, tuple(scores.items()))
