"""Sends that were withheld for late or unreadable facts: the gate judges them again when the fault has ended.

No other reason was looked at for such a send, so a person has nothing to decide (rule 6.4.1).
"""

from __future__ import annotations

from gatekeeper.deciding.decide import Decision
from gatekeeper.engine.item import KEPT_MS, ReviewRecord
from gatekeeper.ground import times
from schemas.events import Send

STALE, UNAVAILABLE = "FACTS_STALE", "FACTS_UNAVAILABLE"


def acted_on_until(send: Send, decision: Decision) -> int:
    """The instant (milliseconds) until which a withheld send may still go out: 60 days, at most its mail date."""
    until = decision.at + KEPT_MS
    if send.mail_date:
        until = min(until, times.span(send.mail_date, decision.policy.timezone).last // 1000 + 1)
    return until


def rejudged_until(send: Send, decision: Decision) -> int | None:
    """The instant (milliseconds) until which the gate judges a withheld send again by itself, None if it does not."""
    if not {STALE, UNAVAILABLE} & {*decision.codes}:
        return None
    until = min(acted_on_until(send, decision), decision.at + decision.policy.rejudge_ms)
    return until if until > decision.at else None


def waits_on(item: ReviewRecord, decision: Decision) -> bool:
    """Tells whether an item that was judged again keeps waiting, because facts are still late or unreadable.

    An unreadable record about its person alone is reported once: somebody must resolve it.
    """
    if STALE in decision.codes:
        return True
    for reason in decision.reasons:
        if reason.code == UNAVAILABLE:
            return reason.says["case"] in ("batch", "gap", "asked") or any(
                before.code == UNAVAILABLE for before in item.reasons
            )
    return False
