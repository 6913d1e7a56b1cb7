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
    """The contact point of a send.

    `id`: a random id, or a plain `postal`. `token`: absent if the gate makes it from the delivery (domain rule 7.4.17).
    `country`: that of the address in two capitals, and never guessed.
    """

    id: PointId
    token: Token | None = None
    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")] | None = None


READINGS = 32
CARRIED = 256
"""Readings that an event may carry: READINGS for each token key, and its own token under further keys."""
"""Most less exact spellings of one contact value that are looked for."""


class Match(Model):
    """A further token for what a record names.

    `token`: the token. `score`: in per mille, how surely it is the same.
    """

    token: Token
    score: PerMille


WRITTEN, CALLED = ("postal", "visit"), ("sms", "phone", "fax")
ADDRESSED = (*WRITTEN, "email", *CALLED)
"""Channels whose address is printed in the delivery: on an envelope, in an e-mail, or as a number."""


class Delivery(Model):
    """Name and address as printed. Personal data: it never leaves `sends`, `cleared`, `review` and `deadletter`.

    `name`, `lines`: of post and visits. `postcode`: of the address. `email`: of e-mail. `phone`: of calls, SMS and fax.
    """

    name: PrintedLine = ""
    postcode: Printed | None = None
    lines: Annotated[Many[PrintedLine], Field(max_length=8)] = ()
    email: Printed | None = None
    phone: Printed | None = None


class Send(Model):
    """One piece to one recipient of one campaign (J.8.7).

    `event_id`: the platform's id of the piece. `recipient_id`: the CRM's random id of the person. `campaign_id`: the
    campaign. Recipient, campaign and channel are the key of a piece. `controller_id`: the entity in whose name it goes
    out, as on `reference`. `purpose`: one of those on `reference`. `channel`: the way in which it goes out.
    `message_class`: must agree with purpose and template. `template_id`: the piece, as on `reference`. `match`: further
    tokens that were found for the person. `audience`: the data on which the selection rests. `flags`: marks of the
    selection, such as `unfair_effect`. `li_ref`: the balancing test on record. `source_id`, `request_id`: needed in
    class `confirmation`. `ground`: why the mail is owed. `mail_date`: when it is posted. `delivery`: as printed.
    `contact_point`: the address, mailbox or number.
    """

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
