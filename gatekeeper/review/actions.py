"""One call for an act about items of the review queue, from a terminal or from a page, and what became of it in words.

Pure: what the worker is bound to refuse is told before anything is written.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from gatekeeper.deciding import release as releases
from gatekeeper.engine.asks import PENDING
from gatekeeper.engine.item import FROM, WAITING, State
from gatekeeper.policy.reasons import CATALOGUE
from gatekeeper.review.queue import Item
from gatekeeper.texts import Language, catalogue, text
from schemas.audit import Reason
from schemas.events import ItemAct, Release

GOOD = frozenset(("recorded", "cleared", "waiting", "upheld", "asked", "reopened", "recalled", "undone"))
"""Outcomes that are what was asked for."""
REASONED = ("release", "uphold", "undo", "note")
"""What is not done without saying why."""
SAMPLES = 5
"""So many items are shown before many are acted on."""
TYPED_ABOVE = 100
"""More than this is confirmed by typing the number: a yes is given too easily."""

Act = Release | ItemAct


class UnfitValue(ValueError):
    """A value that no act may hold; `field` names it."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


@dataclass(frozen=True, slots=True)
class ActRequest:
    """What shall be done, by whom and why.

    `run`: begins the id of each act, so that the same call again does nothing twice. `bulk`: how many items the person
    confirmed, those included that the same run has written before.
    """

    kind: str
    by: str
    reason: str
    evidence: str | None
    run: str
    at: str
    bulk: int | None = None

    def act_id(self, item: str) -> str:
        """The id of this call's act about an item: always the same."""
        return f"{self.run}.{item}"

    def act(self, item: Item) -> Act:
        """The act about an item; raises Unfit that names the field with a wrong value."""
        said: dict[str, Any] = {
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
        try:
            if self.kind == "release":
                return Release(**said, reasons=item.codes, bulk=self.bulk)
            return ItemAct(**said)
        except ValidationError as error:
            place = str(error.errors(include_input=False, include_context=False)[0]["loc"][0])
        raise UnfitValue(place)

    def refusal(self, item: Item, *, under_way: bool = False) -> str | None:
        """Why it cannot be done about an item as it stands, None where the worker may do it; raises Unfit.

        `under_way`: an act about it waits for its answer, which may be taken back before there is one.
        """
        act = self.act(item)
        if self.kind == "undo" and under_way:
            return None
        if self.kind in FROM and item.state not in FROM[self.kind]:
            return {"approve": "nothing_to_approve", "undo": "nothing_to_undo"}.get(self.kind, "closed")
        if self.kind == "ask" and not _askable(item):
            return "not_confirmable"
        if self.kind == "approve" and item.by is not None and item.by.casefold() == self.by.casefold():
            return "same_person"
        return releases.refusal(act, item.reasons) if isinstance(act, Release) else None


@dataclass(slots=True)
class ActResult:
    """One item, and what became of the act about it; `outcome` is None as long as nobody has answered."""

    id: str
    act_id: str
    outcome: str | None = None
    code: str | None = None
    decision_id: str | None = None

    def plain(self) -> dict[str, Any]:
        """It for programs, with its sentence in the reader's language."""
        return {
            "id": self.id,
            "act_id": self.act_id,
            "outcome": self.outcome,
            "code": self.code,
            "decision_id": self.decision_id,
            "message": sentence(self.outcome, self.code),
        }


def remedies(reason: Reason, item: Item) -> list[str]:
    """The keys of the sentences that say what would change a reason of an item."""
    found = CATALOGUE[reason.code].remedy if reason.code in CATALOGUE else reason.remedy
    later = () if _askable(item) else ("C",)
    return [f"act.remedy_{one}_later" if one in later else f"act.remedy_{one.replace('-', 'never')}" for one in found]


def _askable(item: Item) -> bool:
    """Tells whether the person may be asked as things were decided, or has been and the item may wait along."""
    return item.verdict == "confirm" or PENDING in item.codes


def states(kind: str) -> Collection[State]:
    """The states that a filter means, which names none, where this is to be done about what it finds.

    What was undone or decided is only meant where the filter says so, unless undoing is what is asked for.
    """
    possible = FROM.get(kind, frozenset(WAITING))
    return possible if kind == "undo" else possible & frozenset(WAITING)


def sentence(outcome: str | None, code: str | None, lang: Language | None = None) -> str:
    """Returns what became of an act in one sentence, with what to do next."""
    if outcome is None:
        return text("act.unanswered", lang)
    # of a code such as notice_lacks.name the first part is the sentence's
    kind, _, detail = (code or "").partition(".")
    key = f"act.{outcome}_{kind}" if f"act.{outcome}_{kind}" in catalogue() else f"act.{outcome}"
    return text(key, lang, code=code, detail=detail)
