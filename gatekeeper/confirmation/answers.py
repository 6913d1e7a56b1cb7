"""Answers to confirmation letters: each becomes a consent event of the person asked, or is rejected with its cause.

A yes counts from its own date, even after the last day to answer. A late yes is a new consent that covers nothing
before it. A no always counts, even after a yes. A yes after a no is rejected, because the code is spent.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from typing import IO, Final

from pydantic import ValidationError

from gatekeeper.confirmation import code as codes
from gatekeeper.ground.times import span
from gatekeeper.lists import Encoding, Event, Outcome, Rejected, dates
from gatekeeper.lists.events import demand, headed
from gatekeeper.lists.rows import Row
from schemas.codec import encode
from schemas.events import Ask, Consent, PersonEvent
from schemas.events.consents import GIVEN_STATES, NO_STATES

FIELDS: Final = ("code", "answer", "date", "channel", "evidence_ref", "recipient_id")
"""Fields of a row. `channel`: the way in which the answer came. `recipient_id`: optional; must match the code."""
CHANNELS: Final = ("postcard", "qr", "form", "counter", "phone", "email")

_NAMES = {
    "回答番号": "code",
    "回答": "answer",
    "回答日": "date",
    "方法": "channel",
    "証跡": "evidence_ref",
    "顧客番号": "recipient_id",
}
_SAID = {"yes": True, "はい": True, "no": False, "いいえ": False}


class Unanswerable(Exception):
    """Error for a row that is no valid answer: `fault` is a key of texts/fault.toml, `field` the field at fault."""

    def __init__(self, fault: str, field: str) -> None:
        super().__init__(f"{fault} at {field}")
        self.fault, self.field = fault, field


class Questions:
    """Questions by answer code, with the answers known so far; each code counts once.

    `asks`: the questions in the ledger. `said`: the events of `consents`; events without a question are ignored.
    """

    def __init__(self, asks: Iterable[Ask], said: Iterable[Consent | PersonEvent]) -> None:
        self._by_code: dict[str, list[Ask]] = {}
        for ask in asks:
            if ask.answer_code is not None:
                self._by_code.setdefault(ask.answer_code, []).append(ask)
        self._yes: set[str] = set()
        self._no: set[str] = set()
        self._returned: set[str] = set()
        for event in said:
            if isinstance(event, Consent):
                self._remember(event)
            elif event.kind == "ask_undelivered" and event.request_id:
                self._returned.add(event.request_id)

    def answer(self, row: Mapping[str, str], *, now: str, zone: str) -> Consent:
        """The consent event of a row.

        `now`: the instant of recording, RFC 3339. `zone`: the zone of a date without time, such as `Asia/Tokyo`.
        Raises Unanswerable if the code is wrong, unknown, shared, spent or another person's. It also does if another
        field of the row is invalid.
        """
        ask, yes = self._asked(row), _said(row)
        self._refuse_spent(ask, yes=yes)
        date, evidence = row.get("date", "").strip(), row.get("evidence_ref", "").strip()
        if yes and not evidence:
            raise Unanswerable("answer_without_evidence", "evidence_ref")
        if yes and not date:
            raise Unanswerable("answer_undated", "date")
        if date:
            date = _possible(date, ask, now=now, zone=zone)
        method = row.get("channel", "").strip() or "postcard"
        if method not in CHANNELS:
            raise Unanswerable("answer_channel_unknown", "channel")
        try:
            consent = _event(ask, yes=yes, date=date or None, method=method, evidence=evidence or None, now=now)
        except ValidationError as error:
            wrong = str(error.errors(include_input=False, include_url=False)[0]["loc"][-1])
            raise Unanswerable("field_invalid", wrong) from None
        self._remember(consent)
        return consent

    def _asked(self, row: Mapping[str, str]) -> Ask:
        code = codes.read(row.get("code", ""))
        if code is None:
            raise Unanswerable("answer_code_wrong", "code")
        asks = self._by_code.get(code, [])
        if len(asks) != 1:
            raise Unanswerable("answer_code_shared" if asks else "answer_code_unknown", "code")
        if row.get("recipient_id", "").strip() not in ("", asks[0].recipient_id):
            raise Unanswerable("answer_code_of_another", "recipient_id")
        return asks[0]

    def _refuse_spent(self, ask: Ask, *, yes: bool) -> None:
        if ask.request_id in self._no or (yes and ask.request_id in self._yes):
            raise Unanswerable("answer_code_spent", "code")
        if yes and ask.request_id in self._returned:
            raise Unanswerable("answer_to_returned", "code")

    def _remember(self, consent: Consent) -> None:
        if consent.answers and consent.state in GIVEN_STATES:
            self._yes.add(consent.answers)
        elif consent.answers and consent.state in NO_STATES:
            self._no.add(consent.answers)


def read_file(
    handle: IO[bytes],
    questions: Questions,
    *,
    file: str,
    encoding: Encoding,
    now: str,
    zone: str,
    from_line: int = 1,
) -> Iterator[Outcome]:
    """Reads the header of a CSV file of answers, and gives each row's outcome, in order, from a line on.

    The columns have the names in FIELDS, or those of the Japanese form. `now`, `zone`: as in `Questions.answer`.
    Raises UsageError (2) for a file without header, or one without `code` and `answer`.
    """
    header, rows = headed(handle, encoding, file=file, from_line=from_line)
    names = [_NAMES.get(name, name) for name in header]
    for name in ("code", "answer"):
        demand(names, name, file=file, field=name)
    columns = dict(zip(names, header, strict=True))
    return (_outcome(row, names, columns, questions, now=now, zone=zone) for row in rows)


def _outcome(
    row: Row, names: list[str], columns: Mapping[str, str], questions: Questions, *, now: str, zone: str
) -> Outcome:
    if row.cause or len(row.cells) != len(names):
        return Rejected(row.line, row.last_line, "", "", f"row.{row.cause or 'cells_differ'}")
    try:
        consent = questions.answer(dict(zip(names, row.cells, strict=True)), now=now, zone=zone)
    except Unanswerable as wrong:
        return Rejected(row.line, row.last_line, columns.get(wrong.field, ""), wrong.field, f"fault.{wrong.fault}")
    return Event(row.line, consent.recipient_id.encode(), encode(consent))


def _said(row: Mapping[str, str]) -> bool:
    answer = _SAID.get(unicodedata.normalize("NFKC", row.get("answer", "")).strip().lower())
    if answer is None:
        raise Unanswerable("answer_unclear", "answer")
    return answer


def _possible(written: str, ask: Ask, *, now: str, zone: str) -> str:
    """A written date as ISO 8601; raises Unanswerable for a date before the question or in the future."""
    try:
        date = dates.time(written)
        answered, asked, recorded = span(date, zone), span(ask.at, zone), span(now, zone)
    except ValueError:
        raise Unanswerable("answer_date_unclear", "date") from None
    if answered.last < asked.first:
        raise Unanswerable("answer_before_question", "date")
    if answered.first > recorded.last:
        raise Unanswerable("answer_ahead", "date")
    return date


def _event(ask: Ask, *, yes: bool, date: str | None, method: str, evidence: str | None, now: str) -> Consent:
    """The consent event: a yes covers the purpose, channel and contact point asked for, a no all contact points."""
    point = ask.contact_point if isinstance(ask.contact_point, str) else getattr(ask.contact_point, "id", None)
    return Consent(
        v=1,
        kind="consent",
        record_id=f"answer-{ask.request_id}-{'yes' if yes else 'no'}",
        recipient_id=ask.recipient_id,
        controller_id=ask.controller_id or "",
        state="Given" if yes else "Refused",
        event_type="explicit",
        event_time=date,
        recorded_at=now,
        expressed_by="subject",
        method=method,
        purpose=ask.purpose,
        channels=(ask.channel,),
        contact_point_id=(ask.contact_point_id or point) if yes else None,
        notice_id=ask.notice_id,
        evidence_ref=evidence,
        answers=ask.request_id,
    )
