"""Records of `results`: the outcome of each send, for the platform that published it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from schemas.decision import DecisionId, Verdict
from schemas.values import Code, Id, Instant, Many, Model, Version

Fate = Literal["cleared", "withheld", "handed_off", "recalled"]
"""Outcome of a send. `handed_off`: to the print house, by a hand-off of its campaign."""
_SendPlace = Annotated[str, StringConstraints(pattern=r"^sends/[0-9]{1,5}/[0-9]{1,16}$")]


class Replaced(Model):
    """The outcome that no longer holds.

    `decision_id`: the decision that withheld or cleared the piece; a hand-off makes no new one. `outcome`, `primary`:
    as they stood.
    """

    decision_id: DecisionId
    outcome: Fate
    primary: Code | None = None


class Result(Model):
    """The outcome of a send, without name, address or recipient id.

    A send has one result when it is decided, and a further one when its outcome changes. All are on the partition of
    the send, in order. The last one of an event id stands, unless it is a duplicate.

    `decision_id`: key of the audit record, on the partition with the same number. `outcome`: `cleared` and `handed_off`
    may go out, `withheld` and `recalled` must not. `verdict`: None if a person recalled the piece. `primary`: the first
    reason, None without one. `reasons`: the codes of all. `at`: when it was decided. `event_id`: of the send, None if
    it could not be read. `campaign_id`, `controller_id`: of the send, or as an unreadable one states them.
    `fault`: why the send became a dead letter. `send`: place of the send, TOPIC/PARTITION/OFFSET; only in the first
    result. `duplicate_of`: the decision that cleared the same piece before; this result changes nothing about that
    piece. `replaces`: the outcome that no longer holds. `mode`: `shadow`, where nothing goes out.
    """

    v: Version
    decision_id: DecisionId
    outcome: Fate
    verdict: Verdict | None = None
    primary: Code | None = None
    reasons: Annotated[Many[Code], Field(max_length=64)] = ()
    at: Instant
    event_id: Id | None = None
    campaign_id: Id | None = None
    controller_id: Id | None = None
    fault: Code | None = None
    send: _SendPlace | None = None
    duplicate_of: DecisionId | None = None
    replaces: Replaced | None = None
    mode: Literal["shadow"] | None = None
