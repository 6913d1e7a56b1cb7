"""The companies that a person's refusals name, and those registered later than the refusal (domain rule 7.1.5)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from gatekeeper.deciding.arrival import WILL_KINDS
from gatekeeper.deciding.facts import HeldConsent, Hit
from gatekeeper.deciding.reference import Reference
from gatekeeper.knowledge.token_keys import EVERYBODY, StopScope
from schemas.events import GIVEN_STATES, Source


def named(reference: Reference, consents: Iterable[HeldConsent], hits: Iterable[Hit]) -> Mapping[str, int | None]:
    """The companies that refusals name, alone or by their group, each with the earliest arrival (milliseconds)."""
    arrivals: dict[str, int | None] = {}
    for company, arrived in _named(reference, consents, hits):
        had = arrivals.get(company, arrived)
        arrivals[company] = None if had is None or arrived is None else min(had, arrived)
    return arrivals


def late(reference: Reference, companies: Mapping[str, int | None]) -> dict[str, int]:
    """The arrivals of companies registered after a refusal that names them, without the word of two managers."""
    arrivals = {}
    for company, arrived in companies.items():
        since = reference.companies.get(company)
        if since and not since.by_two and (arrived is None or since.arrived > arrived):
            arrivals[company] = since.arrived
    return arrivals


def left(reference: Reference, hits: Iterable[Hit], companies: Iterable[str]) -> dict[str, dict[str, int]]:
    """By company the groups that stops name and that it left by the record of one manager, with its arrival."""
    groups = {hit.stop.scope.group for hit in hits if hit.stop.kind in WILL_KINDS}
    if not groups or not reference.left:
        return {}
    by_company = {
        company: {group: at for group, at in reference.left.get(company, {}).items() if group in groups}
        for company in companies
    }
    return {company: those for company, those in by_company.items() if those}


def may_bind(reference: Reference, scope: StopScope, arrived: int, companies: Iterable[str]) -> bool:
    """False only if a stop with this scope binds none of these companies, whatever else it says (rule 7.1.5).

    `arrived`: milliseconds. A company or group that was not registered by then counts as every one.
    """
    if scope == EVERYBODY or (scope.company and not _registered(reference, scope.company, arrived)):
        return True
    members = {company.id for company in reference.controllers.values() if scope.group and company.group == scope.group}
    if scope.group and not any(_registered(reference, member, arrived) for member in members):
        return True
    return any(
        company == scope.company or company in members or scope.group in reference.left.get(company, ())
        for company in companies
    )


def _registered(reference: Reference, company: str, arrived: int) -> bool:
    since = reference.companies.get(company)
    return since is not None and (since.by_two or since.arrived <= arrived)


def predecessors(sources: Iterable[Source]) -> Iterator[str]:
    """Yields the companies from which the person's data came by a succession."""
    for source in sources:
        if source.succession:
            yield source.succession.predecessor


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
