"""On what the selection was built: sensitive attributes, unfair effects (APPI 19, 20(2); J.8.3)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gatekeeper.case import Case
from gatekeeper.consent import Consents
from gatekeeper.reasons import Found

_BETWEEN = re.compile(r"[._\-]")


def selected(case: Case, consents: Consents) -> Iterator[Found]:
    """SENSITIVE_AUDIENCE: a sensitive attribute without a consent to it. IMPROPER_USE_TARGETING: a warning flag."""
    send = case.send
    unasked = [attribute for attribute in send.audience if _sensitive(case, attribute)]
    unasked = [attribute for attribute in unasked if not _agreed(case, attribute, consents)]
    if unasked:
        yield Found("SENSITIVE_AUDIENCE", (), {"attribute": ", ".join(sorted(set(unasked)))})
    if send.flags:
        yield Found("IMPROPER_USE_TARGETING", (), {"flag": ", ".join(sorted(set(send.flags)))})


def _sensitive(case: Case, attribute: str) -> bool:
    """Returns whether the policy lists the attribute, or a word of it."""
    listed = case.policy.sensitive
    attribute = attribute.lower()
    return attribute in listed or not listed.isdisjoint(_BETWEEN.split(attribute))


def _agreed(case: Case, attribute: str, consents: Consents) -> bool:
    return any(
        event.purpose == attribute
        and event.controller_id == case.send.controller_id
        and not consents.faults(event)
        and not any(consents.taken_back(event, no) for no in consents.nos)
        for event in consents.yeses
    )
