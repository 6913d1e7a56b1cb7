"""Tokens: pseudonyms of contact values, so that no fact holds the value itself."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from gatekeeper.identity.contact import normalise_email, normalise_phone
from gatekeeper.identity.key import KEY_BYTES, read_key
from gatekeeper.identity.match import readings
from gatekeeper.identity.others import addressed, further, hosts
from gatekeeper.identity.pieces import accounted
from gatekeeper.identity.postal import normalise_postal
from schemas.audit import Printing
from schemas.events import Delivery
from schemas.events.sends import WRITTEN
from schemas.values import Channel

VERSION = 1
"""Version of the normaliser. Tokens of two versions never match.

An old version must stay as long as suppressions made with it are in use.
"""

MEMO = 16_384
OTHERS = 128
"""Other names and addresses that are looked up for one printed address, with their readings, at most."""
_READ = 4  # of these, the likeliest are also read less exactly
SURE = 1000
HOST = 800
"""The score of a stop of the host (様方, 気付), who is not the person written to: a person should look."""


def token(key: bytes, value: str) -> str:
    """`t1_` + base64url(HMAC-SHA256(key, normalised value)) without padding (design §1).

    Raises ValueError for a key that is not 32 bytes, and for an empty value: all people without an address would
    share one token.
    """
    if len(key) != KEY_BYTES:
        raise ValueError(f"a token key has {KEY_BYTES} bytes")
    if not value:
        raise ValueError("nothing has no token")
    digest = hmac.digest(key, value.encode("utf-8", "surrogatepass"), "sha256")
    return f"t{VERSION}_" + urlsafe_b64encode(digest).decode("ascii").rstrip("=")


def normalise(channel: Channel, delivery: Delivery) -> str:
    """The normalised contact value that `channel` needs from `delivery`; "" if it is missing or unreadable.

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
    """Tokens of a contact value: its own, and those of its less exact readings with their scores.

    A less exact record matches a reading of the value. A more exact record matches by its own readings, which it must
    carry (`SourceContactPoint.readings`, `Suppression.readings`).
    """

    token: str
    readings: tuple[tuple[str, int], ...] = ()
    """Pairs of token and score, highest score first, per mille below 1000; at most `schemas.events.sends.READINGS`."""
    others: tuple[tuple[str, int], ...] = ()
    """The same of other names and addresses that can be read from the lines; at most OTHERS."""
    accounted: bool = True
    """False if more is printed than one name and one address (domain rule 7.4.19)."""

    @property
    def printing(self) -> Printing:
        """The word for it in a snapshot."""
        return "tokenised" if self.accounted else "unaccounted"


def identify(key: bytes, channel: Channel, delivery: Delivery) -> Identified | None:
    """The tokens of `delivery` on `channel`; None if its contact value is missing or unreadable.

    None never matches: the printed address cannot be bound to a contact point, so the send must not pass.
    """
    if channel not in WRITTEN:
        value = normalise(channel, delivery)
        return Identified(token(key, value)) if value else None
    value = normalise_postal(addressed(delivery)) or normalise_postal(delivery)
    if not value:
        return None
    others = _others(delivery)
    others.pop(value, None)
    return Identified(
        token(key, value),
        tuple((token(key, one), score) for one, score in readings(value).items()),
        tuple((token(key, one), score) for one, score in list(others.items())[:OTHERS]),
        accounted(delivery),
    )


def _others(delivery: Delivery) -> dict[str, int]:
    """The normalised values of other names and addresses in `delivery` with their scores, whole ones first."""
    found = dict.fromkeys(filter(None, map(normalise_postal, further(delivery))), SURE)
    for value in [*found][:_READ]:
        for less, score in readings(value).items():
            found.setdefault(less, score)
    for host in filter(None, map(normalise_postal, hosts(delivery))):
        found.setdefault(host, HOST)
    return found


def open_tokens(path: str) -> Tokens | None:
    """The tokens of the key file at `path`; None for "". Raises UsageError (2) as `read_key` does."""
    return Tokens(read_key(Path(path))) if path else None


class Tokens:
    """Tokens under one key, with a cache of the spellings seen last.

    Spellings are held in memory only, at most `size` of them; the least recently used one is dropped first.
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
        """The result of `identify` for the key, the channel and the delivery."""
        if channel in WRITTEN:
            return self._remembered("postal", delivery.name, delivery.postcode, delivery.lines, None)
        return self._remembered(channel, "", None, (), delivery.email if channel == "email" else delivery.phone)

    def differs(self, given: str, found: Identified) -> bool:
        """True if a send names another token than that of its delivery; tokens of other keys are not compared."""
        return given != found.token and given.startswith(found.token.partition("_")[0] + "_")

    def __len__(self) -> int:
        return self._remembered.cache_info().currsize
