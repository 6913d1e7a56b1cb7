"""Asks a person for consent: the request for `confirmations`, and the ledger entry about it (J.8.7)."""

from __future__ import annotations

from typing import NamedTuple

from gatekeeper.confirmation import code as codes
from gatekeeper.confirmation.notice import Question, last_day, letter
from gatekeeper.deciding.case import Case, route
from gatekeeper.deciding.redacted import redacted_fields
from gatekeeper.engine.evaluation import Evaluation
from gatekeeper.ground.times import instant
from gatekeeper.knowledge.known_facts import KnownFacts
from gatekeeper.ledger import entries
from gatekeeper.ledger.entries import Entry
from gatekeeper.ledger.state import LedgerState
from schemas.codec import encode, parsed
from schemas.events import GIVEN_STATES, Ask
from schemas.record import Output

PENDING = "CONFIRMATION_PENDING"
_YES = frozenset(state.encode() for state in GIVEN_STATES)


class Asked(NamedTuple):
    """Output and ledger entry of an ask, or the code of its refusal.

    `waits_along` is no refusal: the person was asked before, and the item waits for the same answer.
    """

    outputs: tuple[Output, ...] = ()
    entries: tuple[Entry, ...] = ()
    code: str | None = None


def answered(store: KnownFacts, ledger: LedgerState, recipient_id: str) -> bool:
    """Tells whether a person who was asked may have said yes since, by an answer or otherwise. Never a false no."""
    return bool(ledger.requests(recipient_id)) and store.may_name(recipient_id, _YES)


def request(evaluation: Evaluation, *, item: str, id_: str, entropy: bytes) -> Asked:
    """The request to the person of a withheld send, or the reason why the person may not be asked now.

    `evaluation`: made now; its verdict is `confirm` only if nothing bars asking. `item`: the decision id of the
    withheld send. `id_`: the act's decision id, which becomes the request's id. `entropy`: random bytes, for the answer
    code. Refused: `not_confirmable`, `template_missing` if no registered template may ask, and `notice_lacks.ITEMS` if
    the letter fails its lint.
    """
    send, decision, facts = evaluation.sent.model, evaluation.decision, evaluation.facts
    reference = evaluation.moment.store.reference
    if facts is None:
        return Asked(code="not_confirmable")
    source = next((source for source in facts.sources if source.source_id == decision.basis), None)
    template = reference.ask
    if PENDING in decision.codes:
        return Asked(code="waits_along")
    if decision.verdict != "confirm" or source is None:
        return Asked(code="not_confirmable")
    if template is None:
        return Asked(code="template_missing")
    case = Case.of(send, facts, reference, decision.policy, decision.at * 1000)
    question = Question(case, source, template, code=codes.new(entropy), answer_by=last_day(case))
    written = letter(question)
    if written.missing:
        return Asked(code=".".join(("notice_lacks", *written.missing)))
    ask = Ask(
        v=1,
        kind="ask",
        request_id=id_,
        recipient_id=send.recipient_id,
        source_id=source.source_id,
        channel=send.channel,
        template_id=template.id,
        stated_route=route(source),
        at=instant(decision.at),
        contact_point=send.contact_point,
        campaign_id=send.campaign_id,
        controller_id=send.controller_id,
        decision_id=item,
        purpose=send.purpose,
        notice_id=template.notice_id,
        answer_by=question.answer_by.isoformat(),
        answer_code=question.code,
        text=written.text,
        delivery=send.delivery,
    )
    fields, _ = redacted_fields("confirmations", parsed(ask).json)
    headers = (("gate-decision-id", id_.encode()),)
    output = Output("confirmations", send.recipient_id.encode(), encode(ask), headers)
    entry = entries.ask(
        send.recipient_id, id_, fields, answer_code=question.code, contact_point_id=send.contact_point.id
    )
    return Asked((output,), (entry, *evaluation.question(id_, source.source_id)))
