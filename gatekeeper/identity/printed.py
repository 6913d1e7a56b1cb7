"""The printed address of a send: whether it is complete, and by which tokens it is known (domain rule 7.4.17)."""

from __future__ import annotations

import re
from typing import Literal

from gatekeeper.identity.contact import several_mailboxes, several_numbers
from gatekeeper.identity.letters import alike
from gatekeeper.identity.token import Identified, Tokens
from schemas.events import Delivery, Send
from schemas.events.sends import ADDRESSED, CALLED, WRITTEN
from schemas.values import Channel

_PREFECTURE = re.compile(r"(?:東京都|北海道|京都府|大阪府|.{2,3}県)")
_POSTCODE_MARK = "〒"

Fault = Literal["not_an_address", "no_key", "not_checked", "missing", "incomplete", "several", "token_differs"]
Printed = Identified | Fault
"""Tokens of a send's delivery, or the cause for having none.

`missing`: the send has no complete delivery and no token. `incomplete`: it has a token, but its delivery lacks a part
that the channel needs. `several`: two mailboxes or two numbers. `not_an_address`: the contact value is unreadable.
`no_key`: no token key is set. `not_checked`: the same, and a command took the token of the send for it.
`token_differs`: the send names another token than that of its delivery.
"""


def printed(tokens: Tokens | None, send: Send, *, trusting: bool = False) -> Printed | None:
    """The tokens of the delivery of `send`; None for a send without delivery, which is judged by its own token.

    `tokens`: None without a key. Then nobody can tell whether the printed address is the judged one. `trusting`: take
    the token of the send for it (`not_checked`), as commands may that let nothing go out.
    """
    delivery, given = send.delivery, send.contact_point.token
    if delivery is None:
        return None if given else "missing"
    if fault := _unusable(send.channel, delivery):
        return "missing" if fault == "incomplete" and not given else fault
    if tokens is None:
        return "not_checked" if given and trusting else "no_key"
    found = tokens.of(send.channel, delivery)
    if found is None:
        return "not_an_address" if given or send.channel in ADDRESSED else "missing"
    return "token_differs" if given and tokens.differs(given, found) else found


def _unusable(channel: Channel, delivery: Delivery) -> Fault | None:
    if channel in WRITTEN:
        lines = [alike(line).strip() for line in delivery.lines]
        placed = any(_POSTCODE_MARK in line or _PREFECTURE.match(line) for line in lines)
        placed = placed or bool((delivery.postcode or "").strip())
        return None if delivery.name.strip() and any(lines) and placed else "incomplete"
    if channel == "email":
        written = delivery.email or ""
        return "several" if several_mailboxes(written) else None if written.strip() else "incomplete"
    if channel in CALLED:
        written = delivery.phone or ""
        return "several" if several_numbers(written) else None if written.strip() else "incomplete"
    return None
