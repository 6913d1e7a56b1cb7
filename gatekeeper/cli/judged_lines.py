"""Lines of a campaign judged on all cores, as a worker would judge the sends one after another."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import msgspec
from msgspec.structs import replace

from gatekeeper.cli.cores import mapped
from gatekeeper.cli.withheld import Row, row_of
from gatekeeper.deciding.decide import Decision, only
from gatekeeper.deciding.rules import audience
from gatekeeper.deciding.rules.system import Cleared
from gatekeeper.engine.evaluation import Moment
from gatekeeper.engine.failures import defect, invalid
from gatekeeper.engine.sends import taken
from gatekeeper.ledger.entries import clear_key
from gatekeeper.management.preflight import Checked, Weighed, method, weigh
from gatekeeper.management.unread import unread
from gatekeeper.policy.changes import Result
from gatekeeper.policy.reasons import Found
from schemas.codec import Unreadable
from schemas.events import Send
from schemas.record import Record

ReadLine = tuple[int, bytes | Unreadable]
"""A line's number, and its value."""
_OfSend = tuple[frozenset[str], bytes | None, tuple[str, str, str] | None, str | None]


class JudgedLine(msgspec.Struct, frozen=True):
    """A judged line, as a process hands it to the command: a small class, as each is sent.

    `fault`: of an unreadable line. `row`: of a withheld one. `twin`, `piece`: equal for lines with the same send, and
    for lines with the same piece. `unlisted`: words of its audience that no list of the policy knows. `unread`: words
    of the send and its facts that no rule reads.
    """

    weighed: Weighed
    result: Result
    row: Row | None
    fault: str | None
    method: str
    keyless: bool
    unlisted: frozenset[str] = frozenset()
    twin: bytes | None = None
    piece: tuple[str, str, str] | None = None
    event_id: str | None = None
    unread: frozenset[str] = frozenset()

    def twin_of(self, line: int) -> JudgedLine:
        """The same line as a duplicate of an earlier one."""
        row = {**self.row, "duplicate_of": line} if self.row else None
        return replace(self, weighed=replace(self.weighed, duplicate=True), row=row)


class CampaignJudge:
    """Judge of a campaign's lines at one instant, as a worker would judge the sends."""

    def __init__(self, now: Moment) -> None:
        self.now = now
        self.keyless = False
        self.unlisted: set[str] = set()
        self.unread: set[str] = set()

    def line(self, read: ReadLine, clearance: Cleared | None = None) -> JudgedLine:
        """The judged line; `clearance`: of the same piece, by an earlier line of the file. Never raises."""
        number, value = read
        evaluated, fault = None, None
        of_send: _OfSend = (frozenset(), None, None, None)
        try:
            if isinstance(value, Unreadable):
                raise value
            sent = taken(Record("sends", 0, number, 0, None, value), None)
            send = sent.model
            piece = (send.recipient_id, send.channel, send.campaign_id)
            of_send = self._unlisted(send), clear_key(send), piece, send.event_id
            evaluated = self.now.evaluate(sent, before=clearance)
            decision = evaluated.decision
        except Unreadable as unreadable:
            fault = str(unreadable)
            decision = self._only(invalid(unreadable))
        except Exception as error:  # a defect of ours on one line must not stop the rest
            decision = self._only(defect(error))
        facts = evaluated.facts if evaluated else None
        checked = Checked(number, decision, evaluated.sent.model if evaluated else None, facts)
        weighed = weigh(checked, self.now.store.reference)
        return JudgedLine(
            weighed,
            Result(decision.verdict, decision.primary),
            row_of(checked, weighed.returned) if decision.verdict != "clear" else None,
            fault,
            method(decision, facts),
            evaluated is not None and evaluated.printed in ("no_key", "not_checked"),
            *of_send,
            unread=frozenset(unread(evaluated.sent.model, facts)) if evaluated else frozenset(),
        )

    def _unlisted(self, send: Send) -> frozenset[str]:
        """The words of the audience that no list of the policy knows; a person looks at them."""
        policy, phrases = self.now.policy, self.now.store.reference.phrases(self.now.at * 1000)
        unknown = (label for label in send.audience if not audience.sensitive(label, policy, phrases))
        return frozenset(word for label in unknown for word in audience.words(label))

    def _only(self, reason: Found) -> Decision:
        return only(self.now.policy, self.now.at, [reason])


def judged(lines: Iterator[ReadLine], judge: CampaignJudge) -> Iterator[tuple[int, JudgedLine]]:
    """Yields each line's number and judgement, in order; only lines that an earlier one affects are judged here."""
    ahead: deque[ReadLine] = deque()
    first: dict[bytes, int] = {}
    cleared: dict[tuple[str, str, str], dict[str, Cleared]] = {}

    def read() -> Iterator[ReadLine]:
        for line in lines:
            ahead.append(line)
            yield line

    for line in mapped(judge.line, read()):
        number, value = ahead.popleft()
        if line.piece and line.event_id and (here := cleared.get(line.piece)):
            line = judge.line((number, value), here.get(line.event_id) or next(reversed(here.values())))
        if line.twin and (earlier := first.setdefault(line.twin, number)) != number:
            line = line.twin_of(earlier)
        if line.piece and line.event_id and line.weighed.verdict == "clear":
            cleared.setdefault(line.piece, {})[line.event_id] = Cleared(f"line/{number}", line.event_id)
        yield number, line
