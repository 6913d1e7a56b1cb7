"""Facts that a rule still to come will read: each names that rule, so that nothing is cleared by its absence.

decide() turns every reason whose code is not in the catalogue into FACTS_UNAVAILABLE naming it. When a rule is
written, its code enters the catalogue and its line here moves into the file of its group.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gatekeeper.case import Case
from gatekeeper.reasons import Found
from gatekeeper.rules.source import lane
from schemas.events import ProviderCheck, Source

METHODS = {
    "indirect.joint_use": "JOINT_USE_NOT_COVERED",
    "indirect.entrusted": "ENTRUSTED_OWN_USE",
    "indirect.succession": "SUCCESSION_NOT_COVERED",
    "indirect.referral": "REFERRAL_UNCONFIRMED",
    "indirect.gift_recipient": "REFERRAL_UNCONFIRMED",
    "public.directory": "PUBLIC_SOURCE_UNCONFIRMED",
    "public.gazette": "PUBLIC_SOURCE_UNCONFIRMED",
    "public.register": "PUBLIC_SOURCE_UNCONFIRMED",
    "public.web": "PUBLIC_SOURCE_UNCONFIRMED",
}
BOUGHT = ("indirect.purchased_list", "indirect.partner")
STOPS = {
    "cessation": "CESSATION_REQUESTED",
    "erasure": "SUBJECT_ERASED",
    "refusal_returned": "POSTAL_REFUSAL_RETURNED",
    "deceased": "RECIPIENT_DECEASED",
    "undeliverable": "CONTACT_UNDELIVERABLE",
    "external": "EXTERNAL_PREFERENCE_LISTED",
}
CONSENT_STATES = {
    "Invalidated": "CONSENT_INVALIDATED",
    "Revoked": "CONSENT_INVALIDATED",
    "Expired": "CONSENT_EXPIRED",
}


def send(case: Case) -> Iterator[Found]:
    """Yields the rules missing for the send itself: its channel, class, place, audience and flags."""
    send, policy = case.send, case.policy
    country = send.contact_point.country
    if send.channel != "postal":
        told = send.channel in ("email", "sms", "fax")
        yield _missing("EMAIL_OPT_IN_MISSING" if told else "CHANNEL_NOT_CONSENTED", f"channel={send.channel}")
    if send.message_class != "marketing":
        yield _missing("DISPLAY_ITEMS_MISSING", f"message_class={send.message_class}")
    if send.audience:
        yield _missing("SENSITIVE_AUDIENCE", "audience")
    if send.flags:
        yield _missing("IMPROPER_USE_TARGETING", "flags")
    if country is None:
        yield _missing("JURISDICTION_UNKNOWN", "contact_point.country")
    elif country not in policy.jurisdictions:
        yield _missing("POLICY_UNKNOWN", f"contact_point.country={country}")
    if case.at < policy.since:
        yield _missing("POLICY_UNKNOWN", f"policy={policy.name}")


def person(case: Case) -> Iterator[Found]:
    """Yields the rules missing for the person: stops other than objections, birth dates, lifecycle of consents."""
    for hit in case.facts.suppressions:
        if hit.stop.kind in STOPS:
            yield _missing(STOPS[hit.stop.kind], f"suppression.kind={hit.stop.kind}", hit.stop.suppression_id)
    for source in case.facts.sources:
        if source.birth_date:
            yield _missing("MINOR_NO_GUARDIAN", "source.birth_date", source.source_id)
    for event in case.facts.consents:
        if event.event_type == "implied":
            continue
        if event.state in CONSENT_STATES:
            yield _missing(CONSENT_STATES[event.state], f"consent.state={event.state}", event.record_id)
        if event.voids:
            yield _missing("CONSENT_INVALIDATED", "consent.voids", event.record_id)
        if event.answers:
            refused = event.state == "Refused"
            code = "CONSENT_REFUSED" if refused else "CONFIRMATION_DEFECTIVE"
            yield _missing(code, "consent.answers", event.record_id)


def source(case: Case, source: Source) -> Iterator[Found]:
    """Yields the rules missing for one source: its method, state, contact point, batch, provider and notice."""
    id_, check, point = source.source_id, source.check, case.send.contact_point.id
    notice = case.notice(source.notice_id)
    if rule := METHODS.get(source.method):
        yield _missing(rule, f"source.method={source.method}", id_)
    if source.state == "illicit":
        yield _missing("SOURCE_ILLICIT", "source.state=illicit", id_)
    if source.state == "quarantined":
        yield _missing("SOURCE_BATCH_QUARANTINED", "source.state=quarantined", id_)
    if source.batch_id and check is None:
        yield _missing("SOURCE_BATCH_QUARANTINED", "source.batch_id", id_)
    if any(named.derived_from and named.id == point for named in source.contact_points):
        yield _missing("ENTRUSTED_COMMINGLED", "source.contact_points.derived_from", id_)
    if notice and notice.invalidated_at:
        yield _missing("CONSENT_INVALIDATED", "notice.invalidated_at", id_)
    if source.method in BOUGHT:
        yield from (_missing(code, what, id_) for code, what in _provider(check))


def conflict(case: Case, basis: Source | None, counting: Iterable[Source]) -> list[Found]:
    """Returns SOURCE_CONFLICT where another source of the same contact point speaks against the basis.

    So does one that is illicit, one of another class while the basis is undated, and another version of the basis
    that tells of another acquisition.
    """
    found = []
    for other in counting:
        if basis is None or other is basis:
            continue
        same = other.source_id == basis.source_id
        against = (same and (other.method, other.collected_by) != (basis.method, basis.collected_by)) or (
            case.names_contact_point(other)
            and (other.state == "illicit" or (lane(other) != lane(basis) and basis.acquired_at is None))
        )
        if against:
            found.append(_missing("SOURCE_CONFLICT", "source", other.source_id))
    return found


def _provider(check: ProviderCheck | None) -> Iterator[tuple[str, str]]:
    stated = check and (
        check.checked_at and check.name and check.address and check.representative and check.how_obtained
    )
    filed = check and (check.basis == "consent" or (check.basis == "opt_out_filing" and check.filing_no))
    if not stated:
        yield "SOURCE_CHECK_MISSING", "source.check"
    if not filed:
        yield "PROVIDER_BASIS_MISSING", "source.check.basis"
    if check and check.chain:
        yield "PROVIDER_OPTOUT_CHAIN", "source.check.chain"


def _missing(code: str, what: str, *facts: str) -> Found:
    return Found(code, facts, {"what": what})
