"""Match scores of postal values in per mille: 1000 is equal; below the policy's floor a person should check."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from gatekeeper.identity.letters import HIRAGANA, similar
from gatekeeper.identity.postal import Postal
from schemas.events.sends import READINGS

CARE_MISSING = 950
"""Only one value names a host (様方)."""
PLACE_SHORTER = 950
"""One value lacks the prefecture or the city, and the postal table could not fill it in."""
SIMILAR_NAME = 850
"""The names differ in letters that are often confused (斉 斎), or in hiragana and katakana."""
POSTCODE_DIFFERS = 850
"""The kept postcodes differ; a postcode is kept if it contradicts its place or is more exact (`places.settle`)."""
NUMBER_MISSING = 800
"""One value lacks the room, or other numbers at the end."""
CARE_DIFFERS = 700
"""Both values name a host (様方), and the hosts differ."""


def match(one: str, other: str) -> int:
    """The score, 0 to 1000, that two normalised postal values are one person at one address.

    Equal values score 1000. Another name (including a former name, 旧姓), place or number scores 0. Otherwise the score
    is the product of the constants above, one for each part that differs. Symmetrical.
    Raises ValueError for a value that does not come from `normalise_postal`.
    """
    return 1000 if one == other else _sureness(Postal.of(one), Postal.of(other))


def readings(whole: Postal) -> dict[str, int]:
    """The less exact values under which the person of `whole` may be on record, each with its match score.

    Tokens of similar values have nothing in common, so each similar value needs a lookup by its own token. Readings
    leave out the room, the postcode or the host (様方), or exchange one often confused letter of the name. All
    combinations are made. The highest scores come first, at most 32, without `whole` itself.
    """
    postcodes = [(whole.postcode, 1000), *([("", POSTCODE_DIFFERS)] if whole.postcode else [])]
    numbers = [(shorter, _numbers(whole.numbers, shorter)) for shorter in _shorter(whole.numbers)]
    hosts = [(whole.care, 1000), *([("", CARE_MISSING)] if whole.care else [])]
    names = [(name, _name(whole.name, name)) for name in islice(_names(whole.name), 8)]
    scores = {
        f"{name}|{postcode}|{whole.place}|{house}|{host}": _product(like, p, n, h)
        for name, like in names
        for postcode, p in postcodes
        for house, n in numbers
        for host, h in hosts
    }
    scores.pop(str(whole), None)
    if len(scores) > 1:
        scores = dict(sorted(scores.items(), key=_falling)[:READINGS])
    return scores


def _falling(scored: tuple[str, int]) -> int:
    return -scored[1]


def _sureness(one: Postal, other: Postal) -> int:
    return _product(
        _name(one.name, other.name),
        1000 if one.postcode == other.postcode else POSTCODE_DIFFERS,
        _place(one.place, other.place),
        _numbers(one.numbers, other.numbers),
        1000 if one.care == other.care else CARE_DIFFERS if one.care and other.care else CARE_MISSING,
    )


def _product(*parts: int) -> int:
    """The product of scores, each in per mille."""
    score = 1000
    for part in parts:
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
    """Yields the name, then its variants with one letter exchanged for an often confused one."""
    yield name
    alike = similar()
    for at, letter in enumerate(name):
        for other in alike.get(letter, ""):
            yield name[:at] + other + name[at + 1 :]


def _shorter(numbers: str) -> tuple[str, ...]:
    """The numbers, then also without the last one if the rest still identifies a house."""
    house, _, _ = numbers.removesuffix("-f").rpartition("-")  # a floor is a number and the letter
    return (numbers, house) if "-" in house else (numbers,)
