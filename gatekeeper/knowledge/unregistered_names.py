"""The names in refusals that nobody registered in time, for the person who can correct them (domain rule 7.1.5)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from gatekeeper.deciding.arrival import ENDS, WILL_KINDS
from gatekeeper.deciding.reference import Reference
from gatekeeper.deciding.scope import purpose_known
from gatekeeper.knowledge.journals import NamedInRefusal
from schemas.events import NO_STATES, Consent, Suppression

NAMES, PEOPLE = 1000, 1000
"""Names, and people for each of them, that are kept; more are not counted."""
PURPOSE, COMPANY = "purpose", "controller"
KIND = "suppression"
"""In place of these, for the kind of a stop that no rule reads (rule 8.3.52). Nobody can register one."""


class ReadWide(NamedTuple):
    """A purpose or company, as kind/id, that refusals name and nobody registered before them. Or a kind of stop.

    `people`: the people whose refusals are read wide. `record`: the first such refusal, as topic/partition/offset.
    """

    name: str
    people: int
    record: str


class NamedByRefusals:
    """The purposes and companies that refusals name, with the people and the arrivals."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, str], dict[str, tuple[int, str]]] = {}

    def add(self, model: Any, *, whom: str, record: str, arrived: int) -> Iterator[NamedInRefusal]:
        """Takes in a fact, and yields what is new. `whom`: its person or token. `record`: its place.

        `arrived`: in milliseconds.
        """
        for kind, code in _names(model):
            if self.take(name := NamedInRefusal(kind, code, whom, arrived, record)):
                yield name

    def take(self, name: NamedInRefusal) -> bool:
        """Takes in a name in a refusal. The result tells whether it is new and kept."""
        key = name.kind, name.code
        if key not in self._held and len(self._held) >= NAMES:
            return False
        people = self._held.setdefault(key, {})
        if len(people) >= PEOPLE or name.whom in people:
            return False
        people[name.whom] = name.arrived, name.record
        return True

    def unregistered(self, reference: Reference) -> list[ReadWide]:
        """The names without a record that may narrow the refusals, most people first."""
        names = []
        for (kind, code), people in self._held.items():
            wide = [record for arrived, record in people.values() if not _known(reference, kind, code, arrived)]
            if wide:
                names.append(ReadWide(f"{kind}/{code}", len(wide), wide[0]))
        return sorted(names, key=lambda name: (-name.people, name.name))


def _names(model: Any) -> Iterator[tuple[str, str]]:
    named: tuple[str | None, str | None] = None, None
    if isinstance(model, Consent) and (model.state in NO_STATES or (model.state in ENDS and not model.voids)):
        named = model.purpose, model.controller_id
    elif isinstance(model, Suppression) and model.kind in WILL_KINDS:
        named = model.scope.purpose, model.scope.controller
    for kind, code in zip((PURPOSE, COMPANY), named, strict=True):
        if code not in (None, "*"):
            yield kind, str(code)


def _known(reference: Reference, kind: str, code: str, arrived: int) -> bool:
    if kind == KIND:
        return False
    if kind == PURPOSE:
        return purpose_known(reference.purposes.registered, code, arrived)
    since = reference.companies.get(code)
    return since is not None and (since.by_two or since.arrived <= arrived)
