"""The unreadable records that nobody has resolved, and the people whom each of them withholds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set

from gatekeeper.deciding.facts import WHOLE_BATCH
from gatekeeper.knowledge.withholding import BY_TWO, Whom, Withholding
from schemas.record import Coordinates

WITHHELD = 100_000
"""Names of unreadable records that are kept. Each record beyond withholds everybody until it is resolved."""
UNSIGNED = ""
"""The signer of a resolution from before the first person. It is enough for any record."""
Named = frozenset[str] | None
"""The recipient ids, tokens and kind/ids that a record names. None if it may concern anybody."""


class Unresolved:
    """Unreadable records by place: `add` withholds the people whom one names, and `resolve` lets them go.

    One manager resolves a record that names whom it withholds. A record that may concern anybody needs two. The order
    of the calls does not matter: a record that was resolved before it was read withholds nobody.
    """

    def __init__(self) -> None:
        self.faults: dict[Coordinates, str] = {}
        """The fault of each unresolved record."""
        self._arrived: dict[Coordinates, int] = {}
        self._by_name: dict[str, set[Coordinates]] = {}  # recipient id, token, or a reference's kind/id
        self._names: dict[Coordinates, Named] = {}
        self._count = 0
        self._of_everybody: set[Coordinates] = set()
        self._of_nobody: set[Coordinates] = set()
        self._batches: set[Coordinates] = set()  # first offsets of unreadable batches
        self._resolved: dict[Coordinates, frozenset[str]] = {}

    def copy(self) -> Unresolved:
        """The same records and people; a later call on one changes nothing of the other."""
        copied = Unresolved()
        for name, value in vars(self).items():
            setattr(copied, name, value if isinstance(value, int) else value.copy())
        copied._by_name = {name: set(places) for name, places in self._by_name.items()}
        return copied

    @property
    def withhold_everybody(self) -> bool:
        """True if an unreadable record or batch may concern anybody."""
        return bool(self._of_everybody)

    def concerns_anybody(self, place: Coordinates) -> bool:
        """True if the record at this place may concern anybody."""
        return self._names.get(place, frozenset()) is None

    def add(self, place: Coordinates, fault: str, names: Named, arrived: int) -> bool:
        """Adds a record that names these people; False if it withholds nobody more. `arrived`: milliseconds.

        A record without a name in `names` withholds nobody, until it is added again with one. A record beyond WITHHELD
        names withholds everybody.
        """
        known = self._names.get(place, frozenset())
        if (
            self._passed(place, names)
            or known is None
            or (place in self._names and names is not None and known >= names)
        ):
            return False
        self._drop(place)
        names = None if names is None else names | known
        self.faults[place], self._arrived[place], self._names[place] = fault, arrived, names
        if names is None or self._count + len(names) > WITHHELD:
            self._of_everybody.add(place)
            return True
        if not names:
            self._of_nobody.add(place)
        self._count += len(names)
        for name in names:
            self._by_name.setdefault(name, set()).add(place)
        return True

    def add_batch(self, place: Coordinates, fault: str, arrived: int) -> bool:
        """Adds a batch at its first offset, which withholds everybody; the result is False for a known one."""
        if place in self._batches:
            return False
        self._batches.add(place)
        self.add(place, fault, None, arrived)
        return True

    def resolve(self, place: Coordinates, by: str) -> bool:
        """Takes the word of a manager, or UNSIGNED, about the record at this place; True if that lets it go.

        It counts now, and when the record is read again.
        """
        self._resolved[place] = self._resolved.get(place, frozenset()) | {by}
        if not self._passed(place, self._names.get(place)):
            return False
        self._drop(place)
        return True

    def _drop(self, place: Coordinates) -> None:
        self.faults.pop(place, None)
        self._arrived.pop(place, None)
        names = self._names.pop(place, None) or frozenset()
        self._of_nobody.discard(place)
        if place in self._of_everybody:
            self._of_everybody.discard(place)
            return
        self._count -= len(names)
        for name in names:
            self._by_name[name].discard(place)
            if not self._by_name[name]:
                del self._by_name[name]

    def resolved_by(self, place: Coordinates) -> int:
        """The number of managers who resolved the record at this place, at most those that any record needs."""
        by = self._resolved.get(place, ())
        return BY_TWO if UNSIGNED in by else min(len(by), BY_TWO)

    def is_named(self, name: str) -> bool:
        """True if a record names this person, token or record of reference."""
        return name in self._by_name

    def naming(self, names: Iterable[str]) -> list[str]:
        """The places of the records that name one of these or may concern anybody, as TOPIC/PARTITION/OFFSET."""
        if not self._by_name and not self._of_everybody:
            return []
        places = set().union(*(self._by_name.get(name, ()) for name in names))
        everybody = ("/".join((*map(str, place), WHOLE_BATCH)) for place in self._of_everybody)
        return [*("/".join(map(str, place)) for place in places), *everybody]

    @property
    def counts(self) -> dict[Whom, int]:
        """The number of records by whom they withhold: `everybody`, `named` people, or `nobody`."""
        everybody, nobody = len(self._of_everybody), len(self._of_nobody)
        return {"everybody": everybody, "named": len(self.faults) - everybody - nobody, "nobody": nobody}

    def needed(self, place: Coordinates) -> int:
        """The number of managers who let the record at this place go."""
        return _needed(self._names.get(place, frozenset()))

    def withholding(self) -> Iterator[Withholding]:
        """Yields the records, those that withhold most people first."""
        named = self.faults.keys() - self._of_everybody - self._of_nobody
        by_whom: dict[Whom, Set[Coordinates]] = {
            "everybody": self._of_everybody, "named": named, "nobody": self._of_nobody,
        }  # fmt: skip
        for whom, places in by_whom.items():
            for place in sorted(places, key=lambda place: (self._arrived[place], place)):
                name, needed = "/".join(map(str, place)), _needed(self._names[place])
                yield Withholding(
                    name, self.faults[place], self._arrived[place], whom, (), self.resolved_by(place), needed
                )

    def _passed(self, place: Coordinates, names: Named) -> bool:
        return place in self._resolved and self.resolved_by(place) >= _needed(names)


def _needed(names: Named) -> int:
    """The number of managers who let a record go."""
    return BY_TWO if names is None else 1
