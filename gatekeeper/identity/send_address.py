"""The printed address of a send: whether it is complete, and by which tokens it is known (domain rule 7.4.17)."""

from __future__ import annotations

from typing import Literal

from gatekeeper.identity.flaw import flaw
from gatekeeper.identity.token import Identified, Tokens
from schemas.events import Send
from schemas.events.sends import ADDRESSED

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
    spelling = None if tokens is None else tokens.spelling(send.channel, delivery)
    if fault := flaw(send.channel, delivery) if spelling is None else spelling.flaw:
        return "missing" if fault == "incomplete" and not given else fault
    if tokens is None or spelling is None:
        return "not_checked" if given and trusting else "no_key"
    identified = spelling.identified
    if identified is None:
        return "not_an_address" if given or send.channel in ADDRESSED else "missing"
    return "token_differs" if given and tokens.differs(given, identified) else identified
