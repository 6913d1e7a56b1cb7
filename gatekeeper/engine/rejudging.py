"""Sends that were withheld because facts were late or unreadable: the gate judges them again once that has ended.

Nobody looked at anything else of such a send, so there is nothing that a person could decide (rule 6.4.1).
"""

from __future__ import annotations

from gatekeeper import times
from gatekeeper.deciding.decide import Decision
from gatekeeper.engine.item import KEPT_MS, ReviewRecord
from schemas.events import Send

STALE, UNAVAILABLE = "FACTS_STALE", "FACTS_UNAVAILABLE"


def acted_on_until(send: Send, decision: Decision) -> int:
    """Until when (milliseconds) a withheld send may still go out: 60 days, and no longer than its mail date."""
    until = decision.at + KEPT_MS
    if send.mail_date:
        until = min(until, times.span(send.mail_date, decision.policy.timezone).last // 1000 + 1)
    return until


def rejudged_until(send: Send, decision: Decision) -> int | None:
    """Until when (milliseconds) the gate judges a withheld send again by itself, None where it does not."""
    if not {STALE, UNAVAILABLE} & {*decision.codes}:
        return None
    until = min(acted_on_until(send, decision), decision.at + decision.policy.rejudge_ms)
    return until if until > decision.at else None


def waits_on(item: ReviewRecord, decision: Decision) -> bool:
    """Tells whether an item that was judged again waits on as it is, since facts are still late or unreadable.

    An unreadable record about its person alone is told once: somebody must resolve it.
    """
    if STALE in decision.codes:
        return True
    for reason in decision.reasons:
        if reason.code == UNAVAILABLE:
            return reason.says["case"] == "batch" or any(before.code == UNAVAILABLE for before in item.reasons)
    return False
