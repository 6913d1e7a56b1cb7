"""The unreadable records that nobody has resolved, and the people whom each of them withholds."""

from __future__ import annotations

from collections.abc import Iterable

from gatekeeper.deciding.facts import WHOLE_BATCH
from schemas.record import Coordinates

WITHHELD = 100_000
"""Names of unreadable records that are kept. Each record beyond withholds everybody until it is resolved."""


class Unresolved:
    """Unreadable records by place: `add` withholds the people whom one names, and `resolve` lets them go.

    The order of the calls does not matter: a record that was resolved before it was read withholds nobody.
    """

    def __init__(self) -> None:
        self.faults: dict[Coordinates, str] = {}
        """The fault of each unresolved record."""
        self.stray: dict[Coordinates, str] = {}
        """Those that name nobody, and so withhold nobody."""
        self._by_name: dict[str, set[Coordinates]] = {}  # recipient id, token, or a reference's kind/id
        self._names: dict[Coordinates, frozenset[str]] = {}
        self._count = 0
        self._of_everybody: set[Coordinates] = set()
        self._batches: set[Coordinates] = set()  # first offsets of unreadable batches
        self._resolved: set[Coordinates] = set()

    def copy(self) -> Unresolved:
        """The same records and people; a later call on one changes nothing of the other."""
        found = Unresolved()
        for name, value in vars(self).items():
            setattr(found, name, value if isinstance(value, int) else value.copy())
        found._by_name = {name: set(places) for name, places in self._by_name.items()}
        return found

    @property
    def withhold_everybody(self) -> bool:
        """True if an unreadable record or batch may concern anybody."""
        return bool(self._of_everybody)

    def add(self, place: Coordinates, fault: str, names: frozenset[str]) -> bool:
        """Adds a record that names these people; the result tells whether it withholds by name.

        `names`: recipient ids, tokens, or a reference's kind/id. A record beyond WITHHELD names withholds everybody.
        """
        if place in self._resolved:
            return False
        if place in self._names:
            return True
        self.faults[place] = fault
        if self._count + len(names) > WITHHELD:
            self._of_everybody.add(place)
            return False
        if not names:
            self.stray[place] = fault
        self._count += len(names)
        self._names[place] = names
        for name in names:
            self._by_name.setdefault(name, set()).add(place)
        return True

    def add_batch(self, place: Coordinates, fault: str) -> bool:
        """Adds a batch at its first offset, which withholds everybody; the result is False for a known one."""
        if place in self._batches:
            return False
        self._batches.add(place)
        if place not in self._resolved:
            self.faults[place] = fault
            self._of_everybody.add(place)
        return True

    def resolve(self, place: Coordinates) -> None:
        """Lets go whom the record at this place withholds, now and when it is read again."""
        self._resolved.add(place)
        self.faults.pop(place, None)
        self.stray.pop(place, None)
        self._of_everybody.discard(place)
        names = self._names.pop(place, frozenset())
        self._count -= len(names)
        for name in names:
            self._by_name[name].discard(place)
            if not self._by_name[name]:
                del self._by_name[name]

    def naming(self, names: Iterable[str]) -> list[str]:
        """The places of the records that name one of these or may concern anybody, as TOPIC/PARTITION/OFFSET."""
        if not self._by_name and not self._of_everybody:
            return []
        places = set().union(*(self._by_name.get(name, ()) for name in names))
        everybody = ("/".join((*map(str, place), WHOLE_BATCH)) for place in self._of_everybody)
        return [*("/".join(map(str, place)) for place in places), *everybody]
