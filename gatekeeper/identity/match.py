"""How near two postal values are, in per mille: 1000 is the same, below the policy's floor a person should look."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from gatekeeper.identity.letters import HIRAGANA, similar
from gatekeeper.identity.postal import Postal
from schemas.events.sends import READINGS

CARE_MISSING = 950
"""One says with whom the person lives, the other does not."""
PLACE_SHORTER = 950
"""One leaves out the prefecture or the city, and nothing could fill it in."""
SIMILAR_NAME = 850
"""Letters that are mistaken for each other (斉 斎), or hiragana against katakana."""
POSTCODE_DIFFERS = 850
"""One postcode contradicts its place or says more than it, the other does not; or both do, differently."""
NUMBER_MISSING = 800
"""One lacks the room, or other numbers at the end."""
CARE_DIFFERS = 700
"""Both say with whom, and differ."""


def match(one: str, other: str) -> int:
    """How sure it is that two normalised postal values are one person at one address, 0 to 1000.

    1000 for equal values, 0 for another name (a former name, 旧姓, is another), another place or other numbers;
    between them the product of the constants above, one for each part that differs. Symmetrical.
    Raises ValueError for a value that is not of `normalise_postal`.
    """
    return 1000 if one == other else _sureness(Postal.of(one), Postal.of(other))


def readings(value: str) -> dict[str, int]:
    """The less exact values under which the person of `value` may be on record, each with its match score.

    A token tells nothing of its neighbours, so what is near must be asked for by its own token. These are the
    values without room, without postcode, without 様方, and with each letter of the name that is often mistaken
    exchanged, and all of them combined, the surest first, at most 32, without `value` itself.
    """
    whole = Postal.of(value)
    found = {
        str(reading): _sureness(whole, reading)
        for name in islice(_names(whole.name), 8)
        for postcode in dict.fromkeys((whole.postcode, ""))
        for numbers in _shorter(whole.numbers)
        for care in dict.fromkeys((whole.care, ""))
        for reading in (Postal(name, postcode, whole.place, numbers, care),)
    }
    found.pop(value, None)
    return dict(sorted(found.items(), key=lambda item: -item[1])[:READINGS])


def _sureness(one: Postal, other: Postal) -> int:
    score = 1000
    for part in (
        _name(one.name, other.name),
        1000 if one.postcode == other.postcode else POSTCODE_DIFFERS,
        _place(one.place, other.place),
        _numbers(one.numbers, other.numbers),
        1000 if one.care == other.care else CARE_DIFFERS if one.care and other.care else CARE_MISSING,
    ):
        score = score * part // 1000
    return score


def _name(one: str, other: str) -> int:
    if one == other:
        return 1000
    if len(one) != len(other):
        return 0
    pairs = zip(one.translate(HIRAGANA), other.translate(HIRAGANA), strict=True)
    return SIMILAR_NAME if all(a == b or b in similar().get(a, "") for a, b in pairs) else 0


def _place(one: str, other: str) -> int:
    if one == other:
        return 1000
    return PLACE_SHORTER if one.endswith(other) or other.endswith(one) else 0


def _numbers(one: str, other: str) -> int:
    if one == other:
        return 1000
    shorter, longer = sorted((one, other), key=len)
    return NUMBER_MISSING if not shorter or longer.startswith(f"{shorter}-") else 0


def _names(name: str) -> Iterator[str]:
    """Yields the name, then each with one letter exchanged for one that it is mistaken for."""
    yield name
    for at, letter in enumerate(name):
        for other in similar().get(letter, ""):
            yield name[:at] + other + name[at + 1 :]


def _shorter(numbers: str) -> tuple[str, ...]:
    """The numbers, and those without the last where enough stay to name one house."""
    house, _, _ = numbers.rpartition("-")
    return (numbers, house) if "-" in house else (numbers,)
