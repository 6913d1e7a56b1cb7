"""An act about a campaign in, what becomes of each of its clearances out: handed to the print house, or called back.

A partition's clearances are walked in steps, and each step is one transaction. There is no progress to remember: what
was handed off says by which act, what was recalled is gone, so a walk begun anew goes on where the last one ended.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gatekeeper.engine.act import ActRecord, Answer, answered
from gatekeeper.engine.evaluation import Evaluation, Moment
from gatekeeper.engine.item import KEPT_MS
from gatekeeper.engine.judged import Cause, Judged
from gatekeeper.engine.recalls import nobody_can_tell, recall
from gatekeeper.ledger.entries import Clearance, Entry, cancelled
from schemas.codec import parsed
from schemas.events import Act, CampaignAct

MAX_PIECES = 1_000
"""So many clearances are looked at in one transaction."""
CALLED_OFF = "called_off"
"""How a hand-off ends behind which its campaign is cancelled: nothing more is handed on."""


def decides(act: Act | None, behind: Iterable[Act | None] = ()) -> bool:
    """Tells whether facts bear on what becomes of an act; None = one that cannot be read.

    They may on all but a cancellation, and a hand-off that is called off by one of those `behind` it.
    """
    return not isinstance(act, CampaignAct) or (act.kind != "cancel" and not called_off(act, behind))


def called_off(act: CampaignAct, behind: Iterable[Act | None]) -> bool:
    """Tells whether an act is a hand-off behind which all that it would hand on is cancelled."""
    return act.kind == "handoff" and any(
        later.kind == "cancel" and later.campaign == act.campaign and later.channel in (None, act.channel)
        for later in behind
        if isinstance(later, CampaignAct)
    )


class CampaignWalk:
    """One act about a campaign, on its way through a partition's clearances."""

    def __init__(self, asked: ActRecord) -> None:
        if not isinstance(asked.act, CampaignAct):
            raise TypeError("an act about no campaign")
        self.done = False
        self._asked, self._act = asked, asked.act
        self._left: list[tuple[str, str]] | None = None

    def step(self, now: Moment, behind: Sequence[Act | None] = (), most: int = MAX_PIECES) -> list[Judged]:
        """Returns what becomes of the next `most` clearances at most, and where none is left, the act's answer.

        A hand-off that one of those `behind` calls off is answered at once, and what is left is theirs. Any other
        waits while facts are late. A defect of ours in deciding on a piece calls that one back.
        """
        if called_off(self._act, behind):
            return [self._ended(now, CALLED_OFF)]
        if now.as_of is not None and decides(self._act, behind):
            return []  # what may be handed on is only judged with all facts applied
        if self._left is None:
            shadow = now.mode == "shadow"
            self._left = [] if shadow else now.memory.of_campaign(self._act.campaign, self._act.channel)
        taken, self._left = self._left[:most], self._left[most:]
        found = []
        for recipient_id, channel in taken:
            clearance = now.memory.clearance(recipient_id, self._act.campaign, channel, now.at)
            judged = self._of(now, clearance) if clearance else None
            if judged is not None:
                found.append(judged)
        if not self._left:
            found.append(self._ended(now))
        return found

    def _of(self, now: Moment, clearance: Clearance) -> Judged | None:
        """Returns what becomes of a clearance, None where nothing does."""
        act = self._act
        if act.kind == "cancel":
            return self._cancelled(now, clearance)
        if clearance.handed == act.act_id or (clearance.handed is not None and not act.again):
            return None
        try:
            evaluation = now.weigh(clearance)
            if nobody_can_tell(evaluation.decision):
                return None  # neither handed off nor called back: the next hand-off takes it
            return self._handed(now, clearance, evaluation)
        except Exception as error:  # a defect of ours: nobody knows whether it may go out, so it does not
            return self._handed(now, clearance, now.defective(parsed(clearance.send), error, clearance=clearance.did))

    def _handed(self, now: Moment, clearance: Clearance, evaluation: Evaluation) -> Judged:
        """The piece goes to the print house, or is called back where it no longer stands."""
        cause = Cause.of(self._asked, "handoff", clearance.did)
        if evaluation.stands:
            code = "again" if clearance.handed is not None else None
            kept: tuple[Entry, ...] = (now.memory.handed(clearance, self._act.act_id),)
            answer = Answer("handed", code, evaluation, entries=kept, cause=cause)
        else:
            output, forgotten = recall(clearance, id_=cause.id, at=now.at, reasons=evaluation.decision.codes)
            kept = (forgotten, *evaluation.ended_releases())
            answer = Answer("recalled", None, evaluation, (output,), kept, cause)
        return answered(now, self._asked, answer, about=clearance)

    def _cancelled(self, now: Moment, clearance: Clearance) -> Judged:
        """The piece is called back by a person's word; nothing is decided about it."""
        cause = Cause.of(self._asked, "recall", clearance.did)
        output, forgotten = recall(clearance, id_=cause.id, at=now.at)
        answer = Answer("recalled", outputs=(output,), entries=(forgotten,), cause=cause)
        return answered(now, self._asked, answer, about=clearance)

    def _ended(self, now: Moment, code: str | None = None) -> Judged:
        """The act's own answer."""
        self.done = True
        act = self._act
        ends: tuple[Entry, ...] = ()
        if now.mode == "shadow":
            return answered(now, self._asked, Answer("refused", "shadow"))  # a shadow has let nothing out
        if act.kind == "cancel":
            ends = (cancelled(act.campaign, act.channel, now.at, until=now.at + KEPT_MS),)
        return answered(now, self._asked, Answer("done", code, entries=ends))
