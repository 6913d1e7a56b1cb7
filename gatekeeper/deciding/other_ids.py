"""The nos of a person that bind the sends of other ids (domain rule 8.1.36)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from gatekeeper.deciding import recording, scope
from gatekeeper.deciding.arrival import STATUS_KINDS
from gatekeeper.deciding.children import guarded
from gatekeeper.deciding.consent_proof import unsaid
from gatekeeper.deciding.facts import GUARDIAN, Facts, HeldConsent, HeldSuppression
from gatekeeper.deciding.reference import Reference
from gatekeeper.deciding.refusals import succeeded
from gatekeeper.deciding.stops import Stops
from gatekeeper.ground import times
from gatekeeper.ground.times import Span
from schemas.events import NO_STATES

_SCOPE = ("controller", "group", "purpose", "channels")
_EVERY: tuple[Any, ...] = (None, "*", (), [])


class CrossingNo(NamedTuple):
    """A no as other ids meet it. `fact`: its id among those of who said it. `event`: its redacted form without an id.

    `point`: the contact point by whose tokens alone it crosses; None = by all.
    """

    fact: str
    point: str | None
    event: dict[str, Any]


class Speaker(NamedTuple):
    """A person apart from any send.

    `zone`: the time zone of the policy that reads the nos. `at`: the instant of the reading, in microseconds.
    """

    facts: Facts
    reference: Reference
    zone: str
    at: int

    def span(self, text: str, /) -> Span:
        """The time span that a written time denotes."""
        return times.span(text, self.zone)

    def nos(self) -> Iterator[CrossingNo]:
        """Yields the person's objections, cessations, returned pieces, death and erasures, withdrawals and refusals."""
        for hit in Stops.of(self.facts, self.span, self.at).in_force():
            if hit.stop.kind != "undeliverable":
                yield self._stop(hit.stop)
        for event in self.facts.consents:
            if event.state in NO_STATES and not unsaid(event):
                yield self._word(scope.read(self, event))

    def _stop(self, stop: HeldSuppression) -> CrossingNo:
        status = stop.kind in STATUS_KINDS
        read = stop if status else scope.read_stop(self, stop)
        point = None if status or stop.kind == "refusal_returned" else read.scope.contact_point
        event = {
            "kind": stop.kind,
            "received_at": stop.received_at,
            "effective_at": stop.effective_at,
            "effective_until": stop.effective_until,
            "state": stop.state,
            "arrived": stop.arrived,
            "recorded_at": stop.recorded_at,
            "confirmed": recording.name(stop) in self.facts.confirmed,
            "scope": {} if status else {name: getattr(read.scope, name) for name in _SCOPE},
            "expressed_by": self._speaker(stop.expressed_by, stop.received_at),
            "succeeded": succeeded(self, stop) is not None,
        }
        return _crossing(f"suppression/{stop.suppression_id}", point, event)

    def _word(self, no: HeldConsent) -> CrossingNo:
        said = no.event_time or no.recorded_at
        deals = (source.succession for source in self.facts.sources)
        event = {
            "kind": "objection",
            "word": no.state,
            "received_at": said,
            "arrived": no.arrived,
            "recorded_at": no.recorded_at,
            "confirmed": recording.name(no) in self.facts.confirmed,
            "answers": no.state == "Refused" and no.answers is not None,
            "scope": {"controller": no.controller_id, "purpose": no.purpose, "channels": list(no.channels)},
            "expressed_by": self._speaker(no.expressed_by, said),
            "succeeded": any(deal is not None and deal.predecessor == no.controller_id for deal in deals),
        }
        return _crossing(f"consent/{no.record_id}", no.contact_point_id, event)

    def _speaker(self, speaker: str | None, said: str) -> str | None:
        """The speaker of a no; the guardian also for an unknown speaker after a guardian's yes (rule 7.1.3)."""
        return GUARDIAN if guarded(self, speaker, self.span(said)) else speaker


def _crossing(fact: str, point: str | None, event: dict[str, Any]) -> CrossingNo:
    event["scope"] = {name: value for name, value in event["scope"].items() if value not in _EVERY}
    kept = {name: value for name, value in event.items() if value not in (None, False, {})}
    return CrossingNo(fact, None if point == "*" else point, {"v": 1, "of_another": True, **kept})
