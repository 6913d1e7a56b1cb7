"""The source of the data: its origin, its checks, and the notice shown to the person (rule 6.2; J.8.5, J.8.7)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gatekeeper.deciding.case import UNREAD, Case, route
from gatekeeper.deciding.rules.terms import terms_in_force
from gatekeeper.ground.times import months_after
from gatekeeper.policy.methods import METHODS, Lane
from gatekeeper.policy.reasons import Found
from schemas.events import Batch, Consent, Source, Succession

LEAK = "leak"
"""The mark of a list that leaked."""
LEGACY_FORM = "LEGACY_FORM_ACCEPTED"


def lane(source: Source) -> Lane:
    """The class of a source, by its acquisition method."""
    return METHODS[source.method].lane


def illicit(case: Case, source: Source) -> bool:
    """True if the source or its list has an unlawful origin."""
    return _illicit(source, case.batch(source))


def _illicit(source: Source, batch: Batch | None) -> bool:
    return source.state == "illicit" or bool(batch and batch.flags)


def active(case: Case, source: Source) -> bool:
    """True if neither the source nor its list is quarantined or of an unlawful origin."""
    batch = case.batch(source)
    return source.state == "active" and not (batch and (batch.flags or batch.state == "quarantined"))


def state(case: Case, source: Source) -> list[Found]:
    """SOURCE_ILLICIT, SOURCE_BATCH_QUARANTINED, SOURCE_NOT_YET, RETENTION_OVER, ENTRUSTED_COMMINGLED, SOURCE_STALE.

    Of a source in any lane. One that is still to come clears nothing yet. One whose retention is over must be deleted
    or got anew (rule 8.3.52).
    """
    batch, id_ = case.batch(source), source.source_id
    facts = (id_, f"batch/{source.batch_id}") if source.batch_id else (id_,)
    reasons = []
    if _illicit(source, batch):
        leaked = {"case": "leaked"} if batch and LEAK in batch.flags else {}
        reasons.append(Found("SOURCE_ILLICIT", facts, {**leaked, "method": source.method, "source": id_}))
    if source.state == "quarantined" or (batch and batch.state == "quarantined"):
        reasons.append(Found("SOURCE_BATCH_QUARANTINED", facts, {"batch": source.batch_id or id_}))
    if source.acquired_at and case.span(source.acquired_at).first > case.at + case.policy.skew_ms * 1000:
        reasons.append(Found("SOURCE_NOT_YET", (id_,), {"source": id_, "date": case.day(source.acquired_at)}))
    if (ends := _retained_until(case, source, batch)) is not None:
        reasons.append(Found("RETENTION_OVER", facts, {"source": id_, "date": case.day(ends)}))
    for point in source.contact_points:
        if point.derived_from and case.is_here(point.id) and case.policy.asks_for("ENTRUSTED_COMMINGLED"):
            reasons.append(Found("ENTRUSTED_COMMINGLED", (id_,), {"source": id_}))
    if (months := case.policy.source_max_age_months) is not None:
        last = [case.span(text).last for text in (source.acquired_at, source.last_contact_at) if text]
        if not last or months_after(max(last), months, case.policy.timezone) < case.at:
            reasons.append(Found("SOURCE_STALE", (id_,), {"method": source.method, "months": str(months)}))
    return reasons


def _retained_until(case: Case, source: Source, batch: Batch | None) -> str | None:
    """The end of the retention of a source or its list, if that is past. The latest of a source's versions counts."""
    versions = (one for one in case.facts.sources if one.source_id == source.source_id)
    own = max((one.retention_until for one in versions if one.retention_until), key=case.span, default=None)
    ends = [end for end in (own, batch.retention_until if batch else None) if end and case.span(end).last < case.at]
    return min(ends, key=case.span, default=None)


def uncovered(case: Case, sources: Sequence[Source]) -> Found:
    """CONTACT_POINT_NOT_COVERED: the sources name another contact point, or the printed value is no address.

    PRINT_UNACCOUNTED instead, if all sources name a spelling that may be the same, but score below the policy's floor.
    """
    facts = tuple(source.source_id for source in sources)
    scores = [case.facts.contact_point_near.get(id_, 0) for id_ in facts]
    if all(scores):
        return Found("PRINT_UNACCOUNTED", facts, {"case": "address", "source": facts[0], "score": str(max(scores))})
    if case.facts.printed in UNREAD:
        return Found("CONTACT_POINT_NOT_COVERED", facts, {"case": "printed", "channel": case.send.channel})
    return Found("CONTACT_POINT_NOT_COVERED", facts, {"case": "elsewhere", "source": facts[0]})


def own(case: Case, source: Source, consent: Consent | None) -> tuple[list[Found], frozenset[str]]:
    """CONTROLLER_MISMATCH, PURPOSE_NOT_COVERED, NOTICE_ITEMS_MISSING: gaps in the notice that we gave to the person.

    The notice is the consent's, else the source's; a notice that is named but unknown is not complete.
    """
    sender, purpose = case.send.controller_id, case.send.purpose
    notice_id = (consent.notice_id if consent else None) or source.notice_id
    by_consent = consent is not None and consent.notice_id is not None
    when = case.seen_at(consent) if consent and by_consent else source.acquired_at
    notice = case.notice(notice_id, when)
    told = case.told_by(source, source.purposes_told) or case.stated_by(notice, case.shown(when))
    reasons: list[Found] = []
    facts = (source.source_id, f"notice/{notice_id}") if notice_id else (source.source_id,)
    if source.collected_by != sender or (notice and notice.controller_id != sender):
        collector = source.collected_by if source.collected_by != sender or not notice else notice.controller_id
        says = {"collector": case.party(collector), "controller": case.sender}
        reasons.append(Found("CONTROLLER_MISMATCH", facts, says))
    if not told:
        reasons.append(Found("PURPOSE_NOT_COVERED", facts, {"method": source.method, "purpose": purpose}))
    if consent and notice and notice.invalidated_at and case.policy.needs_consent(case.send.channel):
        reasons.append(Found("CONSENT_INVALIDATED", facts, {"form": notice.name or notice.id}))
    if notice and notice.complete:
        return reasons, frozenset()
    if notice and notice.accepted_legacy:
        return reasons, frozenset((LEGACY_FORM,))
    if case.policy.asks_for("NOTICE_ITEMS_MISSING"):
        if notice_id:
            form = (notice.name if notice else None) or notice_id
            reasons.append(
                Found("NOTICE_ITEMS_MISSING", facts, {"case": "lacking", "form": form, "method": source.method})
            )
        elif told:
            reasons.append(Found("NOTICE_ITEMS_MISSING", facts, {"case": "none", "method": source.method}))
    return reasons, frozenset()


def joint_use(case: Case, source: Source, consent: Consent | None, *, hidden: bool) -> Iterator[Found]:
    """JOINT_USE_TERMS_MISSING, JOINT_USE_PARTY_OUT_OF_RANGE, JOINT_USE_NOT_COVERED (J.8.7 d).

    `hidden`: other reasons of the consent were left out, because the terms measure the purpose.
    """
    policy, id_ = case.policy, source.source_id
    facts = (id_, f"joint_use_terms/{source.terms_id}") if source.terms_id else (id_,)
    says = {"collector": case.party(source.collected_by), "terms": source.terms_id or "-", "purpose": case.send.purpose}
    covered = True
    if current := terms_in_force(case, source):
        parties = current.terms.parties
        outside = [party for party in (case.send.controller_id, source.collected_by) if party not in parties]
        if outside and policy.asks_for("JOINT_USE_PARTY_OUT_OF_RANGE"):
            yield Found("JOINT_USE_PARTY_OUT_OF_RANGE", facts, {**says, "controller": case.party(outside[0])})
        covered = case.covered_by(current.terms.purposes, current.arrived * 1000) and (
            (bool(source.acquired_at) and case.span(str(source.acquired_at)).first >= current.since)
            or _told(case, source)
        )
    elif policy.asks_for("JOINT_USE_TERMS_MISSING"):
        yield Found("JOINT_USE_TERMS_MISSING", facts, says)
    collector = frozenset((source.collected_by, case.send.controller_id))
    if not covered or hidden or not _shown(case, source, consent, collector, "JOINT_USE_NOT_COVERED"):
        yield Found("JOINT_USE_NOT_COVERED", facts, says)


def succession(case: Case, source: Source, consent: Consent | None) -> Iterator[Found]:
    """SUCCESSION_NOT_COVERED, and PURPOSE_NOT_COVERED if the old purposes do not cover the send (J.8.7 c).

    A yes to the sender after closing, on its complete notice, is judged as in the lane of own data.
    """
    deal = source.succession
    if deal and consent and _anew(case, consent, deal):
        yield from (reason for reason in own(case, source, consent)[0] if reason.code != "CONTROLLER_MISMATCH")
        return
    closed = deal is not None and case.span(deal.closed_at).last <= case.at
    says = {"predecessor": case.party(deal.predecessor) if deal else "-", "purpose": case.send.purpose}
    says |= {"case": "closing", "date": case.day(deal.closed_at)} if deal and not closed else {}
    covered = bool(deal and case.told_by(source, deal.old_purposes))
    parties = frozenset((deal.predecessor,) if deal else ()) | {case.send.controller_id}
    rule = case.policy.asks_for("SUCCESSION_NOT_COVERED")
    if rule and not (closed and covered and _shown(case, source, consent, parties, "SUCCESSION_NOT_COVERED")):
        yield Found("SUCCESSION_NOT_COVERED", (source.source_id,), says)
    if not covered:
        yield Found("PURPOSE_NOT_COVERED", (source.source_id,), {"method": source.method, "purpose": case.send.purpose})


def own_use(case: Case, source: Source) -> tuple[Found, ...]:
    """ENTRUSTED_OWN_USE: entrusted data used for a party other than the entruster, or for other purposes."""
    trust = source.entrustment
    if not case.policy.asks_for("ENTRUSTED_OWN_USE"):
        return ()
    if trust and trust.entruster == case.send.controller_id and case.told_by(source, trust.purposes):
        return ()
    entruster = case.party(trust.entruster) if trust else "-"
    return (Found("ENTRUSTED_OWN_USE", (source.source_id,), {"entruster": entruster}),)


def unknown(case: Case, source: Source | None) -> tuple[Found, ...]:
    """SOURCE_UNKNOWN: the origin of the data is unknown, so the route cannot be stated."""
    if source is None:
        return (Found("SOURCE_UNKNOWN", (), {"case": "none"}),)
    return (Found("SOURCE_UNKNOWN", (source.source_id,), {"source": source.source_id, "method": source.method}),)


def states_route(case: Case, source: Source, consent: Consent) -> bool:
    """True if a consent's form has items a to f for the sender, and states this source's true route.

    The notice is the sender's, or another's that names the sender and covers the purpose (rule 7.5.24).
    """
    notice = case.form_of(consent)
    if notice is None or not notice.complete or notice.states_route != route(source) or misrouted(source):
        return False
    sender = case.send.controller_id
    return notice.controller_id == sender or (
        sender in notice.names and case.stated_by(notice, case.shown(case.seen_at(consent)))
    )


def misrouted(source: Source) -> bool:
    """True if data of others claim a route of own data. No statement of such a route is true (rule 7.5.24)."""
    return lane(source) != "own" and route(source).lower().startswith("direct.")


def _anew(case: Case, consent: Consent, deal: Succession) -> bool:
    """True if a consent was given after closing to the sender, on a complete notice of the sender."""
    sender, seen = case.send.controller_id, case.seen_at(consent)
    notice = case.notice(consent.notice_id, seen)
    return bool(
        (consent.controller_id == sender and notice and notice.controller_id == sender and notice.complete)
        and (seen and case.span(seen).first > case.span(deal.closed_at).last)
    )


def _told(case: Case, source: Source) -> bool:
    notice = case.notice(source.notice_id, source.acquired_at)
    return case.told_by(source, source.purposes_told) or case.stated_by(notice, case.shown(source.acquired_at))


def _shown(case: Case, source: Source, consent: Consent | None, parties: frozenset[str], rule: str) -> bool:
    """True if the collector of the data had shown a complete notice and has the person's consent."""
    if rule in case.policy.purpose_only:
        return True
    if consent is None:
        return False
    notices = ((consent.notice_id, case.seen_at(consent)), (source.notice_id, source.acquired_at))
    shown = [case.notice(notice_id, when) for notice_id, when in notices if notice_id]
    return bool(shown) and all(
        notice and notice.complete and not notice.invalidated_at and notice.controller_id in parties for notice in shown
    )
