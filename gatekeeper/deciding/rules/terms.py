"""The terms of joint use that were published when data were shared (APPI 27(5)(iii); rules 6.2, 7.5.23)."""

from __future__ import annotations

from gatekeeper.deciding.case import Case
from schemas.events import JointUseTerms, Source
from schemas.topics import DAY_MS

SET_UP_MS = DAY_MS
"""Versions that arrive so long after the first one count from their publication."""
LATE_MS = 30 * DAY_MS
"""A version that arrives more than so long after its publication counts from its arrival."""


def terms_in_force(case: Case, source: Source) -> tuple[int, JointUseTerms] | None:
    """The newest complete terms from before the data were shared, and the instant from which they count (microseconds).

    A record of the same version replaces the earlier one from the instant on from which it counts.
    """
    shared = source.shared_at or source.acquired_at
    if shared is None or source.terms_id is None:
        return None
    newest: dict[str, tuple[int, str, int, JointUseTerms]] = {}
    for order, (since, terms) in enumerate(_counting(case, source.terms_id)):
        number = str(terms.version).rjust(16)
        candidate = (since, number, order, terms)
        if (
            since < case.span(shared).first
            and since <= case.at
            and (number not in newest or newest[number][0] <= since)
        ):
            newest[number] = candidate
    complete = [candidate for candidate in newest.values() if candidate[3].complete]
    if not complete:
        return None
    since, _, _, terms = max(complete, key=lambda candidate: candidate[:3])
    return since, terms


def _counting(case: Case, terms_id: str) -> list[tuple[int, JointUseTerms]]:
    """All versions in the order of arrival, each with the instant from which it counts."""
    versions = case.reference.terms.get(terms_id)
    if versions is None:
        return []
    dated, first = [], next(iter(versions)).arrived
    for number, version in enumerate(versions, 1):
        published = case.span(version.model.published_at).last
        late = version.arrived * 1000 > published + LATE_MS * 1000 and version.arrived > first + SET_UP_MS
        dated.append((version.arrived * 1000 if late and number not in versions.resolved else published, version.model))
    return dated
