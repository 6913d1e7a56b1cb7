"""The companies that a person's refusals name, and those registered later than the refusal (domain rule 7.1.5)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from gatekeeper.deciding.arrival import WILL_KINDS
from gatekeeper.deciding.facts import HeldConsent, Hit
from gatekeeper.deciding.reference import Reference
from schemas.events import GIVEN_STATES


def named(reference: Reference, consents: Iterable[HeldConsent], hits: Iterable[Hit]) -> Mapping[str, int | None]:
    """The companies that refusals name, alone or by their group, each with the earliest arrival (milliseconds)."""
    found: dict[str, int | None] = {}
    for company, arrived in _named(reference, consents, hits):
        had = found.get(company, arrived)
        found[company] = None if had is None or arrived is None else min(had, arrived)
    return found


def late(reference: Reference, companies: Mapping[str, int | None]) -> dict[str, int]:
    """The arrivals of companies registered after a refusal that names them, without the word of two managers."""
    found = {}
    for company, arrived in companies.items():
        since = reference.companies.get(company)
        if since and not since.by_two and (arrived is None or since.arrived > arrived):
            found[company] = since.arrived
    return found


def _named(
    reference: Reference, consents: Iterable[HeldConsent], hits: Iterable[Hit]
) -> Iterator[tuple[str, int | None]]:
    for event in consents:
        if event.state not in GIVEN_STATES and event.controller_id != "*":
            yield event.controller_id, event.arrived
    for hit in hits:
        scope = hit.stop.scope
        if hit.stop.kind in WILL_KINDS and scope.controller not in (None, "*"):
            yield str(scope.controller), hit.stop.arrived
        if hit.stop.kind in WILL_KINDS and scope.group not in (None, "*"):
            for company in reference.controllers.values():
                if company.group == scope.group:
                    yield company.id, hit.stop.arrived
