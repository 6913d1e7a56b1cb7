"""The attributes on which the selection was built: sensitive data, unfair effects (APPI 19, 20(2); J.8.3)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from gatekeeper.deciding.case import Case
from gatekeeper.deciding.children import minor
from gatekeeper.deciding.consent import Consents
from gatekeeper.deciding.facts import GUARDIAN
from gatekeeper.identity.characters import nfkc
from gatekeeper.policy.policy import Policy
from gatekeeper.policy.reasons import Found

_BETWEEN = re.compile(r"[._\-・]")


def selected(case: Case, consents: Consents) -> Iterator[Found]:
    """SENSITIVE_AUDIENCE: a sensitive attribute without consent. IMPROPER_USE_TARGETING: a warning flag."""
    send = case.send
    phrases = case.reference.phrases(case.at)
    asking = {attribute for attribute in send.audience if sensitive(attribute, case.policy, phrases)}
    unasked = {attribute for attribute in asking if not _agreed(case, attribute, consents)}
    if unasked:
        written = {"case": "written"} if case.policy.written_methods is not None else {}
        yield Found("SENSITIVE_AUDIENCE", (), {**written, "attribute": ", ".join(sorted(unasked))})
    if send.flags:
        yield Found("IMPROPER_USE_TARGETING", (), {"flag": ", ".join(sorted(set(send.flags)))})


def sensitive(attribute: str, policy: Policy, phrases: frozenset[str] = frozenset()) -> bool:
    """Tells whether the code of an audience needs a consent of its own. One or several of its parts are a listed word.

    A Japanese word counts anywhere in the code, as Japanese is written without spaces (domain rule 7.5.28). A phrase
    that only looks sensitive takes its own letters out (rule 8.3.53).
    `phrases`: those that the company registered, beside the policy's. One that is no longer than a listed word in it
    takes nothing out.
    """
    return _sensitive(attribute, policy.sensitive, policy.sensitive_alone, policy.audience_exceptions | phrases)


def words(attribute: str) -> tuple[str, ...]:
    """The parts of a code of an audience, in small letters."""
    return tuple(_BETWEEN.split(nfkc(attribute).casefold()))


@lru_cache(maxsize=1024)
def _sensitive(attribute: str, listed: frozenset[str], alone: frozenset[str], phrases: frozenset[str]) -> bool:
    parts = _barred(attribute)
    for phrase in sorted(map(words, phrases), key=lambda split: (-len("".join(split)), split)):
        if _is_longer("".join(phrase), listed | alone):
            parts = _without(parts, phrase)
    whole = parts.replace("|", "")
    return not alone.isdisjoint(whole.split(".")) or any(
        _barred(word) in parts if word.isascii() else nfkc(word) in whole for word in listed
    )


def _is_longer(phrase: str, listed: Iterable[str]) -> bool:
    """True if a phrase says more than each listed word in it."""
    return not any(len(phrase) <= len(word) for word in map(nfkc, listed) if word in phrase)


def _without(parts: str, phrase: tuple[str, ...]) -> str:
    """A code in bars without a phrase: whole parts, or letters of a part for a Japanese one.

    A full stop stands where it was, so that what is beside it makes no new word.
    """
    sought = f"|{'|'.join(phrase)}|"
    if len(phrase) == 1 and not phrase[0].isascii():
        return parts.replace(phrase[0], ".")
    while sought in parts:
        parts = parts.replace(sought, "|.|")
    return parts


def _barred(code: str) -> str:
    """A code as its words between bars: `buyers_of.Diabetes` as `|buyers|of|diabetes|`."""
    return f"|{'|'.join(words(code))}|"


def _agreed(case: Case, attribute: str, consents: Consents) -> bool:
    """True if a proven consent names the attribute, and no refusal of the send, lifted or not, came after it.

    The policy may ask that it is in writing (rule 8.2.46). A child's counts only beside a guardian's (rule 8.2.43).
    """
    sender, written = case.send.controller_id, case.policy.written_methods
    after = consents.standing((sender,)).after
    agreed = [
        event
        for event in consents.proof.yeses
        if event.purpose == attribute
        and event.controller_id == sender
        and (written is None or not written.isdisjoint(consents.proof.methods(event, after)))
        and consents.proof.when(event).first > after
        and not consents.proof.faults(event, after)
        and not any(consents.proof.taken_back(event, no) for no in consents.proof.nos)
    ]
    guarded = any(event.expressed_by == GUARDIAN for event in agreed)
    return any(guarded or not minor(case, event, consents.proof.when(event)) for event in agreed)
