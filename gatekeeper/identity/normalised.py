"""A name and address as printed, with each letter in one form, so that nothing is brought into it twice."""

from __future__ import annotations

from typing import NamedTuple

from gatekeeper.identity.letters import alike
from gatekeeper.identity.name import person_of
from schemas.events import Delivery


class Spelled(NamedTuple):
    """The printed texts of a delivery in one form (`letters.alike`), without white space around them."""

    name: str
    postcode: str
    """The postcode's own field."""
    lines: tuple[str, ...]
    """Those that hold anything."""
    person: str
    """The normalised name (`normalise_name`)."""

    @classmethod
    def of(cls, delivery: Delivery) -> Spelled:
        """The texts of a delivery."""
        name = alike(delivery.name)
        lines = tuple([line for raw in delivery.lines if (line := alike(raw).strip())])
        postcode = alike(delivery.postcode).strip() if delivery.postcode else ""
        return cls(name.strip(), postcode, lines, person_of(name))
