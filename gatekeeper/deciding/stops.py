"""The suppressions of a person that are in force: not taken away, and not replaced (domain rule 8.1.40)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from gatekeeper.deciding.facts import GUARDIAN, Facts, HeldEvent, HeldSuppression, Hit
from gatekeeper.deciding.redacted import changed, word
from gatekeeper.ground.times import Span
from schemas.events import Scope, Suppression

REGISTER = "external"
"""The kind of a stop from a register of people who want no mail."""


class Stops(NamedTuple):
    """The suppressions of a person, with the looks at whose they are, as they stand at one instant.

    `span`: the time span of a written time. `at`: the instant in microseconds. `floor`: the certainty of a match from
    which on only two managers take a stop away. `skew_ms`: the time by which a look may be ahead.
    """

    hits: Sequence[Hit]
    looks: Sequence[HeldEvent]
    span: Callable[[str], Span]
    at: int
    floor: int
    skew_ms: int

    @classmethod
    def of(cls, facts: Facts, span: Callable[[str], Span], at: int, floor: int = 0, skew_ms: int = 0) -> Stops:
        """The suppressions among the facts of a person; without `floor` each match counts as certain."""
        looks = [event for event in facts.events if event.kind == "identity_resolved"]
        return cls(facts.suppressions, looks, span, at, floor, skew_ms)

    def in_force(self) -> tuple[Hit, ...]:
        """The suppressions that nothing takes away or replaces.

        A version replaces another only if it was not received earlier and names the person at least as surely.
        What takes one away is heard only if enough people stand for it.
        """
        settling = [hit for hit in self.hits if _withdraws(hit.stop) or hit.stop.state == "upheld"]
        if not settling and not self.looks:
            return tuple(self.hits)
        return tuple(
            hit
            for hit in self.hits
            if not _withdraws(hit.stop)
            and not any(self._settles(by, hit) for by in settling if by is not hit and not _withdraws(by.stop))
            and not self._taken_away(hit, proven=True)
        )

    def unproven(self) -> bool:
        """True if a stop in force would be taken away, if enough people stood for it."""
        if not self.looks and not any(_withdraws(hit.stop) for hit in self.hits):
            return False
        return any(self._taken_away(hit, proven=False) for hit in self.in_force())

    def _taken_away(self, hit: Hit, *, proven: bool) -> bool:
        """True if corrections of a stop, or looks at whose it is, take it away. All who stand for them count together.

        `proven`: only if they are enough. One of the staff is for a weak match, else it takes two managers. The
        correction of an erasure always takes two.
        """
        corrections = [by for by in self.hits if _withdraws(by.stop) and self._settles(by, hit)]
        said: list[HeldSuppression | HeldEvent] = [by.stop for by in corrections if by is not hit]
        said += [event for event in self.looks if self._is_of_another(event, hit, proven=proven)]
        if not proven or not said:
            return bool(said)
        staff = {person for event in said if event.kind != "erasure" for person in event.staff}
        managers = {person for event in said for person in event.managers}
        return len(managers) > 1 or (hit.score < self.floor and bool(staff))

    def _is_of_another(self, event: HeldEvent, hit: Hit, *, proven: bool) -> bool:
        """True if somebody who looked at a stop as it stands says that it is not this person's.

        Without `of` it is about the weak matches known by then. That counts only for one of before, which two managers
        name.
        """
        weak = hit.score < self.floor
        if hit.stop.suppression_id not in event.of and (event.of or not weak or (proven and len(event.managers) < 2)):
            return False
        looked = self.span(str(event.said)).first
        return looked <= self.at + self.skew_ms * 1000 and self._known(hit.stop) < looked

    def _known(self, stop: HeldSuppression) -> int:
        """The instant from which a stop was known as it stands, in microseconds; of equal words the first."""
        versions = (hit.stop for hit in self.hits if hit.stop.suppression_id == stop.suppression_id)
        return min(known_since(version, self.span, self.at) for version in versions if _same_word(version, stop))

    def _settles(self, by: Hit, hit: Hit) -> bool:
        if (by.stop.kind, by.stop.suppression_id) != (hit.stop.kind, hit.stop.suppression_id) or by.score < hit.score:
            return False
        settled, lifted = self.span(hit.stop.received_at), self.span(by.stop.received_at)
        later = lifted == settled or lifted.first >= settled.last
        if not later or not _covers(by.stop.scope, hit.stop.scope):
            return False
        if _withdraws(by.stop):
            return self._stood(hit.stop, by.stop)
        return is_open(hit.stop) and (hit.stop.expressed_by != GUARDIAN or by.stop.expressed_by == GUARDIAN)

    def _stood(self, stop: HeldSuppression, by: HeldSuppression) -> bool:
        """True if a stop, as it was said, was there when it was corrected. In a file nothing says when it arrived."""
        versions = (hit.stop for hit in self.hits if hit.stop.suppression_id == stop.suppression_id)
        arrivals = [version.arrived for version in versions if word(version) == word(stop)]
        known = [arrived for arrived in arrivals if arrived is not None and arrived * 1000 < self.at]
        if by.arrived is None or by.arrived * 1000 >= self.at or len(known) < len(arrivals):
            return True
        return min(known) <= by.arrived


def known_since(stop: HeldSuppression, span: Callable[[str], Span], at: int) -> int:
    """The instant from which a suppression was known: the end of its receipt, or its arrival if that is later.

    In microseconds. An arrival at the instant `at` of the decision is that of a record in a file, and says nothing.
    """
    arrived = (stop.arrived or 0) * 1000
    return max(span(stop.received_at).last, arrived if arrived < at else 0)


def is_open(stop: Suppression) -> bool:
    """True if a stop is a request for cessation that nobody has decided yet."""
    return stop.kind == "cessation" and stop.state in (None, "open", "active")


def _same_word(one: HeldSuppression, other: HeldSuppression) -> bool:
    """True if a stop was said twice. So is a copy, one entered again, and an entry of a register's newer file."""
    if one.kind == other.kind == REGISTER:
        other = changed(other, received_at=one.received_at)
    return word(one) == word(other)


def _covers(wide: Scope, scope: Scope) -> bool:
    """True if a scope names nothing that another one does not name alike."""
    pairs = (
        (wide.controller, scope.controller),
        (wide.group, scope.group),
        (wide.purpose, scope.purpose),
        (wide.channels or None, scope.channels or None),
        (wide.contact_point, scope.contact_point),
    )
    return all(one in (None, "*", ("*",)) or one == other for one, other in pairs)


def _withdraws(stop: Suppression) -> bool:
    return stop.state == ("rejected" if stop.kind == "cessation" else "corrected")
