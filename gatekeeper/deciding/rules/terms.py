"""The terms of joint use that were published when data were shared (APPI 27(5)(iii); rules 6.2, 7.5.23)."""

from __future__ import annotations

from typing import NamedTuple

from gatekeeper.deciding.case import Case
from schemas.events import JointUseTerms, Source
from schemas.topics import DAY_MS

SET_UP_MS = DAY_MS
"""Versions that arrive so long after the first one count from their publication."""
LATE_MS = 30 * DAY_MS
"""A version that arrives more than so long after its publication counts from its arrival."""


class TermsInForce(NamedTuple):
    """A version of terms: the instant from which it counts (microseconds), and its arrival (milliseconds)."""

    since: int
    arrived: int
    terms: JointUseTerms


def terms_in_force(case: Case, source: Source) -> TermsInForce | None:
    """The newest complete terms from before the data were shared.

    A record of the same version replaces the earlier one from the instant on from which it counts.
    """
    shared = source.shared_at or source.acquired_at
    if shared is None or source.terms_id is None:
        return None
    newest: dict[str, tuple[int, str, int, TermsInForce]] = {}
    for order, version in enumerate(_counting(case, source.terms_id)):
        since, number = version.since, str(version.terms.version).rjust(16)
        if (
            since < case.span(shared).first
            and since <= case.at
            and (number not in newest or newest[number][0] <= since)
        ):
            newest[number] = (since, number, order, version)
    complete = [candidate for candidate in newest.values() if candidate[3].terms.complete]
    return max(complete, key=lambda candidate: candidate[:3])[3] if complete else None


def _counting(case: Case, terms_id: str) -> list[TermsInForce]:
    """All versions in the order of arrival."""
    versions = case.reference.terms.get(terms_id)
    if versions is None:
        return []
    counting, first = [], next(iter(versions)).arrived
    for number, version in enumerate(versions, 1):
        published = case.span(version.model.published_at).last
        late = version.arrived * 1000 > published + LATE_MS * 1000 and version.arrived > first + SET_UP_MS
        since = version.arrived * 1000 if late and number not in versions.resolved else published
        counting.append(TermsInForce(since, version.arrived, version.model))
    return counting
