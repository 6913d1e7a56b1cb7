"""The one evaluation of a send: look-up, decision, audit record and ledger entries, for every kind of caller."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import msgspec

from gatekeeper.audit.records import record as audit
from gatekeeper.audit.records.pseudonym import Subject
from gatekeeper.deciding.decide import Decision, decide, only
from gatekeeper.deciding.facts import Facts
from gatekeeper.deciding.release import RELEASED
from gatekeeper.deciding.rules.system import Cleared
from gatekeeper.engine.evaluator import Evaluator
from gatekeeper.engine.failures import defect
from gatekeeper.engine.judged import Cause
from gatekeeper.engine.outputs import INFORMATIONAL
from gatekeeper.engine.rejudging import acted_on_until, rejudged_until
from gatekeeper.ground import times
from gatekeeper.identity import Identified, Printed
from gatekeeper.knowledge.known_facts import KnownFacts
from gatekeeper.knowledge.meeting import POSTAL, pair_id
from gatekeeper.ledger import entries
from gatekeeper.ledger.entries import Clearance, Entry
from gatekeeper.ledger.questions import NO_QUESTIONS, QuestionIndex
from gatekeeper.ledger.state import LedgerState
from gatekeeper.policy.packs import Packs
from gatekeeper.policy.policy import Policy
from schemas.audit import NORMALISED, Mode
from schemas.codec import Parsed, canonical, parsed
from schemas.events import Send

MOST_ASKED = 3
"""Questions under other ids that a snapshot holds, at most: no policy's cap is higher."""


class Moment(msgspec.Struct, frozen=True):
    """Inputs of every evaluation at one instant.

    `at`: milliseconds since the epoch. `as_of`: the instant up to which the facts are known, None if none is missing.
    `questions`: those on all partitions, None while they are not known.
    """

    evaluator: Evaluator
    store: KnownFacts
    ledger: LedgerState
    at: int
    as_of: int | None = None
    questions: QuestionIndex | None = NO_QUESTIONS

    @property
    def mode(self) -> Mode:
        """Mode of the gate: live or shadow."""
        return self.evaluator.mode

    @property
    def packs(self) -> Packs:
        """The packs in force."""
        return self.evaluator.holding(self.store)

    @property
    def policy(self) -> Policy:
        """The company's own policy in force."""
        return self.packs.at(self.at)

    def subject(self, recipient_id: str) -> tuple[Subject | None, tuple[Entry, ...]]:
        """The pseudonym of a person, and the ledger entries for it. Call it once per record."""
        return self.evaluator.subject(recipient_id, self.ledger)

    def evaluate(
        self,
        sent: Parsed[Send],
        *,
        release: Mapping[str, Any] | None = None,
        before: Cleared | None = None,
        asking: bool = False,
    ) -> Evaluation:
        """Evaluates a send that is to go out. Never raises.

        `release`: the redacted form of a release that counts in addition to those in the ledger. `before`: the
        clearance of the same piece; None for the one in the ledger. `asking`: the person is to be asked.
        """
        return self._evaluated(sent, None, counts=release, before=before, asking=asking)

    def weigh(self, clearance: Clearance, *, without: Mapping[str, Any] | None = None) -> Evaluation:
        """Evaluates a live clearance again. Never raises.

        `without`: the redacted form of a release that no longer counts.
        """
        return self._evaluated(parsed(clearance.send), clearance, counts_no_more=without)

    def defective(
        self, sent: Parsed[Send], error: Exception, *, facts: Facts | None = None, clearance: Cleared | None = None
    ) -> Evaluation:
        """The evaluation of a send on which our own code raised: DECISION_FAILED."""
        decision = only(self.policy, self.at, [defect(error)])
        return Evaluation(self, sent, decision, facts, clearance=clearance, error=error)

    def note(
        self,
        cause: Cause,
        act: Mapping[str, Any],
        *,
        scope: Mapping[str, Any] | None = None,
        clearance: str | None = None,
        subject: Subject | None = None,
    ) -> bytes:
        """The audit record of an act that decides nothing. `scope`: the fields of the send that the act names.

        `clearance`: as `audit.record_of_act` takes it.
        """
        return audit.record_of_act(
            self.policy,
            self.at,
            id_=cause.id,
            origin=cause.origin,
            stage=cause.stage,
            act=act,
            scope=scope,
            clearance=clearance,
            mode=self.mode,
            subject=subject,
            raw=cause.raw,
        )

    def _evaluated(
        self,
        sent: Parsed[Send],
        clearance: Clearance | None,
        *,
        counts: Mapping[str, Any] | None = None,
        counts_no_more: Mapping[str, Any] | None = None,
        before: Cleared | None = None,
        asking: bool = False,
    ) -> Evaluation:
        send, facts, at_point = sent.model, None, None
        try:
            remembered = self.ledger.about(send, self.at)
            if clearance is None and before is None and remembered.clearance:
                before = Cleared(remembered.clearance.did, remembered.clearance.send.event_id)
            if clearance is None:
                at_point = self.evaluator.printed(send)
            else:
                at_point, before = clearance.printed, Cleared(clearance.did)
            releases = remembered.releases
            if counts is not None:
                releases = b"\n".join(filter(None, (releases, canonical(counts))))
            if counts_no_more is not None:
                gone = canonical(counts_no_more)
                releases = b"\n".join(line for line in releases.split(b"\n") if line != gone)
            asks = asking or (clearance is None and send.message_class == "confirmation")
            plan = self.evaluator.plans(self.store, self.at).of(send, "intake" if clearance is None else "handoff")
            facts = self.store.view(
                send,
                at_point,
                at=self.at,
                zone=plan.policy.timezone,
                asks=remembered.asks,
                releases=releases,
                erased=remembered.erased,
                asked=self._asked(send, at_point) if asks else b"",
            )
            decision = decide(plan, send, facts, as_of=self.as_of, clearance=before)
        except Exception as error:
            return self.defective(sent, error, facts=facts, clearance=Cleared(clearance.did) if clearance else before)
        return Evaluation(self, sent, decision, facts, at_point, before)

    def _asked(self, send: Send, printed: Printed | None) -> bytes | None:
        """The newest questions under other ids, one per line; None while nobody can tell them.

        Each is under an id of this pair.
        """
        if send.channel != POSTAL:
            return b""
        if self.questions is None:
            return None
        tokens = {send.contact_point.token or "", *(printed.exact if isinstance(printed, Identified) else ())}
        whose = tokens, send.controller_id, send.recipient_id
        said = self.questions.naming(*whose) | self.ledger.questions.naming(*whose)
        name = partial(pair_id, self.store.pair_key, send.recipient_id)
        lines = [
            canonical(
                {
                    "v": 1,
                    "kind": "asked",
                    "request_id": name(one.recipient_id, f"asked/{one.request_id}"),
                    "controller_id": one.controller_id,
                    "at": one.at,
                }
            )
            for one in said
            if one.key not in self.ledger.unasked
        ]
        return b"\n".join(sorted(lines)[-MOST_ASKED:])


class Evaluation(msgspec.Struct, frozen=True):
    """A decision on one send, with its inputs.

    `facts`: None if the look-up failed. `printed`: the result of comparing the send's delivery. `clearance`: as
    decide() was given it. `error`: the defect of ours that led to DECISION_FAILED.
    """

    moment: Moment
    sent: Parsed[Send]
    decision: Decision
    facts: Facts | None = None
    printed: Printed | None = None
    clearance: Cleared | None = None
    error: Exception | None = None

    @property
    def stands(self) -> bool:
        """True if the verdict is `clear`."""
        return self.decision.verdict == "clear"

    def sound(self) -> Evaluation:
        """This evaluation; raises the defect of ours that prevented a decision."""
        if self.error is not None:
            raise self.error
        return self

    def record(self, cause: Cause, *, subject: Subject | None, act: Mapping[str, Any] | None = None) -> bytes:
        """The audit record. `subject`: the pseudonym of the person. `act`: the fields of `schemas.audit.Acted`."""
        facts = self.facts
        return audit.record(
            self.decision,
            id_=cause.id,
            origin=cause.origin,
            send=audit.judged_send(self.sent.json),
            snapshot=facts.snapshot if facts else None,
            stage=cause.stage,
            as_of=self.moment.as_of,
            clearance=self.clearance.did if self.clearance else None,
            clearance_event=self.clearance.event_id if self.clearance else None,
            act=act,
            mode=self.moment.mode,
            normalised=facts is not None and facts.printed in NORMALISED,
            subject=subject,
            raw=cause.raw,
        )

    def remembered(self, cause: Cause) -> tuple[Entry, ...]:
        """The ledger entries that the decision adds and removes."""
        decision, send = self.decision, self.sent.model
        if not self.stands:
            return *self.ended_releases(), *self._held(cause)
        until = decision.at + decision.policy.dedupe_ms
        if send.mail_date:
            until = max(until, times.span(send.mail_date, decision.policy.timezone).last // 1000 + 1)
        return (
            entries.clearance(
                self.sent,
                did=cause.id,
                at=decision.at,
                until=until,
                basis=decision.basis,
                released=RELEASED in decision.notes,
                src=cause.origin,
                printed=self.printed,
            ),
            *(self.question(cause.id, send.source_id) if send.message_class == "confirmation" else ()),
        )

    def question(self, id_: str, source_id: str | None) -> tuple[Entry, ...]:
        """The entry by which a question counts under other ids (rule 8.2.48); () for one without a postal token.

        `id_`: the decision that asks. `source_id`: the source that it asks about.
        """
        send, place = self.sent.model, self.printed
        tokens = self.moment.store.postal_tokens(send.recipient_id, source_id)
        if send.channel == POSTAL:
            tokens |= place.exact if isinstance(place, Identified) else set()
            tokens |= {send.contact_point.token} if send.contact_point.token else set()
        if not tokens:
            return ()
        at = times.instant(self.decision.at)
        return (entries.question(send.recipient_id, id_, tokens, controller_id=send.controller_id, at=at),)

    def ended_releases(self) -> tuple[Entry, ...]:
        """The entries that remove the releases of the send's key, if a HARD reason ended them for good."""
        if "RELEASE_SUPERSEDED" not in self.decision.codes:
            return ()
        return tuple(Entry(key, None) for key in self.moment.ledger.releases(self.sent.model))

    def _held(self, cause: Cause) -> tuple[Entry, ...]:
        """The entry of a withheld send that the gate itself may clear later, up to its mail date.

        The send qualifies if its person may be asked or was asked, even if another reason withholds the send now. The
        send also qualifies if late or unreadable facts withheld it.
        """
        decision, send, ledger = self.decision, self.sent.model, self.moment.ledger
        if ledger.review is None or decision.codes == INFORMATIONAL:
            return ()
        rejudge, until = rejudged_until(send, decision), acted_on_until(send, decision)
        if decision.verdict != "confirm" and not ledger.requests(send.recipient_id):
            if rejudge is None:
                return ()
            until = rejudge
        return (entries.held(send.recipient_id, cause.id, offset=ledger.review, until=until, rejudge=rejudge),)
