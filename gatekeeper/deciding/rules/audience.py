"""The attributes on which the selection was built: sensitive data, unfair effects (APPI 19, 20(2); J.8.3)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from gatekeeper.deciding.case import Case
from gatekeeper.deciding.consent import Consents
from gatekeeper.policy.reasons import Found

_BETWEEN = re.compile(r"[._\-]")


def selected(case: Case, consents: Consents) -> Iterator[Found]:
    """SENSITIVE_AUDIENCE: a sensitive attribute without consent. IMPROPER_USE_TARGETING: a warning flag."""
    send = case.send
    unasked = [attribute for attribute in send.audience if _sensitive(attribute, case.policy.sensitive)]
    unasked = [attribute for attribute in unasked if not _agreed(case, attribute, consents)]
    if unasked:
        yield Found("SENSITIVE_AUDIENCE", (), {"attribute": ", ".join(sorted(set(unasked)))})
    if send.flags:
        yield Found("IMPROPER_USE_TARGETING", (), {"flag": ", ".join(sorted(set(send.flags)))})


@lru_cache(maxsize=1024)
def _sensitive(attribute: str, listed: frozenset[str]) -> bool:
    """True if a listed code occurs in the attribute as one or several of its words."""
    return any(_words(code) in _words(attribute) for code in listed)


def _words(code: str) -> str:
    """A code as its words between bars: `buyers_of.Diabetes` as `|buyers|of|diabetes|`."""
    return f"|{_BETWEEN.sub('|', code.lower())}|"


def _agreed(case: Case, attribute: str, consents: Consents) -> bool:
    return any(
        event.purpose == attribute
        and event.controller_id == case.send.controller_id
        and not consents.proof.faults(event)
        and not any(consents.proof.taken_back(event, no) for no in consents.proof.nos)
        for event in consents.proof.yeses
    )
