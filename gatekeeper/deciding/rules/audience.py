"""The attributes on which the selection was built: sensitive data, unfair effects (APPI 19, 20(2); J.8.3)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from gatekeeper.deciding.case import Case
from gatekeeper.deciding.consent import Consents
from gatekeeper.identity.characters import nfkc
from gatekeeper.policy.policy import Policy
from gatekeeper.policy.reasons import Found

_BETWEEN = re.compile(r"[._\-・]")


def selected(case: Case, consents: Consents) -> Iterator[Found]:
    """SENSITIVE_AUDIENCE: a sensitive attribute without consent. IMPROPER_USE_TARGETING: a warning flag."""
    send = case.send
    unasked = [attribute for attribute in send.audience if sensitive(attribute, case.policy)]
    unasked = [attribute for attribute in unasked if not _agreed(case, attribute, consents)]
    if unasked:
        yield Found("SENSITIVE_AUDIENCE", (), {"attribute": ", ".join(sorted(set(unasked)))})
    if send.flags:
        yield Found("IMPROPER_USE_TARGETING", (), {"flag": ", ".join(sorted(set(send.flags)))})


def sensitive(attribute: str, policy: Policy) -> bool:
    """Tells whether the code of an audience needs a consent of its own. One or several of its parts are a listed word.

    A Japanese word counts anywhere in the code, as Japanese is written without spaces (domain rule 7.5.28).
    """
    return _sensitive(attribute, policy.sensitive, policy.sensitive_alone)


def words(attribute: str) -> tuple[str, ...]:
    """The parts of a code of an audience, in small letters."""
    return tuple(_BETWEEN.split(nfkc(attribute).casefold()))


@lru_cache(maxsize=1024)
def _sensitive(attribute: str, listed: frozenset[str], alone: frozenset[str]) -> bool:
    whole, parts = "".join(words(attribute)), _barred(attribute)
    return whole in alone or any(_barred(word) in parts if word.isascii() else nfkc(word) in whole for word in listed)


def _barred(code: str) -> str:
    """A code as its words between bars: `buyers_of.Diabetes` as `|buyers|of|diabetes|`."""
    return f"|{'|'.join(words(code))}|"


def _agreed(case: Case, attribute: str, consents: Consents) -> bool:
    """True if a proven consent names the attribute, and no refusal of the send, lifted or not, came after it."""
    sender = case.send.controller_id
    after = consents.standing((sender,)).after
    return any(
        event.purpose == attribute
        and event.controller_id == sender
        and consents.proof.when(event).first > after
        and not consents.proof.faults(event, after)
        and not any(consents.proof.taken_back(event, no) for no in consents.proof.nos)
        for event in consents.proof.yeses
    )
