"""The state of signatures: whether acts need one, and the records of `reference` that lack one."""

from __future__ import annotations

from typing import Any

from gatekeeper.ground.times import instant
from gatekeeper.knowledge.reference_log import ReferenceLog
from schemas.audit import Acts
from schemas.topics import DAY_MS

MAX_ROWS = 100
"""Most records of each kind that are named."""
SECOND_MS = 7 * DAY_MS
"""The time that a second manager has to sign a ground (rule 8.3.50)."""


def signature_state(log: ReferenceLog, acts: Acts) -> dict[str, Any]:
    """The signatures that acts need, and the records of `reference` that lack one.

    `acts`: `signed`; `unsigned` if nobody is registered and the setting allows it; `nobody` if no act counts yet. It is
    `other_founder` if the log began with another person than the setting names. `founder`: the fingerprint of the
    record with which it began, None before.
    """
    began, state = log.roster.began is not None, log.endorsements
    waiting = [
        {"record": name, "place": "reference/{}/{}".format(*order), "signed_by": list(by)}
        for name, order, by in state.waiting[:MAX_ROWS]
    ]
    return {
        "acts": _needed(log, acts),
        "founder": state.first,
        "waiting": waiting,
        "unsigned": sorted(state.unsigned)[:MAX_ROWS] if began else [],
        "lone": [
            {"record": lone.name, "by": lone.by, "since": instant(lone.since), "until": instant(lone.since + SECOND_MS)}
            for lone in state.lone[:MAX_ROWS]
        ],
        "refused": [
            {"record": refused.of, "place": "reference/{}/{}".format(*refused.order), "code": refused.code}
            for refused in state.refused[:MAX_ROWS]
        ],
    }


def _needed(log: ReferenceLog, acts: Acts) -> str:
    if log.roster.began is not None:
        return "other_founder" if log.roster.first is None else "signed"
    return "unsigned" if acts == "unsigned" else "nobody"
