"""A person at an address: the value behind the token of a postal contact point."""

from __future__ import annotations

from typing import NamedTuple

from gatekeeper.identity import address_parser, places
from gatekeeper.identity.normalised import Spelled
from schemas.events import Delivery

EVERYBODY = "*"
"""In place of a name: everybody at an address. It is no name, as these have no marks."""


class Postal(NamedTuple):
    """The parts of a normalised postal value, in order; no part holds a `|`."""

    name: str
    postcode: str
    """Seven digits; "" unless they add information to the place (see `places.settle`)."""
    place: str
    numbers: str
    care: str
    """The host with whom the person lives (様方)."""

    def __str__(self) -> str:
        return "|".join(self)

    @property
    def nameless(self) -> Postal:
        """The address without name and host, for everybody there (domain rule 8.1.38)."""
        return self._replace(name=EVERYBODY, care="")

    @classmethod
    def of(cls, value: str) -> Postal:
        """The parts of a value from `normalise_postal`; raises ValueError for a text with another number of parts."""
        parts = value.split("|")
        if len(parts) != len(cls._fields):
            raise ValueError("not a normalised postal value")
        return cls(*parts)


def postal(delivery: Delivery) -> Postal | None:
    """The parts of `delivery`'s name and address, each in one form; None without a name or a place."""
    return postal_of(Spelled.of(delivery))


def postal_of(spelled: Spelled) -> Postal | None:
    """The same of texts that are in one form already."""
    parts = address_parser.read(spelled.lines, spelled.postcode)
    place, postcode = places.settle(parts.place, parts.postcode)
    return Postal(spelled.person, postcode, place, parts.numbers, parts.care) if spelled.person and place else None


def normalise_postal(delivery: Delivery) -> str:
    """The normalised name and address of `delivery`, `name|postcode|place|numbers|care`; "" if either is missing.

    `髙橋 一郎様 〒150-0001 渋谷区神宮前一丁目２番３号 みどりハイツ101` and `高橋一郎 東京都渋谷区神宮前1-2-3-101`
    have one form. Idempotent: a delivery written from the parts has the same form.
    """
    return str(postal(delivery) or "")
