"""Turns one record of `sends` into its results: outputs with their headers, and the audit record."""

from __future__ import annotations

from typing import cast

import msgspec

from gatekeeper.audit.records import record as audit
from gatekeeper.audit.records.pseudonym import Subject, Subjects
from gatekeeper.deciding.decide import Decision, only
from gatekeeper.deciding.facts import Facts
from gatekeeper.engine import results
from gatekeeper.engine.evaluation import Evaluation, Moment
from gatekeeper.engine.evaluator import Evaluator
from gatekeeper.engine.failures import defect, invalid
from gatekeeper.engine.judged import Cause, Judged
from gatekeeper.engine.outputs import dead_letter, told
from gatekeeper.ground.partitioner import partition_of
from gatekeeper.identity import Tokens
from gatekeeper.knowledge.store import FactStore
from gatekeeper.ledger.entries import Entry
from gatekeeper.ledger.questions import NO_QUESTIONS, QuestionIndex
from gatekeeper.ledger.state import LedgerState
from gatekeeper.policy.packs import Packs
from schemas.audit import Acts, Mode
from schemas.codec import Parsed, Unreadable, headers_fault, read
from schemas.events import Send
from schemas.plain_send import read_plain
from schemas.record import Record

INVALID = {
    "controller": ("controller_unknown", "controller_id"),
    "purpose": ("purpose_unknown", "purpose"),
    "purpose_near": ("purpose_unknown", "purpose"),
    "purpose_not_of_controller": ("purpose_not_of_controller", "purpose"),
    "mail_date": ("mail_date_too_far", "mail_date"),
    "mail_date_past": ("mail_date_past", "mail_date"),
    "confirmation": ("confirmation_incomplete", "source_id"),
    "class_differs": ("class_differs", "message_class"),
    "template_advertises": ("class_differs", "template_id"),
    "class_not_registered": ("class_not_registered", "template_id"),
    "ground_missing": ("ground_missing", "ground"),
    "ground_unknown": ("ground_unknown", "ground"),
    "request_unknown": ("ground_unknown", "ground"),
    "delivery": ("delivery_missing", "delivery"),
    "token_differs": ("token_differs", "contact_point.token"),
    "several": ("not_an_address", "delivery"),
}
"""Fault and place of a send that can be read but cannot be judged."""
PARTITION_WRONG = "partition_wrong"


class Judge(Evaluator):
    """Judge of the records of `sends`, a topic of `partitions` partitions.

    `judge_misplaced`: also judge a send that is not on the partition that Kafka's own partitioner gives its recipient.
    """

    def __init__(
        self,
        packs: Packs,
        partitions: int,
        mode: Mode = "live",
        *,
        tokens: Tokens | None = None,
        subjects: Subjects | None = None,
        judge_misplaced: bool = False,
        acts: Acts = "signed",
    ) -> None:
        super().__init__(packs, mode, tokens=tokens, subjects=subjects, acts=acts)
        self.partitions = partitions
        self.judge_misplaced = judge_misplaced

    def judge(
        self,
        record: Record,
        store: FactStore,
        at: int,
        *,
        as_of: int | None = None,
        ledger: LedgerState | None = None,
        questions: QuestionIndex | None = NO_QUESTIONS,
    ) -> Judged:
        """The result of judging one record at that instant (milliseconds since the epoch). Never raises.

        `ledger`: earlier decisions; the writer of the result puts its entries into it. `questions`: as of `Moment`.
        A defect of ours on this record withholds it as DECISION_FAILED; other records are not affected.
        """
        now, cause = Moment(self, store, ledger or LedgerState(), at, as_of, questions), Cause.of(record, "intake")
        sent: Parsed[Send] | None = None
        who: Subject | None = None
        facts: Facts | None = None
        salt: tuple[Entry, ...] = ()
        try:
            sent = taken(record, None if self.judge_misplaced else self.partitions)
            who, salt = now.subject(sent.model.recipient_id)
            evaluation = now.evaluate(sent)
            facts = evaluation.facts
            return self._judged(record, cause, evaluation, who, salt)
        except Unreadable as fault:
            return self._dead(record, cause, only(now.policy, at, [invalid(fault)]))
        except Exception as error:
            if sent is not None:
                try:  # withhold the send; as a dead letter, if even that fails
                    return self._judged(record, cause, now.defective(sent, error, facts=facts), who, salt)
                except Exception as again:
                    error = again
            dead = self._dead(record, cause, only(now.policy, at, [defect(error)]), failed=True)
            return msgspec.structs.replace(dead, entries=salt)

    def _judged(
        self, record: Record, cause: Cause, evaluation: Evaluation, who: Subject | None, salt: tuple[Entry, ...]
    ) -> Judged:
        """The result of an evaluation; `salt`: the entry of the person's salt, if it is new."""
        decision, send = evaluation.decision, evaluation.sent.model
        proof = evaluation.record(cause, subject=who)
        dead = decision.codes == ("EVENT_INVALID",)
        fault: str | None = None
        if dead:
            fault, place = INVALID[decision.reasons[0].says["case"]]
            output = dead_letter(record, cause.id, fault, place, mode=self.mode)
        else:
            output = told(record, send, decision, cause.id, mode=self.mode)
        return Judged(
            (output,),
            proof,
            cause.id,
            decision.verdict,
            decision.codes,
            dead=dead,
            misplaced=partition_of(send.recipient_id.encode(), self.partitions) != record.partition,
            failed=evaluation.error is not None,
            entries=salt if evaluation.error is not None else (*evaluation.remembered(cause), *salt),
            result=results.decided(evaluation, cause, record.headers, fault=fault),
            channel=send.channel,
            message_class=send.message_class,
        )

    def _dead(self, record: Record, cause: Cause, decision: Decision, *, failed: bool = False) -> Judged:
        """The result for a record that could not be read; its recipient is not known."""
        says = decision.reasons[0].says
        fault, _, place = says.get("fault", says.get("fingerprint", "")).partition(" at ")
        letter = dead_letter(record, cause.id, fault, place, decision.codes[0], mode=self.mode)
        headers = () if _unfit(record) else record.headers
        proof = audit.record(decision, id_=cause.id, origin=cause.origin, send=None, snapshot=None, mode=self.mode)
        return Judged(
            (letter,),
            proof,
            cause.id,
            decision.verdict,
            decision.codes,
            dead=True,
            misplaced=fault == PARTITION_WRONG,
            failed=failed,
            result=results.unread(cause, decision, headers, value=record.value, fault=fault, mode=self.mode),
        )


def _unfit(record: Record) -> bool:
    """True if a record was refused before it was read, or for its headers."""
    return record.refused is not None or headers_fault(record.headers) is not None


def taken(record: Record, partitions: int | None) -> Parsed[Send]:
    """Reads one record of `sends`; raises Unreadable for a record that must not be judged.

    `partitions`: the number of partitions of the topic. A send is refused on any partition but that of Kafka's own
    partitioner. Duplicates are unknown there (domain rule 7.4.20). None accepts every partition.
    """
    plain = None if _unfit(record) else read_plain(record.key, record.value)
    sent = read(record) if plain is None else Parsed(cast("Send", plain), plain.published)
    if partitions is not None and partition_of(sent.model.recipient_id.encode(), partitions) != record.partition:
        raise Unreadable(PARTITION_WRONG, "key")
    return sent
