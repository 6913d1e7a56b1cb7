"""Tokens: what stands for a contact value in facts, so that no fact holds the value."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from functools import lru_cache
from pathlib import Path
from typing import Literal, NamedTuple

from gatekeeper.identity.contact import normalise_email, normalise_phone
from gatekeeper.identity.key import KEY_BYTES, read_key
from gatekeeper.identity.match import readings
from gatekeeper.identity.postal import normalise_postal
from schemas.events import Delivery, Send
from schemas.values import Channel

VERSION = 1
"""Of the normaliser. Tokens of two versions never meet: an old one stays while suppressions made with it do."""

MEMO = 16_384
_WRITTEN = ("postal", "visit")


def token(key: bytes, value: str) -> str:
    """`t1_` + base64url(HMAC-SHA256(key, normalised value)) without padding (design §1).

    Raises ValueError for a key that is not 32 bytes, and for an empty value: everybody without an address would
    have the token of everybody else without one.
    """
    if len(key) != KEY_BYTES:
        raise ValueError(f"a token key has {KEY_BYTES} bytes")
    if not value:
        raise ValueError("nothing has no token")
    digest = hmac.digest(key, value.encode("utf-8", "surrogatepass"), "sha256")
    return f"t{VERSION}_" + urlsafe_b64encode(digest).decode("ascii").rstrip("=")


def normalise(channel: Channel, delivery: Delivery) -> str:
    """The one form of what `channel` needs of `delivery`; "" where it is not there or cannot be read.

    Postal and visit: name and address. E-mail: the mailbox. Telephone, SMS and fax: the number.
    Push and social have no contact value in a delivery.
    """
    match channel:
        case "postal" | "visit":
            return normalise_postal(delivery)
        case "email":
            return normalise_email(delivery.email or "")
        case "phone" | "sms" | "fax":
            return normalise_phone(delivery.phone or "")
        case _:
            return ""


class Identified(NamedTuple):
    """What a contact value is known by: its token, and the tokens of its less exact readings with their scores.

    A record that is less exact than the value is met by a reading of the value; one that is more exact, by a reading
    of its own, which it must carry (`SourceContactPoint.readings`, `Suppression.readings`).
    """

    token: str
    readings: tuple[tuple[str, int], ...] = ()
    """Surest first, scores in per mille below 1000, at most `schemas.events.sends.READINGS`."""


Printed = Identified | Literal["not_an_address", "no_key"]
"""What a send's delivery comes to. `not_an_address`: it lacks what the channel needs, or that cannot be read."""


def identify(key: bytes, channel: Channel, delivery: Delivery) -> Identified | None:
    """Returns what `delivery` is known by on `channel`; None where it can be known by nothing.

    None is never a match: what is printed cannot be bound to a contact point, and the send must not pass.
    """
    value = normalise(channel, delivery)
    if not value:
        return None
    less = readings(value) if channel in _WRITTEN else {}
    return Identified(token(key, value), tuple((token(key, one), score) for one, score in less.items()))


def printed(tokens: Tokens | None, send: Send) -> Printed | None:
    """Returns what the delivery of `send` comes to; None where it carries none, and the token it names is judged.

    `tokens`: None where no key is known; nobody can then say whether the address printed is the one judged.
    """
    if send.delivery is None:
        return None
    return "no_key" if tokens is None else tokens.of(send.channel, send.delivery) or "not_an_address"


def open_tokens(path: str) -> Tokens | None:
    """The tokens of the key file at `path`; None for "". Raises UsageError (2) as `read_key` does."""
    return Tokens(read_key(Path(path))) if path else None


class Tokens:
    """Remembers what the spellings seen last are known by, so that a known one costs no more than a look.

    Holds spellings in memory and nowhere else, at most `size` of them; the one not seen for longest goes first.
    """

    def __init__(self, key: bytes, *, size: int = MEMO) -> None:
        @lru_cache(maxsize=size)
        def remembered(
            channel: Channel, name: str, postcode: str | None, lines: tuple[str, ...], contact: str | None
        ) -> Identified | None:
            spelling = Delivery.model_construct(name=name, postcode=postcode, lines=lines, email=contact, phone=contact)
            return identify(key, channel, spelling)

        self._remembered = remembered

    def of(self, channel: Channel, delivery: Delivery) -> Identified | None:
        """`identify` of the key, the channel and the delivery."""
        if channel in _WRITTEN:
            return self._remembered("postal", delivery.name, delivery.postcode, delivery.lines, None)
        return self._remembered(channel, "", None, (), delivery.email if channel == "email" else delivery.phone)

    def __len__(self) -> int:
        return self._remembered.cache_info().currsize
