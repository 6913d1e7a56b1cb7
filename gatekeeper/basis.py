"""The basis: the source that a send stands on, the one with the fewest and mildest reasons (domain rule 6.2)."""

from __future__ import annotations

from typing import NamedTuple

from gatekeeper.case import Case
from gatekeeper.consent import Standing
from gatekeeper.reasons import CATALOGUE, VERDICTS, Found
from gatekeeper.rules import consent as consent_rules
from gatekeeper.rules import source as source_rules
from gatekeeper.rules import unruled
from schemas.events import Consent, Source

_LANES = ("own", "shared", "other", "unknown")


class Basis(NamedTuple):
    """A source judged by the lane of its acquisition method, with the consent that leaves it the best.

    `source` is None where none is on file. `reasons` may hold codes that are not in the catalogue yet.
    """

    source: Source | None
    reasons: tuple[Found, ...]
    notes: frozenset[str] = frozenset()

    @property
    def own(self) -> bool:
        """Whether the person gave the data to us."""
        return self.source is not None and self.source.method.startswith("direct.")


def choose(case: Case, standing: Standing) -> Basis:
    """Returns the basis: the smallest by worst verdict, number of reasons, own before other, and source id.

    Where the best is not clean and another source's reasons are not all known yet, theirs are added: that source
    might have been the basis.
    """
    counting = [source for source in case.facts.sources if _counts(case, source)]
    judged = [_judge(case, source, standing) for source in counting or case.facts.sources]
    if not judged:
        return Basis(None, (*source_rules.unknown(case, None), *consent_rules.lacking(case, standing)))
    best = _best(judged)
    extra = [] if counting else [Found("CONTACT_POINT_NOT_COVERED", tuple(s.source_id for s in case.facts.sources))]
    extra += unruled.conflict(case, best.source, counting)
    if best.reasons:
        extra += [reason for other in judged if other is not best for reason in other.reasons if _unknown(reason)]
    return Basis(best.source, (*best.reasons, *extra), best.notes)


def _judge(case: Case, source: Source, standing: Standing) -> Basis:
    """Judges one source with each consent that stands, the latest first, and keeps the best."""
    lacking = (*unruled.source(case, source), *consent_rules.lacking(case, standing))
    return _best([_lane(case, source, consent, lacking) for consent in standing.stands or (None,)])


def _lane(case: Case, source: Source, consent: Consent | None, lacking: tuple[Found, ...]) -> Basis:
    if source.method.startswith("direct."):
        reasons, notes = source_rules.own(case, source, consent)
    elif source.method == "unknown.legacy":
        reasons, notes = source_rules.unknown(case, source), frozenset()
    else:
        reasons, notes = source_rules.third_party(case, source, consent), frozenset()
    return Basis(source, (*lacking, *reasons), notes)


def _counts(case: Case, source: Source) -> bool:
    return not source.contact_points or case.names_contact_point(source)


def _best(judged: list[Basis]) -> Basis:
    return judged[0] if len(judged) == 1 else min(judged, key=_rank)


def _rank(basis: Basis) -> tuple[int, int, int, str]:
    assert basis.source is not None
    weights = [
        len(VERDICTS) if _unknown(reason) else VERDICTS.index(CATALOGUE[reason.code].verdict)
        for reason in basis.reasons
    ]
    lane = _LANES.index(source_rules.lane(basis.source))
    return max(weights, default=0), len(weights), lane, basis.source.source_id


def _unknown(reason: Found) -> bool:
    return reason.code not in CATALOGUE
