"""State machine of a review item: which acts are allowed in each state, and which step an act leads to.

Pure: item, act and state in; step or refusal out (domain rule 6.8). The caller looks up the facts of the person
afterwards, if the step needs a decision.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson
from pydantic import ValidationError

from gatekeeper.deciding import release as releases
from gatekeeper.deciding.redacted import redacted_fields
from gatekeeper.deciding.rules.system import mailed_before
from gatekeeper.engine.outputs import SEEN
from gatekeeper.ground import times
from gatekeeper.ledger.entries import ItemState
from gatekeeper.policy.policy import Policy
from gatekeeper.policy.reasons import Found
from gatekeeper.staff.act_kinds import ACT_KINDS, State
from gatekeeper.staff.roles import person
from schemas.codec import Parsed, Unreadable, parse, parsed
from schemas.decision import CodedDecision
from schemas.events import ItemAct, Release, Send
from schemas.topics import CLEARED_DAYS, DAY_MS

FROM: Mapping[str, frozenset[State]] = {kind: row.states for kind, row in ACT_KINDS.items() if row.states is not None}
"""The states in which each judged act is allowed, as its row says. An item is released at most once."""

AFTER: Mapping[str, State] = {
    "waiting": "proposed",
    "upheld": "upheld",
    "asked": "asked",
    "reopened": "open",
    "undone": "undone",
    "recalled": "undone",
}
"""The state of an item after an act, by outcome; `after` adds the outcomes that are decisions."""

WAITING: tuple[State, ...] = ("open", "proposed", "asked")
"""States in which an act or an answer is still awaited."""

KEPT_MS = CLEARED_DAYS * DAY_MS
"""Milliseconds during which an item accepts acts: the retention of `review`."""

Step = Literal["propose", "release", "redecide", "ask", "uphold", "reopen", "undo"]


@dataclass(frozen=True, slots=True)
class ReviewRecord:
    """A withheld send, read from its record on `review`; `at` in milliseconds.

    `seen`: of each releasable reason the digests of its facts, None for an item of before there were any.
    """

    did: str
    at: int
    reasons: tuple[Found, ...]
    sent: Parsed[Send]
    seen: Mapping[str, Sequence[str]] | None = None

    @property
    def send(self) -> Send:
        """The send."""
        return self.sent.model

    @property
    def until(self) -> int:
        """First instant (milliseconds) at which the item accepts no more acts."""
        return self.at + KEPT_MS


@dataclass(frozen=True, slots=True)
class Consequence:
    """Result of weighing an act: a step, or None with the code of the refusal.

    `said`: the redacted form of the release that the step is about.
    """

    step: Step | None
    code: str | None = None
    said: Mapping[str, Any] | None = None


def item(key: bytes | None, value: bytes | None, headers: Mapping[str, bytes]) -> ReviewRecord | None:
    """The item that a record of `review` holds, None where it holds none."""
    try:
        decision = CodedDecision.model_validate_json(headers.get("gate-decision", b""))
        sent: Parsed[Send] = parse("sends", key, value)
    except (ValidationError, Unreadable):
        return None
    reasons = tuple(Found(reason.code, reason.facts) for reason in decision.reasons)
    at = times.span(decision.at, "UTC").first // 1000
    return ReviewRecord(decision.id, at, reasons, sent, seen_in(headers.get(SEEN)))


def seen_in(header: bytes | None) -> dict[str, tuple[str, ...]] | None:
    """The digests in the header of an item, by reason; None for an item of before there were any."""
    try:
        said: dict[str, list[str]] = orjson.loads(header or b"")
        return {code: tuple(digests) for code, digests in said.items()}
    except (ValueError, TypeError, AttributeError):
        return None


def refusal_in_state(kind: str, state: str) -> str | None:
    """The code of the refusal of an act in this state; None if it is allowed there."""
    if state in FROM.get(kind, ()):
        return None
    return ACT_KINDS[kind].closed if kind in ACT_KINDS else "closed"


def after(kind: str, outcome: str | None) -> State | None:
    """The state of an item after an answered act; None where the act changes nothing."""
    if outcome in ("cleared", "withheld"):
        return "redecided" if kind == "redecide" else "released"
    return AFTER.get(outcome or "")


def weigh(
    act: Release | ItemAct,
    withheld: ReviewRecord | None,
    standing: ItemState | None,
    *,
    at: int,
    policy: Policy,
    counted: int = 0,
) -> Consequence:
    """The step that an act leads to, or the code of its refusal, at that instant (milliseconds).

    `counted`: as of `ActRecord`. Refusals:

    * item_unknown, item_differs, item_expired, mail_date_past
    * repeated (this very act was done), closed (another act was), nothing_to_approve, nothing_to_undo
    * same_person, no_reason, dated_ahead, release_expired, had_differs (the item has other reasons)
    * seen_differs (its reasons point to other facts, or it is of before they were named)
    * those of gatekeeper.deciding.release.refusal
    """
    if withheld is None:
        return Consequence(None, "item_unknown")
    if (act.decision_id, act.recipient_id, act.campaign_id, act.channel) != _names(withheld):
        return Consequence(None, "item_differs")
    state = standing.state if standing else "open"
    if standing and act.act_id in standing.acts:
        return Consequence(None, "repeated")
    if refused := refusal_in_state(act.kind, state):
        return Consequence(None, refused)
    if at >= withheld.until:
        return Consequence(None, "item_expired")
    if not ACT_KINDS[act.kind].late and _too_late(withheld, at, policy):
        return Consequence(None, "mail_date_past")
    if isinstance(act, Release):
        return _release(act, withheld, at, policy, counted)
    if act.kind == "undo" and standing and act.undoes not in (None, standing.act_id):
        return Consequence(None, "nothing_to_undo")
    if act.kind == "undo":
        return Consequence("undo" if state == "released" else "reopen", said=standing.said if standing else None)
    if act.kind == "approve" and standing and standing.said:
        return _approval(act, standing, standing.said, at, policy)
    steps: Mapping[str, Step] = {"uphold": "uphold", "ask": "ask", "redecide": "redecide"}
    return Consequence(steps[act.kind])


def _release(act: Release, withheld: ReviewRecord, at: int, policy: Policy, counted: int) -> Consequence:
    if not act.reason.strip():
        return Consequence(None, "no_reason")
    said_at = times.span(act.at, policy.timezone)
    if said_at.last > (at + policy.skew_ms) * 1000:
        return Consequence(None, "dated_ahead")
    if said_at.first + policy.release_ttl_ms * 1000 <= at * 1000:
        return Consequence(None, "release_expired")
    if set(act.had) != {reason.code for reason in withheld.reasons}:
        return Consequence(None, "had_differs")
    if refused := releases.refusal(act, withheld.reasons):
        return Consequence(None, refused)
    if act.seen is None or withheld.seen is None or _of(act.seen, act.reasons) != _of(withheld.seen, act.reasons):
        return Consequence(None, "seen_differs")
    act = _numbered(act, counted)
    return Consequence("propose" if releases.two_persons(act, policy) else "release", said=redacted_form(act, counted))


def _of(seen: Mapping[str, Sequence[str]], codes: Sequence[str]) -> dict[str, list[str]]:
    return {code: sorted(seen.get(code, ())) for code in codes}


def _approval(act: ItemAct, standing: ItemState, form: Mapping[str, Any], at: int, policy: Policy) -> Consequence:
    if person(act.by) == person(standing.by):
        return Consequence(None, "same_person")
    if times.span(form["at"], policy.timezone).first + policy.release_ttl_ms * 1000 <= at * 1000:
        return Consequence(None, "release_expired")
    return Consequence("release", said={**form, "by": sorted((act.by, standing.by))})


def redacted_form(act: Release, counted: int | None) -> dict[str, Any]:
    """The redacted form of a release, without the fields that only lead to its item.

    Its `bulk` is the result of `number`. `counted`: as of `ActRecord`; None in audit
    records from before workers counted.
    """
    fields, _ = redacted_fields("acts", parsed(_numbered(act, counted)).json)
    return {name: field for name, field in fields.items() if name not in ("act_id", "review")}


def _numbered(act: Release, counted: int | None) -> Release:
    return act.model_copy(update={"bulk": number(act.bulk, counted)})


def number(stated: int | None, counted: int | None) -> int | None:
    """The number of items of a release, as stated or as counted: the larger one. None = unknown, so over any limit.

    `stated`: its `bulk`. `counted`: by the worker, 0 if it could not; None in records from before workers counted.
    """
    if counted is None:
        return stated
    return None if stated is None or counted == 0 else max(stated, counted)


def _names(withheld: ReviewRecord) -> tuple[str, str, str, str]:
    return withheld.did, withheld.send.recipient_id, withheld.send.campaign_id, withheld.send.channel


def _too_late(withheld: ReviewRecord, at: int, policy: Policy) -> bool:
    date = withheld.send.mail_date
    return date is not None and mailed_before(date, at * 1000, policy)
