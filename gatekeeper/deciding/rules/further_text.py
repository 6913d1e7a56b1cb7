"""The text beside name and address, and the facts that account for all of it (domain rule 8.3.54)."""

from __future__ import annotations

from collections.abc import Iterator

from gatekeeper.deciding.case import Case
from gatekeeper.deciding.facts import HeldEvent
from gatekeeper.deciding.rules.source import state
from gatekeeper.ground.times import Span
from schemas.events import Source, SourceContactPoint


def accounted(case: Case) -> bool:
    """True if one fact accounts for all further text: a source, or what one of the staff accepted."""
    if not case.facts.further:
        return False
    ids = {source.source_id for source in case.facts.sources}
    return any(_source_gave(case, id_) for id_ in ids) or any(_accepts(case, event) for event in case.facts.events)


def _source_gave(case: Case, id_: str) -> bool:
    """True if each version of a source gave the lines."""
    return all(_gave(case, source) for source in case.facts.sources if source.source_id == id_)


def _gave(case: Case, source: Source) -> bool:
    """True if an active source that covers the send gave the lines itself, for the sender's use."""
    trust = source.entrustment
    here = [point for point in source.contact_points if case.is_here(point.id)]
    return (
        case.covers(source)
        and not any(point.derived_from for point in here)
        and any(_has_lines(case, point) for point in here)
        and not state(case, source)
        and (trust.entruster == case.send.controller_id if trust else source.method != "indirect.entrusted")
    )


def _accepts(case: Case, event: HeldEvent) -> bool:
    """True if one of the staff accepted the text at the contact point, which still has this address."""
    point = case.send.contact_point.id
    return (
        event.kind == "print_accepted"
        and bool(event.staff)
        and event.contact_point_id == point
        and any(hash_ in event.further for hash_ in case.facts.further[0])
        and case.span(str(event.said)).first <= case.at + case.policy.skew_ms * 1000
        and (point not in case.facts.points or case.was_here(point, Span(case.at, case.at)))
        and all(_has_lines(case, here) for here in _given(case, point))
    )


def _given(case: Case, point: str) -> Iterator[SourceContactPoint]:
    """The contact points of this id for which a source gave lines. Another line ends what was accepted."""
    for source in case.facts.sources:
        yield from (here for here in source.contact_points if here.id == point and here.further)


def _has_lines(case: Case, point: SourceContactPoint) -> bool:
    """True if a source gave each line there, and all are of closed lists."""
    _, *lines = case.facts.further
    return bool(lines) and all(any(hash_ in point.further for hash_ in line) for line in lines)
