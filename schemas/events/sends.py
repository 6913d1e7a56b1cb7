"""Records of `sends`: a marketing platform asks for one piece to one recipient (domain rule 6.1)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from schemas.values import (
    AudienceWord,
    Channel,
    Code,
    Id,
    Many,
    MessageClass,
    Model,
    PerMille,
    PointId,
    Printed,
    PrintedLine,
    RecipientId,
    Token,
    Version,
    ZonedTime,
)


class SendContactPoint(Model):
    """The contact point of a send. The country is that of the address, and never guessed.

    `token`: absent if the gate makes it from the delivery (domain rule 7.4.17).
    """

    id: PointId
    token: Token | None = None
    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")] | None = None


READINGS = 32
CARRIED = 256
"""Readings that an event may carry: READINGS for each token key, and its own token under further keys."""
"""Most less exact spellings of one contact value that are looked for."""


class Match(Model):
    """A further token for what a record names, with its score in per mille: how surely it is the same."""

    token: Token
    score: PerMille


WRITTEN, CALLED = ("postal", "visit"), ("sms", "phone", "fax")
ADDRESSED = (*WRITTEN, "email", *CALLED)
"""Channels whose address is printed in the delivery: on an envelope, in an e-mail, or as a number."""


class Delivery(Model):
    """Name and address as printed. Personal data: it never leaves `sends`, `cleared`, `review` and `deadletter`.

    Each channel needs its own part: post and visits name and lines, e-mail `email`, calls, SMS and fax `phone`.
    """

    name: PrintedLine = ""
    postcode: Printed | None = None
    lines: Annotated[Many[PrintedLine], Field(max_length=8)] = ()
    email: Printed | None = None
    phone: Printed | None = None


class Send(Model):
    """One piece to one recipient of one campaign."""

    v: Version
    event_id: Id
    recipient_id: RecipientId
    campaign_id: Id
    controller_id: Id
    purpose: Code
    channel: Channel
    message_class: MessageClass
    contact_point: SendContactPoint
    template_id: Id
    match: Annotated[Many[Match], Field(max_length=16)] = ()
    audience: Annotated[Many[AudienceWord], Field(max_length=32)] = ()
    flags: Annotated[Many[Code], Field(max_length=16)] = ()
    li_ref: Id | None = None
    source_id: Id | None = None
    request_id: Id | None = None
    ground: Id | None = None
    mail_date: ZonedTime | None = None
    delivery: Delivery | None = None
