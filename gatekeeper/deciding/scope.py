"""The scope of a refusal as it is read. A name that nobody registered counts as every one (domain rule 7.1.5)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gatekeeper.deciding.arrival import ENDS
from gatekeeper.deciding.case import Case, Known
from gatekeeper.deciding.facts import HeldConsent, HeldSuppression
from gatekeeper.deciding.purposes import Registered
from gatekeeper.deciding.redacted import changed
from gatekeeper.ground.times import Span
from schemas.events import NO_STATES, Consent
from schemas.values import CHANNELS

READ_WIDE = "NO_READ_WIDE"
"""The note of a decision on a send that a refusal covers only because it is read wide."""
ANOTHER_ID = "NO_OF_ANOTHER_ID"
"""The note of a decision on a send that a no of another id covers (rule 8.1.36)."""
_CHANNELS = frozenset((*CHANNELS, "*"))


def read(case: Known, event: HeldConsent) -> HeldConsent:
    """A refusal, or the end of consents, with `*` for each company, purpose, contact point and channel not known.

    Any other event is the same. `voids` that names no record of the person counts as absent, as does one that names
    its own.
    """
    if event.voids and all(event.voids != other.record_id for other in case.facts.consents if other is not event):
        event = changed(event, voids=None)
    if event.state not in NO_STATES and (event.voids or event.state not in ENDS):
        return event
    spoken = case.span(event.event_time or event.recorded_at)
    wide: dict[str, Any] = {}
    if not _company(case, event.controller_id, event.arrived, spoken):
        wide["controller_id"] = "*"
    if not _purpose(case, event.purpose, event.arrived):
        wide["purpose"] = "*"
    if not _point(case, event.contact_point_id, spoken):
        wide["contact_point_id"] = "*"
    if not _CHANNELS.issuperset(event.channels):
        wide["channels"] = ("*",)
    return changed(event, **wide) if wide else event


def read_stop(case: Known, stop: HeldSuppression) -> HeldSuppression:
    """A suppression of the will with `*` for each name in its scope that is not known.

    A no of another id was read by the facts of its speaker, and is not read again (rule 8.1.36).
    """
    if stop.of_another:
        return stop
    scope, spoken = stop.scope, case.span(stop.received_at)
    wide: dict[str, Any] = {}
    if not _company(case, scope.controller, stop.arrived, spoken):
        wide["controller"] = "*"
    if not _group(case, scope.group, stop.arrived):
        wide["group"] = "*"
    if not _purpose(case, scope.purpose, stop.arrived):
        wide["purpose"] = "*"
    if not _point(case, scope.contact_point, spoken):
        wide["contact_point"] = "*"
    if not _CHANNELS.issuperset(scope.channels):
        wide["channels"] = ("*",)
    return changed(stop, scope=changed(scope, **wide)) if wide else stop


def is_known(case: Case, yes: Consent) -> bool:
    """True if everything that a consent names is registered; else it covers nothing."""
    return (
        case.purpose(str(yes.purpose)) is not None
        and (yes.contact_point_id is None or yes.contact_point_id in case.facts.points)
        and (yes.controller_id in case.reference.controllers or yes.controller_id in _parties(case, None))
    )


def purpose_known(registered: Mapping[str, Registered], code: str, arrived: int | None) -> bool:
    """True if a purpose or one below it was registered by a refusal's arrival, or by two managers since.

    `arrived`: milliseconds since the epoch.
    """
    code = code.rstrip(".")
    return any(
        f"{name}.".startswith(f"{code}.") and (entry.by_two or (arrived is not None and entry.arrived <= arrived))
        for name, entry in registered.items()
    )


def _purpose(case: Known, code: str | None, arrived: int | None) -> bool:
    return code in (None, "*") or purpose_known(case.reference.purposes.registered, str(code), arrived)


def _company(case: Known, name: str | None, arrived: int | None, spoken: Span) -> bool:
    """True if a company's record may narrow the refusal, or it is a party of a source acquired by then."""
    return name in (None, "*") or _in_time(case, str(name), arrived) or name in _parties(case, spoken)


def _group(case: Known, name: str | None, arrived: int | None) -> bool:
    if name in (None, "*"):
        return True
    return any(
        company.group == name and _in_time(case, company.id, arrived) for company in case.reference.controllers.values()
    )


def _in_time(case: Known, company: str, arrived: int | None) -> bool:
    if company not in case.reference.controllers:
        return False
    since = case.facts.late.get(company)
    return since is None or (arrived is not None and since <= arrived)


def _point(case: Known, point: str | None, spoken: Span) -> bool:
    """True if a source that was acquired by then gave the contact point. One that does not say when does not count."""
    if point in (None, "*"):
        return True
    return any(when and case.span(when).first <= spoken.last for when in case.facts.points.get(str(point), ()))


def _parties(case: Known, spoken: Span | None) -> Iterable[str]:
    """Yields the parties of the person's sources; with `spoken`, of those acquired by then."""
    for source in case.facts.sources:
        if spoken and not (source.acquired_at and case.span(source.acquired_at).first <= spoken.last):
            continue
        yield source.collected_by
        if source.provided_by:
            yield source.provided_by
        if source.succession:
            yield source.succession.predecessor
        if source.entrustment:
            yield source.entrustment.entruster
