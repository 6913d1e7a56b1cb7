"""Tokens: what stands for a contact value in facts, so that no fact holds the value."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from functools import lru_cache

from gatekeeper.identity.contact import normalise_email, normalise_phone
from gatekeeper.identity.key import KEY_BYTES
from gatekeeper.identity.postal import normalise_postal
from schemas.events import Delivery
from schemas.values import Channel

VERSION = 1
"""Of the normaliser. Tokens of two versions never meet: an old one stays while suppressions made with it do."""

MEMO = 16_384


def token(key: bytes, value: str) -> str:
    """Returns `t1_` + base64url(HMAC-SHA256(key, normalised value)) without padding (design §1).

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
    """Returns the one form of what `channel` needs of `delivery`; "" where it is not there or cannot be read.

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


def delivery_token(key: bytes, channel: Channel, delivery: Delivery) -> str | None:
    """Returns the token that the contact point of a send with this `delivery` must have; None where it can have none.

    None is never a match: what is printed cannot be bound to a contact point, and the send must not pass.
    """
    value = normalise(channel, delivery)
    return token(key, value) if value else None


class Tokens:
    """Remembers the tokens of the spellings seen last, so that a known one costs no more than a look.

    Holds spellings in memory and nowhere else, at most `size` of them; the one not seen for longest goes first.
    """

    def __init__(self, key: bytes, *, size: int = MEMO) -> None:
        @lru_cache(maxsize=size)
        def remembered(
            channel: Channel, name: str, postcode: str | None, lines: tuple[str, ...], contact: str | None
        ) -> str | None:
            spelling = Delivery.model_construct(name=name, postcode=postcode, lines=lines, email=contact, phone=contact)
            return delivery_token(key, channel, spelling)

        self._remembered = remembered

    def of(self, channel: Channel, delivery: Delivery) -> str | None:
        """Returns `delivery_token` of the key, the channel and the delivery."""
        if channel in ("postal", "visit"):
            return self._remembered("postal", delivery.name, delivery.postcode, delivery.lines, None)
        return self._remembered(channel, "", None, (), delivery.email if channel == "email" else delivery.phone)

    def __len__(self) -> int:
        return self._remembered.cache_info().currsize
