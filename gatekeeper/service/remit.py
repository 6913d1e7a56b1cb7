"""The remit of a caller: the companies for which it publishes, states and asks.

A stop of a person may come by anybody, as every way to say no counts (J.10, APPI 35). A correction of a stop binds all
companies, and so does an event that names none. Only a caller for all of them may state these.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Literal, NamedTuple

from schemas.events import NO_STATES, Consent, Fact, FeedDelivery, Send, Source, Suppression

Companies = Callable[[str, str], Collection[str]]
"""Gives the companies of the sources and consents of a person (the first argument) with an id (the second)."""


class Beyond(NamedTuple):
    """Something beyond a caller's companies, and the field that says so.

    `problem`: the name of the refusal; None for a stop of a person, which is taken and counted.
    """

    problem: Literal["controller_not_yours", "all_companies_needed"] | None
    field: str


def beyond(value: Send | Fact, ours: Collection[str], companies: Companies) -> Beyond | None:
    """The part of a send or a fact that goes beyond these companies; None if nothing does."""
    if isinstance(value, Send):
        return _not_ours(value.controller_id, ours, "controller_id")
    if isinstance(value, Source):
        # an id of another company's source would speak about that one: all versions of an id count
        named = companies(value.recipient_id, value.source_id)
        return _not_ours(value.collected_by, ours, "collected_by") or _named(named, ours, "source_id")
    if isinstance(value, Suppression):
        if value.state in ("corrected", "rejected"):
            return Beyond("all_companies_needed", "state")
        within = value.scope.group is None and value.scope.controller in ours
        return None if within else Beyond(None, "scope.controller")
    if isinstance(value, Consent):
        voided = companies(value.recipient_id, value.voids) if value.voids else ()
        excess = _not_ours(value.controller_id, ours, "controller_id") or _named(voided, ours, "voids")
        if value.state in NO_STATES:
            return excess and Beyond(None, excess.field)
        return excess or _named(companies(value.recipient_id, value.record_id), ours, "record_id")
    if isinstance(value, FeedDelivery):
        return None  # it counts only for a feed that names this caller
    return Beyond("all_companies_needed", "kind")


def _not_ours(company: str, ours: Collection[str], field: str) -> Beyond | None:
    return None if company in ours else Beyond("controller_not_yours", field)


def _named(companies: Collection[str], ours: Collection[str], field: str) -> Beyond | None:
    return None if set(companies).issubset(ours) else Beyond("controller_not_yours", field)
