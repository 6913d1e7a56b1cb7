"""Acts on items of the review queue, by command line or console, and sentences about the results.

Pure: acts that the worker is bound to refuse are refused here, before anything is written.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

from gatekeeper.deciding import release as releases
from gatekeeper.engine.asks import PENDING
from gatekeeper.engine.item import FROM, WAITING, refusal_in_state
from gatekeeper.ground.texts import Language, catalogue, placed, text
from gatekeeper.policy.reasons import CATALOGUE
from gatekeeper.review.review_item import Item
from gatekeeper.staff.act_kinds import State, valid
from gatekeeper.staff.roles import person
from schemas.decision import Reason
from schemas.events import ItemAct, Release

GOOD = frozenset(("recorded", "cleared", "waiting", "upheld", "asked", "reopened", "recalled", "undone"))
"""Outcomes in which the act succeeded."""
SAMPLES = 5
"""Number of items shown before an act on many."""
TYPED_ABOVE = 100
"""Acts on more items are confirmed by typing the number, because people answer "yes" too easily."""

ReviewAct = Release | ItemAct


@dataclass(frozen=True, slots=True)
class ActRequest:
    """Request for an act on items: its kind, actor and reason.

    `run`: the prefix of each act's id, so that a repeated call does nothing twice.
    `bulk`: the number of items that the person confirmed, including those that the same run wrote before.
    `template`: a registered template may ask people; without one nobody can be asked.
    """

    kind: str
    by: str
    reason: str
    evidence: str | None
    run: str
    at: str
    bulk: int | None = None
    template: bool = True

    def dated(self, at: str) -> ActRequest:
        """The same request at another instant: the gate refuses an act that arrives ten minutes after its date."""
        return replace(self, at=at)

    def act_id(self, item: str) -> str:
        """The id of this request's act on an item; the same each time."""
        return f"{self.run}.{item}"

    def act(self, item: Item) -> ReviewAct:
        """The act on an item; raises UsageError (2) that names the option with a wrong value."""
        fields: dict[str, Any] = {
            "v": 1,
            "kind": self.kind,
            "act_id": self.act_id(item.id),
            "at": self.at,
            "by": self.by,
            "recipient_id": item.recipient,
            "campaign_id": item.campaign,
            "channel": item.channel,
            "decision_id": item.id,
            "review": item.place,
            "reason": self.reason,
            "evidence_ref": self.evidence,
        }
        if self.kind == "release":
            seen = {code: item.digests.get(code, ()) for code in item.releasable} if item.digests is not None else None
            named = {"reasons": item.releasable, "had": item.codes, "seen": seen}
            return valid(Release, {**fields, **named, "bulk": self.bulk})
        return valid(ItemAct, fields)

    def refusal(self, item: Item, *, under_way: bool = False) -> str | None:
        """The reason why this act is not possible on an item in its present state. None if the worker may accept it.

        `under_way`: an earlier act on the item has no answer yet, and may be undone before the answer comes.
        Raises UsageError (2) for a value that an act does not allow.
        """
        act = self.act(item)
        if self.kind == "undo" and under_way:
            return None
        if self.kind in FROM and (refused := refusal_in_state(self.kind, item.state)):
            return refused
        if self.kind == "ask" and not _askable(item):
            return "not_confirmable"
        if self.kind == "ask" and not self.template and PENDING not in item.codes:
            return "template_missing"
        if self.kind == "approve" and item.by is not None and person(item.by) == person(self.by):
            return "same_person"
        if not isinstance(act, Release):
            return None
        return releases.refusal(act, item.reasons) or ("seen_differs" if act.seen is None else None)


@dataclass(slots=True)
class ActResult:
    """Result of an act on one item; `outcome` is None until the worker answers."""

    id: str
    act_id: str
    outcome: str | None = None
    code: str | None = None
    decision_id: str | None = None

    def plain(self) -> dict[str, Any]:
        """The result for programs, with its sentence in the reader's language."""
        return {
            "id": self.id,
            "act_id": self.act_id,
            "outcome": self.outcome,
            "code": self.code,
            "decision_id": self.decision_id,
            "message": sentence(self.outcome, self.code),
        }


def remedies(reason: Reason, item: Item) -> list[str]:
    """Text keys of the remedies for a reason of an item."""
    ways = CATALOGUE[reason.code].remedy if reason.code in CATALOGUE else reason.remedy
    if releases.releasable(reason.code) and "R" not in ways:
        ways = ("R", *ways)
    later = () if _askable(item) else ("C",)
    return [f"act.remedy_{way}_later" if way in later else f"act.remedy_{way.replace('-', 'never')}" for way in ways]


def _askable(item: Item) -> bool:
    """Tells whether the person may be asked, or was asked already. In both cases the item can wait for the answer."""
    return item.verdict == "confirm" or PENDING in item.codes


def states(kind: str) -> Collection[State]:
    """The states that a filter without a `state` matches, for an act of this kind.

    Undone and decided items match only where the filter names their state, or where the act is `undo`.
    """
    possible = FROM.get(kind, frozenset(WAITING))
    return possible if kind == "undo" else possible & frozenset(WAITING)


def sentence(outcome: str | None, code: str | None, lang: Language | None = None, place: str = "") -> str:
    """The result of an act in one sentence, with the next step. `place`: as `texts.placed` takes it."""
    if outcome is None:
        return text("act.unanswered", lang)
    # the first part of a code such as notice_lacks.name selects the sentence
    kind, _, detail = (code or "").partition(".")
    key = f"act.{outcome}_{kind}" if f"act.{outcome}_{kind}" in catalogue() else f"act.{outcome}"
    return text(placed(key, place), lang, code=code, detail=detail)
