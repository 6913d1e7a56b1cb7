"""A withdrawal of consent: one event per controller, and the act of the person who entered it, or nothing."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import uuid4

from pydantic import ValidationError

from gatekeeper.deciding.case import below
from gatekeeper.ground.errors import UsageError
from gatekeeper.ground.settings import Settings
from schemas.codec import encode
from schemas.events import Consent, PairedAct
from schemas.values import Channel
from streams.client import fact_with_act
from streams.client.fact_with_act import Pair
from streams.client.outgoing import Outgoing
from streams.client.reader import Reader
from streams.client.signatory import Signatory
from streams.operations import management

_OPTIONS = {"recipient_id": "RECIPIENT", "controller_id": "--controller", "purpose": "--purpose", "event_time": "--at"}


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """An acknowledged, binding withdrawal: the events, the place of each, and the act.

    `unknown`: the given controllers that no record names; perhaps a typing error, which stops nobody's mail.
    `covers`: some registered purpose equals the given one or is below it.
    """

    events: tuple[Consent, ...]
    act: PairedAct
    pair: Pair
    unknown: tuple[str, ...] = ()
    covers: bool = True


@dataclass(frozen=True, slots=True)
class WithdrawalStatement:
    """A person's statement to withdraw consent from these controllers, or from every known one if none is given.

    `method`: the place of entry. `at`: the time of the statement, as ISO 8601; None: now.
    """

    recipient: str
    method: str
    controllers: Collection[str] = ()
    purpose: str = "*"
    channels: Sequence[Channel] | Literal["*"] = "*"
    at: str | None = None


def write(
    settings: Settings,
    stated: WithdrawalStatement,
    *,
    by: str,
    reason: str = "",
    evidence: str | None = None,
    signatory: Signatory | None = None,
) -> Withdrawal:
    """Writes a withdrawal with the act of the person who entered it; `signatory`: as for `Publisher`.

    Raises UsageError (2) with the option, never its value, or if no controller is known; and as
    `streams.client.fact_with_act.write` does.
    """
    recipient, purpose = stated.recipient, stated.purpose
    act = fact_with_act.act("withdraw", by=by, recipient_id=recipient, reason=reason, evidence_ref=evidence)
    scope: dict[str, Any] = {"method": stated.method, "purpose": purpose, "channels": stated.channels}
    fields = {**scope, "event_time": stated.at, "recorded_at": act.at}
    _event(recipient, next(iter(stated.controllers), "any"), **fields)  # refused before any broker is asked
    with Reader(settings) as reader:
        known = management.controllers(reader)
        covers = purpose == "*" or any(below(code, purpose) for code in management.purposes(reader).registered)
    named = sorted(set(stated.controllers)) or known
    if not named:
        raise UsageError("error.controller_unknown", topic=settings.topic("reference"))
    events = tuple(_event(recipient, controller, **fields) for controller in named)
    facts = [Outgoing("consents", recipient.encode(), encode(event)) for event in events]
    unknown = tuple(controller for controller in named if controller not in known)
    return Withdrawal(events, act, fact_with_act.write(settings, facts, act, signatory=signatory), unknown, covers)


def _event(recipient: str, controller: str, **said: Any) -> Consent:
    try:
        return Consent(
            v=1,
            kind="consent",
            record_id=uuid4().hex,
            recipient_id=recipient,
            controller_id=controller,
            state="Withdrawn",
            expressed_by="subject",
            **said,
        )
    except ValidationError as error:
        field = str(error.errors(include_input=False, include_context=False)[0]["loc"][0])
    # a refused id may be an address or a number, so it is not quoted
    if field == "recipient_id":
        raise UsageError("error.recipient_invalid")
    raise UsageError("error.option_invalid", option=_OPTIONS.get(field, field))
