"""An item of the review queue, the acts on it, and the state in which they leave it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Any

import orjson
from pydantic import ValidationError

from gatekeeper.confirmation.notice import answer_day
from gatekeeper.deciding.release import releasable
from gatekeeper.engine.item import after, seen_in
from gatekeeper.engine.outputs import INFORMATIONAL, SEEN
from gatekeeper.engine.reconsideration import ITSELF
from gatekeeper.ground import times
from gatekeeper.ground.texts import Language
from gatekeeper.policy.policy import Policy
from gatekeeper.policy.reasons import CATALOGUE, Found, Remedy
from gatekeeper.staff.act_kinds import ACT_KINDS, State
from gatekeeper.staff.signer_words import signer_words
from schemas.audit import Acted
from schemas.decision import CodedDecision
from schemas.events import Act, ItemAct, Release, ReviewPlace, Send
from schemas.plain_send import read_plain


@dataclass(frozen=True, slots=True)
class Item:
    """One withheld send, with its state.

    `seen`: the time when it was withheld, in milliseconds. `source`: the id of the source that is its basis.
    `by`, `at` and `run`: the actor, time and run of the request that led to its state.
    `origin`: the list or form of its data (gatekeeper.review.data_origin), None = not read.
    `digests`: those of the facts that its releasable reasons point to, None for an item of before there were any.
    """

    id: str
    place: ReviewPlace
    recipient: str
    campaign: str
    channel: str
    purpose: str
    controller: str
    source: str | None
    verdict: str
    codes: tuple[str, ...]
    mail_date: str | None
    seen: int
    state: State = "open"
    by: str | None = None
    at: str | None = None
    run: str | None = None
    origin: str | None = None
    digests: Mapping[str, Sequence[str]] | None = None

    @property
    def primary(self) -> str:
        """The primary reason; "" without any."""
        return self.codes[0] if self.codes else ""

    @property
    def informational(self) -> bool:
        """Tells whether the item needs no action, because the same piece went out already."""
        return self.codes == INFORMATIONAL

    @property
    def reasons(self) -> tuple[Found, ...]:
        """The reasons in the form that the rules for a release read."""
        return tuple(Found(code) for code in self.codes)

    @property
    def releasable(self) -> tuple[str, ...]:
        """The reasons that a reviewer may release."""
        return tuple(code for code in self.codes if releasable(code))

    @property
    def staying(self) -> tuple[str, ...]:
        """The reasons that stay after a release."""
        return tuple(code for code in self.codes if not releasable(code))

    @property
    def remedies(self) -> tuple[Remedy, ...]:
        """The remedies of its reasons, each once, in the order of the reasons."""
        return tuple(dict.fromkeys(cure for code in self.codes if code in CATALOGUE for cure in CATALOGUE[code].remedy))

    def due(self, zone: str) -> int | None:
        """The end of its mail date, in milliseconds, after which the piece is too late; None without a mail date."""
        return times.span(self.mail_date, zone).last // 1000 + 1 if self.mail_date else None

    def answer_too_late(self, policy: Policy, at: int) -> date | None:
        """The last day to answer, asked at an instant (milliseconds), if the piece is mailed before it; else None.

        This mailing then does not get the answer, and a yes serves later ones.
        """
        mailed = times.span(self.mail_date, policy.timezone).last if self.mail_date else None
        day = answer_day(policy, self.channel, at * 1000)
        return day if mailed is not None and times.span(day.isoformat(), policy.timezone).first > mailed else None

    def plain(self) -> dict[str, Any]:
        """The item for programs."""
        return {
            "decision_id": self.id,
            "state": self.state,
            "verdict": self.verdict,
            "primary": self.primary,
            "reasons": self.codes,
            "remedies": self.remedies,
            "campaign": self.campaign,
            "channel": self.channel,
            "purpose": self.purpose,
            "controller": self.controller,
            "source": self.source,
            "origin": self.origin,
            "recipient": self.recipient,
            "mail_date": self.mail_date,
            "seen": times.instant(self.seen),
            "by": self.by,
            "at": self.at,
            "run": self.run,
            "review": {"partition": self.place.partition, "offset": self.place.offset},
        }


@dataclass(frozen=True, slots=True)
class ActProof:
    """The signature of an act, as its audit record tells it (`schemas.audit.SignedBy`)."""

    by: str
    key: str
    method: str
    console: str | None = None
    signin: str | None = None

    @classmethod
    def of(cls, signed: Sequence[Mapping[str, Any]] | None) -> ActProof | None:
        """The first of an act's signatures in an audit record, None without one; raises LookupError for others."""
        if not signed:
            return None
        signature = signed[0]
        return cls(
            signature["by"], signature["key"], signature["method"], signature.get("console"), signature.get("signin")
        )


@dataclass(frozen=True, slots=True)
class ActOnItem:
    """One act on an item: the request and its result; `outcome` is None until the worker answers.

    `did`: the id of its audit record, which is also that of the resulting decision. `signed`: the signature of an
    answered act, None without one.
    """

    act_id: str
    item: str
    kind: str
    by: tuple[str, ...]
    at: str
    reason: str | None = None
    evidence: str | None = None
    outcome: str | None = None
    code: str | None = None
    did: str | None = None
    signed: ActProof | None = None

    @property
    def run(self) -> str | None:
        """The run of the act, which is the prefix of its id; None where the id has no prefix."""
        return self.act_id.rpartition(".")[0] or None


def held(partition: int, offset: int, value: bytes | None, headers: Iterable[tuple[str, bytes]]) -> Item | None:
    """The item of a record of `review`, in its first state; None in shadow mode, where nobody reviews it.

    Raises ValueError for a record that holds no item.
    """
    by_name = dict(headers)
    if by_name.get("gate-mode") == b"shadow":
        return None
    decision = CodedDecision.model_validate_json(by_name.get("gate-decision", b""))
    send = read_plain(None, value) or Send.model_validate_json(value or b"")
    return Item(
        id=decision.id,
        place=ReviewPlace(partition=partition, offset=offset),
        recipient=send.recipient_id,
        campaign=send.campaign_id,
        channel=send.channel,
        purpose=send.purpose,
        controller=send.controller_id,
        source=decision.basis,
        verdict=decision.verdict,
        codes=tuple(reason.code for reason in decision.reasons),
        mail_date=send.mail_date,
        seen=times.span(decision.at, "UTC").first // 1000,
        digests=seen_in(by_name.get(SEEN)),
    )


def asked(act: Act | None) -> ActOnItem | None:
    """The request of a record of `acts` about an item; None for an act about anything else.

    `act`: None for an unreadable record, which is a dead letter and had no effect.
    """
    if not isinstance(act, Release | ItemAct):
        return None
    return ActOnItem(
        act.act_id, act.decision_id, act.kind, _people(act.by), act.at, act.reason or None, act.evidence_ref
    )


def answered(record: Mapping[str, Any]) -> ActOnItem | None:
    """The answer of an audit record (parsed JSON) to an act about an item; None for any other record."""
    try:
        if record.get("act") is None:
            return None
        acted = Acted.model_validate_json(orjson.dumps(record["act"]))
        did = str(record["did"])
    except (LookupError, TypeError, ValidationError):
        return None
    kind = ACT_KINDS.get(acted.kind or "")
    if acted.item is None or acted.act_id is None or (kind and kind.about == "campaign"):
        return None  # an act about a campaign names clearances, no item
    return ActOnItem(
        acted.act_id,
        acted.item,
        acted.kind or "",
        _people(acted.by),
        acted.at or "",
        None,
        acted.evidence_ref,
        acted.outcome,
        acted.code,
        did,
        ActProof.of(record["act"].get("signed")),
    )


def standing(item: Item, answers: Iterable[ActOnItem]) -> Item:
    """An item in the state that the answers to its acts leave, taken in the order of judgement."""
    state: State = "open"
    by, at, run = None, None, None
    for doing in answers:
        left = after(doing.kind, doing.outcome)
        if left == "open":
            state, by, at, run = left, None, None, None
        elif left is not None or (doing.kind == "claim" and state == "open"):
            state, by, at, run = left or state, next(iter(doing.by), None), doing.at, doing.run
    return replace(item, state=state, by=by, at=at, run=run)


def _people(by: Any) -> tuple[str, ...]:
    return (by,) if isinstance(by, str) else tuple(by or ())


def proof_of(doing: ActOnItem, lang: Language | None = None) -> str:
    """The signer of an act on an item in words. "" if nothing was done, and for an act of the gate itself."""
    if doing.signed is None and (doing.outcome in (None, "refused", "unreadable") or ITSELF in doing.by):
        return ""
    return signer_words(asdict(doing.signed) if doing.signed else None, lang)
