"""Applies an act about a campaign to each of its clearances: hand-off to the print house, or recall.

The worker walks a partition's clearances in steps, and each step is one transaction. There is no progress to remember.
A piece that was handed off names its act, and a recalled piece is gone. A walk begun anew goes on where the last ended.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gatekeeper.deciding.rules.system import Cleared
from gatekeeper.engine import results
from gatekeeper.engine.act import ActRecord, Answer, answered
from gatekeeper.engine.evaluation import Evaluation, Moment
from gatekeeper.engine.item import KEPT_MS
from gatekeeper.engine.judged import Cause, Judged
from gatekeeper.engine.recalls import nobody_can_tell, recall
from gatekeeper.ledger.entries import Clearance, Entry, cancelled
from schemas.codec import parsed
from schemas.events import Act, CampaignAct

MAX_PIECES = 1_000
"""Clearances per transaction, at most."""
CALLED_OFF = "called_off"
"""Code of a hand-off that a later cancellation of its campaign ended: nothing more is handed on."""


def decides(act: Act | None, behind: Iterable[Act | None] = ()) -> bool:
    """Tells whether facts bear on the result of an act; None = an act that cannot be read.

    Facts do not matter for a cancellation, nor for a hand-off that an act in `behind` cancels.
    """
    return not isinstance(act, CampaignAct) or (act.kind != "cancel" and not called_off(act, behind))


def called_off(act: CampaignAct, behind: Iterable[Act | None]) -> bool:
    """Tells whether the act is a hand-off, and a later act cancels everything that it would hand on."""
    return act.kind == "handoff" and any(
        later.kind == "cancel" and later.campaign == act.campaign and later.channel in (None, act.channel)
        for later in behind
        if isinstance(later, CampaignAct)
    )


class CampaignActRun:
    """One act about a campaign, applied to a partition's clearances step by step."""

    def __init__(self, asked: ActRecord) -> None:
        if not isinstance(asked.act, CampaignAct):
            raise TypeError("an act about no campaign")
        self.done = False
        self._asked, self._act = asked, asked.act
        self._left: list[bytes] | None = None

    def step(self, now: Moment, behind: Sequence[Act | None] = (), most: int = MAX_PIECES) -> list[Judged]:
        """The results for the next `most` clearances at most, and at the end the act's own answer.

        If an act in `behind` cancels a hand-off, that is answered at once and leaves the rest to the
        cancellation. Any other hand-off waits while facts are late. A defect of ours in deciding on a piece recalls
        that piece.
        """
        if called_off(self._act, behind):
            return [self._ended(now, CALLED_OFF)]
        if now.as_of is not None and decides(self._act, behind):
            return []  # a hand-off is judged only with all facts applied
        if self._left is None:
            shadow = now.mode == "shadow"
            self._left = [] if shadow else now.ledger.of_campaign(self._act.campaign, self._act.channel)
        taken, self._left = self._left[:most], self._left[most:]
        outcomes = []
        for key in taken:
            clearance = now.ledger.clearance(key, now.at)
            judged = self._of(now, clearance) if clearance else None
            if judged is not None:
                outcomes.append(judged)
        if not self._left:
            outcomes.append(self._ended(now))
        return outcomes

    def _of(self, now: Moment, clearance: Clearance) -> Judged | None:
        """The result for one clearance, None if nothing changes."""
        act = self._act
        if act.kind == "cancel":
            return self._cancelled(now, clearance)
        if clearance.handed == act.act_id or (clearance.handed is not None and not act.again):
            return None
        try:
            evaluation = now.weigh(clearance)
            if nobody_can_tell(evaluation.decision):
                return None  # neither handed off nor recalled; the next hand-off takes it
            return self._handed(now, clearance, evaluation)
        except Exception as error:  # a defect of ours: nobody can tell whether the piece may go out, so it is recalled
            judged = now.defective(parsed(clearance.send), error, clearance=Cleared(clearance.did))
            return self._handed(now, clearance, judged)

    def _handed(self, now: Moment, clearance: Clearance, evaluation: Evaluation) -> Judged:
        """Hands the piece to the print house, or recalls a piece that no longer stands."""
        cause = Cause.of(self._asked, "handoff", clearance.did)
        if evaluation.stands:
            code = "again" if clearance.handed is not None else None
            entries: tuple[Entry, ...] = (now.ledger.handed(clearance, self._act.act_id),)
            result = results.handed_off(clearance, cause, evaluation.decision) if code is None else None
            answer = Answer("handed", code, evaluation, entries=entries, cause=cause, result=result)
        else:
            output, forgotten = recall(clearance, id_=cause.id, at=now.at, reasons=evaluation.decision.codes)
            entries = (*forgotten, *evaluation.ended_releases())
            result = results.recalled(clearance, cause, at=now.at, decision=evaluation.decision)
            answer = Answer("recalled", None, evaluation, (output,), entries, cause, result=result)
        return answered(now, self._asked, answer, about=clearance)

    def _cancelled(self, now: Moment, clearance: Clearance) -> Judged:
        """Recalls the piece because a person cancelled the campaign; nothing is decided."""
        cause = Cause.of(self._asked, "recall", clearance.did)
        output, forgotten = recall(clearance, id_=cause.id, at=now.at)
        result = results.recalled(clearance, cause, at=now.at)
        answer = Answer("recalled", outputs=(output,), entries=forgotten, cause=cause, result=result)
        return answered(now, self._asked, answer, about=clearance)

    def _ended(self, now: Moment, code: str | None = None) -> Judged:
        """The act's own answer."""
        self.done = True
        act = self._act
        ends: tuple[Entry, ...] = ()
        if now.mode == "shadow":
            return answered(now, self._asked, Answer("refused", "shadow"))  # a shadow has cleared nothing
        if act.kind == "cancel":
            ends = (cancelled(act.campaign, act.channel, now.at, until=now.at + KEPT_MS),)
        return answered(now, self._asked, Answer("done", code, entries=ends))
