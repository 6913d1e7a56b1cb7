"""Where the data came from, and what the person was shown (domain rule 6.2; J.8.5, J.8.7)."""

from __future__ import annotations

from typing import Literal

from gatekeeper.case import Case
from gatekeeper.reasons import Found
from schemas.events import Consent, Source

LEGACY_FORM = "LEGACY_FORM_ACCEPTED"
_SHARED = ("indirect.joint_use", "indirect.succession", "indirect.entrusted")


def lane(source: Source) -> Literal["own", "shared", "other", "unknown"]:
    """Returns the class of a source, by its acquisition method."""
    if source.method.startswith("direct."):
        return "own"
    if source.method in _SHARED:
        return "shared"
    return "unknown" if source.method == "unknown.legacy" else "other"


def own(case: Case, source: Source, consent: Consent | None) -> tuple[tuple[Found, ...], frozenset[str]]:
    """NOTICE_ITEMS_MISSING: the notice shown is not complete, or the purpose was told without one.

    The notice is the consent's, else the source's; one that is named but unknown is not complete.
    """
    named = (consent.notice_id if consent else None) or source.notice_id
    notice = case.notice(named)
    told = {*source.purposes_told, *(notice.purposes if notice else ())}
    found, notes = [], frozenset[str]()
    facts = (source.source_id, *((f"notice/{named}",) if named else ()))
    if source.collected_by != case.send.controller_id or (notice and notice.controller_id != case.send.controller_id):
        found.append(Found("CONTROLLER_MISMATCH", facts))
    if case.send.purpose not in told:
        found.append(Found("PURPOSE_NOT_COVERED", facts))
    if notice and notice.complete:
        pass
    elif notice and notice.accepted_legacy:
        notes = frozenset((LEGACY_FORM,))
    elif named:
        form = (notice.name if notice else None) or named
        found.append(Found("NOTICE_ITEMS_MISSING", facts, {"case": "form", "form": form, "method": source.method}))
    elif case.send.purpose in told:
        found.append(Found("NOTICE_ITEMS_MISSING", facts, {"method": source.method}))
    return tuple(found), notes


def third_party(case: Case, source: Source, consent: Consent | None) -> tuple[Found, ...]:
    """THIRD_PARTY_UNCONFIRMED: the person has not consented on a notice that states by what route we got the data."""
    route = source.route or source.method
    notice = case.notice(consent.notice_id) if consent else None
    if notice and notice.controller_id == case.send.controller_id and notice.complete and notice.states_route == route:
        return ()
    says = {"method": source.method, "provider": source.provided_by or source.route or source.collected_by}
    return (Found("THIRD_PARTY_UNCONFIRMED", (source.source_id,), says),)


def unknown(case: Case, source: Source | None) -> tuple[Found, ...]:
    """SOURCE_UNKNOWN: nobody can say where the data came from, so the route cannot be stated."""
    if source is None:
        return (Found("SOURCE_UNKNOWN", (), {"case": "none"}),)
    return (Found("SOURCE_UNKNOWN", (source.source_id,), {"source": source.source_id, "method": source.method}),)
