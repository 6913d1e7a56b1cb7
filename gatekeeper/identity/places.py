"""The postal table: looks up the prefecture, city and town of a place, and compares its postcode.

`scripts/make-postal-table` writes the table as two files of tab-separated columns beside this module.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from gatekeeper.ground.cache import MEGABYTE, Cache
from gatekeeper.identity.address_parser import one_form, squeezed
from gatekeeper.identity.letters import alike

FORMER = "former.tsv"
"""The file of former municipalities."""
_LISTED = "、〜"  # a town with these is a list or a range
_MUNICIPALITY = ("市", "区", "町", "村", "郡")
# 御幸町通御池上ル亀屋町, 大和大路通松原東入4丁目山崎町: the way to a town from two streets, before its name.
_WAY = re.compile(r"(京都府京都市.{1,3}?区).*(?:[上下]ル|[東西南北]入)(?:[0-9]+丁目)?(?=.)")


class Town(NamedTuple):
    """Delivery area of a postcode; `town` is "" if the code serves all parts of the city without their own code."""

    prefecture: str
    city: str
    town: str


def settle(place: str, postcode: str) -> tuple[str, str]:
    """The place as the postal table writes it, and the postcode if it adds information to the place.

    A postcode that agrees with the place adds nothing and becomes "". It stays if it contradicts the place or if the
    table does not know it. It also stays in Kyoto, where only the postcode distinguishes towns of one name in a ward.
    The postcode helps to restore a missing prefecture or a merged municipality. Streets of Kyoto are left out.
    """
    full, town = _full(place), _town(postcode) if postcode else None
    if town is None:
        return full, postcode
    city = town.prefecture + town.city
    kyoto = town.city.startswith("京都市")
    if not full.startswith(city):
        rest = _after_former(full.removeprefix(town.prefecture), town)
        if not rest:
            return full, postcode
        full = _WAY.sub(r"\1", city + rest)
    rest = full[len(city) :]
    if kyoto and town.town and rest.endswith(town.town) and "通" in rest:  # streets without a direction
        return city + town.town, postcode
    return full, postcode if kyoto or not rest.startswith(town.town) else ""


def is_known(postcode: str) -> bool:
    """True if the postal table has a postcode; one that it does not know says nothing about a place."""
    return _town(postcode) is not None


def meant(place: str) -> tuple[str, ...]:
    """The places that a settled one may be: several without its prefecture, () if no table knows its municipality.

    A former municipality (浦和市) may be part of several of today.
    """
    if city := _city(place):
        whole = _whole_names()[city]
        return tuple(name + place[len(city) :] for name in ([whole] if whole else _alike_cities()[city]))
    former = _former(place)
    return tuple(name + place[len(former) :] for name in _former_names()[former]) if former else ()


def is_former(place: str) -> bool:
    """True if a place begins with a former municipality."""
    return not _city(place) and bool(_former(place))


def behind_town(place: str) -> str | None:
    """The end of a place behind its town, or its city if that has none. None if the table lacks the town."""
    city = _city(place)
    rest, towns = place[len(city) :], _towns(_whole_names().get(city, ""))
    town = max((town for town in towns if rest.startswith(town)), key=len, default=None if towns or not city else "")
    return None if town is None else rest[len(town) :]


def _after_former(place: str, town: Town) -> str:
    """The rest of `place` after a missing or former municipality, if it begins with the postcode's town; else ""."""
    if not town.town or _city(place):
        return ""
    if place.startswith(town.city):
        rest = place[len(town.city) :]
        return rest if rest.startswith(town.town) else ""
    start = place.find(town.town)
    if start == 0 or (start > 0 and place[:start].endswith(_MUNICIPALITY)):
        return place[start:]
    for end, letter in enumerate(place):  # 久居市明神町 became 津市久居明神町
        if letter in _MUNICIPALITY and end > 0:
            rest = place[:end] + place[end + 1 :]
            if rest.startswith(town.town):
                return rest
    return ""


def _complete(place: str) -> str:
    """`place` with the prefecture and county of its city, if the city is unambiguous."""
    city = _city(place)
    whole = _whole_names()[city] if city else ""
    return whole + place[len(city) :] if whole else place


_full: Cache[str, str] = Cache(
    16 * MEGABYTE, lambda place: _WAY.sub(r"\1", _complete(place)), lambda place, _: 400 + 8 * len(place)
)
"""A place with its prefecture and county, and in Kyoto without the way to it."""


def _city(place: str) -> str:
    """The longest spelling of a city with which `place` begins; "" if it begins with none."""
    names = _whole_names()
    return next((place[:end] for end in range(min(_longest(), len(place)), 0, -1) if place[:end] in names), "")


@cache
def _whole_names() -> Mapping[str, str]:
    """The full name of a city by each of its spellings, short or full; "" if several cities share the spelling."""
    names: dict[str, str] = {}
    for prefecture, city in _municipalities().values():
        whole = prefecture + city
        short = _shortened(city)
        for name in {whole, city, short, prefecture + short}:
            names[name] = whole if names.get(name, whole) == whole else ""
    return names


@cache
def _alike_cities() -> Mapping[str, tuple[str, ...]]:
    """The full names of the cities that share a spelling, by that spelling."""
    cities = [(prefecture + city, _shortened(city)) for prefecture, city in _municipalities().values()]
    shared = [name for name, whole in _whole_names().items() if not whole]
    return {name: tuple(whole for whole, short in cities if name in (whole, short)) for name in shared}


def _shortened(city: str) -> str:
    """The name of a town without its county."""
    return city.partition("郡")[2] if 0 < city.find("郡") < len(city) - 2 else city


def _former(place: str) -> str:
    """The longest spelling of a former municipality with which `place` begins; "" if it begins with none."""
    return max((name for name in _former_names() if place.startswith(name)), key=len, default="")


@cache
def _former_names() -> Mapping[str, tuple[str, ...]]:
    """The full names of the cities of today that a former municipality is part of, by each of its spellings.

    The file stands beside the postal table: prefecture, name, and codes of today (JIS X 0402) between spaces. It is not
    shipped, and without it such a place is unknown.
    """
    if not files("gatekeeper.identity").joinpath(FORMER).is_file():
        return {}
    names: dict[str, tuple[str, ...]] = {}
    for prefecture, city, codes in (line.split("\t") for line in _table(FORMER).decode().splitlines()):
        today = tuple("".join(_municipalities()[code]) for code in codes.split())
        names |= {_form(city): today, _form(prefecture + city): today}
    return names


@cache
def _towns(city: str) -> tuple[str, ...]:
    """The towns of a city by its full name."""
    code = next((code for code, (prefecture, name) in _municipalities().items() if prefecture + name == city), "")
    towns = _written_towns().get(code, [])
    return tuple({_form(town) for town in towns if town and not set(town) & set(_LISTED)})


@cache
def _written_towns() -> Mapping[str, list[str]]:
    """The towns by municipality code, as the postal table writes them."""
    towns: dict[str, list[str]] = {}
    for row in _postcodes():
        _, code, town = row.decode().split("\t")
        towns.setdefault(code, []).append(town)
    return towns


@cache
def _longest() -> int:
    """Letters of the longest spelling of a city."""
    return max(map(len, _whole_names()))


def _look_up(postcode: str) -> Town | None:
    rows = _postcodes()
    key = postcode.encode()
    index = bisect_left(rows, key)
    code, _, rest = (rows[index] if index < len(rows) else b"").partition(b"\t")
    if code != key:
        return None
    municipality, town = rest.decode().split("\t")
    # A few towns are written as lists (甲、乙) or ranges (64地割〜65), which no address repeats. Companies with a
    # postcode of their own have no town here; their places are checked only down to the city.
    return Town(*_municipalities()[municipality], "" if set(town) & set(_LISTED) else _form(town))


_town: Cache[str, Town | None] = Cache(16 * MEGABYTE, _look_up, lambda _, town: 500 if town else 200)


@cache
def _municipalities() -> Mapping[str, tuple[str, str]]:
    """Prefecture and city by municipality code (JIS X 0402)."""
    rows = (line.split("\t") for line in _table("municipalities.tsv").decode().splitlines())
    return {code: (_form(prefecture), _form(city)) for code, prefecture, city in rows}


@cache
def _postcodes() -> list[bytes]:
    """The rows of all postcodes, sorted (11 MB); left unparsed, because a process looks up few of them."""
    return _table("postcodes.tsv").splitlines()


def _table(name: str) -> bytes:
    return files("gatekeeper.identity").joinpath(name).read_bytes()


def _form(text: str) -> str:
    return squeezed(one_form(alike(text)))
