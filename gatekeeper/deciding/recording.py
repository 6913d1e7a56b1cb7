"""The recording of a no: when it was entered, and whether it is dated long before (domain rule 8.1.41)."""

from __future__ import annotations

from gatekeeper.deciding import scope
from gatekeeper.deciding.case import Case
from gatekeeper.deciding.facts import HeldConsent, HeldSuppression
from gatekeeper.deciding.redacted import word

BACK = 31 * 24 * 3_600_000_000
"""The longest time between a no and its recording for which nobody is asked, in microseconds."""


def dated_back(case: Case, no: HeldConsent | HeldSuppression) -> int | None:
    """The end of the recording of a no that is dated long before it, in microseconds; None for any other.

    Its own date counts, not an earlier time from which it holds. Two managers may stand for the date.
    """
    entered = recorded(case, no)
    if entered is None or case.span(dated(no)).first + BACK >= entered:
        return None
    return None if name(no) in case.facts.confirmed or (no.kind != "consent" and no.confirmed) else entered


def recorded(case: Case, no: HeldConsent | HeldSuppression) -> int | None:
    """The end of the recording of a no, in microseconds; of equal words the first. None if nothing says when.

    A stop that does not say when it was recorded was recorded when it arrived. In a file it has no arrival.
    """
    if no.kind == "consent":
        events = (one for one in case.facts.consents if one.record_id == no.record_id)
        return min(case.span(one.recorded_at).last for one in events if word(scope.read(case, one)) == word(no))
    stops = (hit.stop for hit in case.facts.suppressions if hit.stop.suppression_id == no.suppression_id)
    entered = [_entered(case, one) for one in stops if word(one) == word(no)]
    return min((end for end in entered if end is not None), default=None)


def dated(no: HeldConsent | HeldSuppression) -> str:
    """The written time of a no: when the person said it, else when it was entered."""
    return no.event_time or no.recorded_at if no.kind == "consent" else no.received_at


def name(no: HeldConsent | HeldSuppression) -> str:
    """The name by which a resolution calls a no."""
    return f"event/{no.record_id}" if no.kind == "consent" else f"suppression/{no.suppression_id}"


def _entered(case: Case, stop: HeldSuppression) -> int | None:
    if stop.recorded_at:
        return case.span(stop.recorded_at).last
    arrived = (stop.arrived or 0) * 1000
    return arrived if stop.arrived is not None and arrived < case.at else None
