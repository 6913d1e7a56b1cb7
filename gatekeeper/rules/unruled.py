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
    checks = (
        ("EMAIL_OPT_IN_MISSING", f"channel={send.channel}", send.channel in ("email", "sms", "fax")),
        ("CHANNEL_NOT_CONSENTED", f"channel={send.channel}", send.channel in ("phone", "push", "visit", "social")),
        ("DISPLAY_ITEMS_MISSING", f"message_class={send.message_class}", send.message_class != "marketing"),
        ("SENSITIVE_AUDIENCE", "audience", bool(send.audience)),
        ("IMPROPER_USE_TARGETING", "flags", bool(send.flags)),
        ("JURISDICTION_UNKNOWN", "contact_point.country", country is None),
        ("POLICY_UNKNOWN", f"contact_point.country={country}", bool(country) and country not in policy.jurisdictions),
        ("POLICY_UNKNOWN", f"policy={policy.name}", case.at < policy.since),
    )
    return (_missing(code, what) for code, what, holds in checks if holds)


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
    point = case.send.contact_point.id
    derived = any(named.derived_from and named.id == point for named in source.contact_points)
    bought = source.method in ("indirect.purchased_list", "indirect.partner")
    notice = case.notice(source.notice_id)
    checks = (
        (METHODS.get(source.method, ""), f"source.method={source.method}", source.method in METHODS),
        ("SOURCE_ILLICIT", "source.state=illicit", source.state == "illicit"),
        ("SOURCE_BATCH_QUARANTINED", "source.state=quarantined", source.state == "quarantined"),
        ("SOURCE_BATCH_QUARANTINED", "source.batch_id", bool(source.batch_id) and source.check is None),
        ("ENTRUSTED_COMMINGLED", "source.contact_points.derived_from", derived),
        ("CONSENT_INVALIDATED", "notice.invalidated_at", bool(notice and notice.invalidated_at)),
        *(_provider(source.check) if bought else ()),
    )
    return (_missing(code, what, source.source_id) for code, what, holds in checks if holds)


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


def _provider(check: ProviderCheck | None) -> tuple[tuple[str, str, bool], ...]:
    what = "source.check"
    if check is None:
        return (("SOURCE_CHECK_MISSING", what, True), ("PROVIDER_BASIS_MISSING", what, True))
    stated = check.checked_at and check.name and check.address and check.representative and check.how_obtained
    filed = check.basis == "consent" or (check.basis == "opt_out_filing" and check.filing_no)
    return (
        ("SOURCE_CHECK_MISSING", what, not stated),
        ("PROVIDER_BASIS_MISSING", f"{what}.basis", not filed),
        ("PROVIDER_OPTOUT_CHAIN", f"{what}.chain", bool(check.chain)),
    )


def _missing(code: str, what: str, *facts: str) -> Found:
    return Found(code, facts, {"what": what})
