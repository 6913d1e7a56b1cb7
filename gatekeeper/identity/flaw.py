"""The flaw of a printed address. A part that its channel needs is missing, or there are two (domain rule 7.4.19)."""

from __future__ import annotations

import re
from typing import Literal

from gatekeeper.identity.contact import several_mailboxes, several_numbers
from gatekeeper.identity.letters import alike
from schemas.events import Delivery
from schemas.events.sends import CALLED, WRITTEN
from schemas.values import Channel

Flaw = Literal["incomplete", "several"]
_PREFECTURE = re.compile(r"(?:東京都|北海道|京都府|大阪府|.{2,3}県)")
_POSTCODE_MARK = "〒"


def flaw(channel: Channel, delivery: Delivery) -> Flaw | None:
    """The flaw of a delivery on a channel; None if it has all that the channel needs, once.

    `incomplete`: it lacks a part that the channel needs. `several`: two mailboxes or two numbers.
    """
    if channel in WRITTEN:
        placed = bool((delivery.postcode or "").strip()) or any(
            _POSTCODE_MARK in line or _PREFECTURE.match(line) for line in map(_stripped, delivery.lines)
        )
        return None if delivery.name.strip() and placed and any(map(_stripped, delivery.lines)) else "incomplete"
    if channel == "email":
        written = delivery.email or ""
        return "several" if several_mailboxes(written) else None if written.strip() else "incomplete"
    if channel in CALLED:
        written = delivery.phone or ""
        return "several" if several_numbers(written) else None if written.strip() else "incomplete"
    return None


def _stripped(line: str) -> str:
    return alike(line).strip()
