"""The basis: the source on which a send rests, chosen by the fewest and mildest reasons (domain rule 6.2)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from gatekeeper.deciding.case import Case
from gatekeeper.deciding.consent import Consents, ConsentState
from gatekeeper.deciding.facts import HeldConsent
from gatekeeper.deciding.rules import channel as channel_rules
from gatekeeper.deciding.rules import confirmation, objections
from gatekeeper.deciding.rules import source as source_rules
from gatekeeper.deciding.rules.provider import provider
from gatekeeper.policy.methods import METHODS, RANKS
from gatekeeper.policy.reasons import CATALOGUE, WORST, Found
from schemas.events import Source

_ASKED_AGAIN = ("notice", "joint_use", "succession")
"""Conditions that an answer to an ask can replace."""
_MEASURED_BY_TERMS = ("PURPOSE_NOT_COVERED", "CONTROLLER_MISMATCH")


ILLICIT_COPY = "ILLICIT_COPY_ON_FILE"


class Basis(NamedTuple):
    """A source judged by the lane of its acquisition method, with the consent that gives the best result.

    `source`: None if no source is on file. `covers`: some source covers the send's contact point. `standing`: the
    person's consents as the lane reads them. `consent`: the effective one.
    """

    source: Source | None
    reasons: tuple[Found, ...]
    standing: ConsentState
    notes: frozenset[str] = frozenset()
    covers: bool = True
    consent: HeldConsent | None = None

    @property
    def own(self) -> bool:
        """True if the person gave the data to us."""
        return self.source is not None and source_rules.lane(self.source) == "own"


def choose(case: Case, consents: Consents) -> Basis:
    """The basis: the smallest by worst verdict, number of reasons, own before other, and source id."""
    sources = case.facts.sources
    counting = [source for source in sources if case.covers(source)]
    nearly = [] if counting else [source for source in sources if source.source_id in case.facts.contact_point_near]
    judged = [of(case, versions, consents) for versions in _versions(sources, counting or nearly or sources)]
    if not judged:
        standing = consents.standing((case.send.controller_id,))
        unrecorded = [channel_rules.record(case, yes, standing.after, consents) for yes in standing.stands]
        reasons = (*source_rules.unknown(case, None), *objections.taken_back(case, standing, consents), *standing.lacks)
        return Basis(None, (*reasons, *min(unrecorded, key=len, default=())), standing, covers=False)
    best = _best(judged)
    extra: list[Found] = []
    if not counting:
        extra.append(source_rules.uncovered(case, nearly or sources))
    if len(counting) > 1:
        conflict, notes = _conflict(case, best, counting)
        extra, best = [*extra, *conflict], best._replace(notes=best.notes | notes)
    return best._replace(reasons=(*best.reasons, *extra), covers=bool(counting or nearly)) if extra else best


def of(case: Case, versions: Sequence[Source], consents: Consents) -> Basis:
    """One source judged as if it were the only one; of several versions the worst, with the reasons of all."""
    if len(versions) == 1:
        return _judge(case, versions[0], consents)
    judged = [_judge(case, source, consents) for source in versions]
    reasons = tuple(reason for basis in judged for reason in basis.reasons)
    return max(judged, key=_rank)._replace(reasons=reasons, notes=frozenset().union(*(basis.notes for basis in judged)))


def _versions(sources: Sequence[Source], counting: Sequence[Source]) -> Iterable[Sequence[Source]]:
    """The sources that count, each with all its versions."""
    if len(sources) == 1:
        return (sources,)
    ids = dict.fromkeys(source.source_id for source in counting)
    return [[source for source in sources if source.source_id == id_] for id_ in ids]


def _judge(case: Case, source: Source, consents: Consents) -> Basis:
    """Judges one source with each valid consent, the latest first, and keeps the best."""
    state = source_rules.state(case, source)
    if METHODS[source.method].condition == "entrustment" and (refused := source_rules.own_use(case, source)):
        return Basis(source, (*state, *refused), consents.standing((case.send.controller_id,)))
    standing = consents.standing(_parties(case, source))
    before = (*state, *objections.taken_back(case, standing, consents))
    if len(standing.stands) < 2:
        consent = standing.stands[0] if standing.stands else None
        return _lane(case, source, consent, before=before, consents=consents, standing=standing)
    return _best(
        [_lane(case, source, yes, before=before, consents=consents, standing=standing) for yes in standing.stands]
    )


def _lane(
    case: Case,
    source: Source,
    consent: HeldConsent | None,
    *,
    before: tuple[Found, ...],
    consents: Consents,
    standing: ConsentState,
) -> Basis:
    notes: frozenset[str] = frozenset()
    condition = METHODS[source.method].condition
    reasons = [*before]
    lacks: Iterable[Found] = standing.lacks
    asking = bool(lacks)
    match condition:
        case "notice":
            gaps, notes = source_rules.own(case, source, consent)
            reasons += gaps
        case "joint_use":
            lacks = [reason for reason in lacks if reason.code not in _MEASURED_BY_TERMS]
            hidden = len(lacks) < len(standing.lacks)
            reasons += source_rules.joint_use(case, source, consent, hidden=hidden)
        case "succession":
            reasons += source_rules.succession(case, source, consent)
        case "entrustment":
            pass  # own use is refused before, and the entruster's consent is the sender's
        case "confirmation":
            if METHODS[source.method].provider_checked:
                reasons += provider(case, source)
            asking = False
            if not confirmation.confirmed(case, source, consent):
                unconfirmed = confirmation.unconfirmed(case, source, consent)
                asking = bool(unconfirmed or lacks)
                if unconfirmed and not confirmation.asked(case, source, consents):
                    reasons.append(unconfirmed)
            if not asking and (nos := confirmation.refusals(case, source, consents).left):
                reasons.append(confirmation.refused(case, nos))
        case _:
            assert condition == "origin", condition
            asking = False
            reasons += source_rules.unknown(case, source)
    if case.facts.asks and condition in _ASKED_AGAIN:
        asking = asking or any(CATALOGUE[reason.code].verdict == "confirm" for reason in reasons)
    if asking and (lifecycle := confirmation.lifecycle(case, source, consents)):
        reasons += lifecycle
        lacks = [reason for reason in lacks if reason.code != "CONSENT_MISSING"]
    reasons += lacks
    if case.send.channel != "postal" and consent is not None:
        reasons += channel_rules.record(case, consent, standing.after, consents)
    return Basis(source, tuple(reasons), standing, notes, consent=consent)


def parties(case: Case, versions: Sequence[Source]) -> tuple[str, ...]:
    """The sender, and whoever else is a party to a version of a source."""
    named = [party for source in versions for party in _parties(case, source)]
    return tuple(dict.fromkeys((case.send.controller_id, *named)))


def _parties(case: Case, source: Source) -> tuple[str, ...]:
    """The parties to which a consent may have been given to support a source of this lane."""
    predecessor = source.succession.predecessor if source.succession else None
    parties = {"sender": case.send.controller_id, "collector": source.collected_by, "predecessor": predecessor}
    return tuple([party for role in METHODS[source.method].yes_to if (party := parties[role])])


def _conflict(case: Case, best: Basis, counting: Iterable[Source]) -> tuple[list[Found], frozenset[str]]:
    """SOURCE_CONFLICT: another source of the same contact point contradicts the basis.

    A source contradicts the basis if it is illicit, or of another class while the basis is unproven. So does another
    version of the basis with another acquisition. An illicit source beside a proven own one is a note (rule 7.5.27).
    """
    basis, against, copies = best.source, [], False
    assert basis is not None
    faulty = any(reason.code == "CONSENT_EVIDENCE_MISSING" for reason in best.reasons)
    unproven = faulty or basis.acquired_at is None
    for other in counting:
        if other is basis:
            continue
        twin = other.source_id == basis.source_id and (other.method, other.collected_by) != (
            basis.method,
            basis.collected_by,
        )
        named = other.source_id != basis.source_id and case.names_contact_point(other)
        differs = unproven and source_rules.lane(other) != source_rules.lane(basis)
        illicit = named and source_rules.illicit(case, other)
        if twin or (named and differs) or (illicit and (unproven or not best.own)):
            against.append(other.source_id)
        elif illicit:
            copies = True
    notes = frozenset((ILLICIT_COPY,)) if copies else frozenset()
    if not against:
        return [], notes
    says = {"source": basis.source_id, "other": against[0]}
    return [Found("SOURCE_CONFLICT", (basis.source_id, *against), says)], notes


def _best(judged: list[Basis]) -> Basis:
    return judged[0] if len(judged) == 1 else min(judged, key=_rank)


def _rank(basis: Basis) -> tuple[int, int, int, str]:
    assert basis.source is not None
    codes = {reason.code for reason in basis.reasons}
    worst = max((WORST[code] for code in codes), default=0)
    return worst, len(codes), RANKS[source_rules.lane(basis.source)], basis.source.source_id
