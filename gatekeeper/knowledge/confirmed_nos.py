"""The nos and corrections of before for which two managers stand (domain rules 8.1.40, 8.1.41)."""

from __future__ import annotations

from collections.abc import Iterable

from gatekeeper.deciding.facts import HeldConsent, HeldSuppression
from gatekeeper.deciding.recording import name
from gatekeeper.ground.times import span
from gatekeeper.staff.roles import person
from gatekeeper.staff.signed_acts import Correctors
from schemas.events import NO_STATES, NosResolution

_NEVER = -(2**62)


class ConfirmedNos:
    """The resolutions of two managers about nos. Their order does not matter."""

    def __init__(self) -> None:
        self._named: dict[str, int] = {}  # by name, the instant in microseconds up to which it holds
        self._before = _NEVER
        self._corrections: dict[str, dict[frozenset[str], int]] = {}

    def take(self, said: NosResolution) -> None:
        """Takes a resolution that counts; one of a single manager confirms nothing."""
        if not said.by_two:
            return
        at = span(said.at, "UTC").first
        if said.confirms == "corrections":
            people = frozenset(map(person, said.by))
            for correction in said.of:
                stand = self._corrections.setdefault(correction, {})
                stand[people] = max(at, stand.get(people, _NEVER))
            return
        for one in said.of:
            self._named[one] = max(at, self._named.get(one, _NEVER))
        if said.before:
            self._before = max(self._before, min(at, span(said.before, "UTC").first))

    def stand_for(self, correction: str, arrived: int) -> Correctors:
        """The managers who stand for a correction that arrived before their resolution (`arrived`: milliseconds)."""
        stand = self._corrections.get(correction, {})
        people = frozenset().union(*(two for two, at in stand.items() if arrived * 1000 < at))
        return Correctors(people, people)

    def among(self, events: Iterable[HeldConsent | HeldSuppression], zone: str) -> frozenset[str]:
        """The names of the nos of a person whose dates are confirmed, in all their versions.

        `zone`: for a written time without offset.
        """
        if not self._named and self._before == _NEVER:
            return frozenset()
        latest: dict[str, int] = {}
        for one in events:
            if one.kind != "consent" or one.state in NO_STATES:
                latest[name(one)] = max(_recorded(one, zone), latest.get(name(one), _NEVER))
        return frozenset(
            no for no, entered in latest.items() if entered < max(self._before, self._named.get(no, _NEVER))
        )


def _recorded(no: HeldConsent | HeldSuppression, zone: str) -> int:
    """The end of the recording of a no, in microseconds."""
    if no.recorded_at:
        return span(no.recorded_at, zone).last
    return (no.arrived or 0) * 1000 if no.kind != "consent" else _NEVER
