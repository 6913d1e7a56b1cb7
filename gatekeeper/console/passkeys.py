"""Passkeys of this console's pages: where they are good for, whose they are, and how a new one is checked.

A page makes a passkey in the browser. Its public half becomes a text for `gatekeeper staff add --passkey`, so managers
register it as they register any other key (docs/adr/0048-passkeys.md).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from gatekeeper.console.session import Denied
from gatekeeper.ground.settings import Settings
from gatekeeper.staff.roster import Member
from schemas.codec import canonical

MADE = 0x45
"""Flags of a new passkey: user present (1), user verified (4), and key in the data (64)."""
Fields = Mapping[str, Any]


class Site(NamedTuple):
    """The pages for which a passkey is good: the host name (`rp.id`) and the origin."""

    id: str
    origin: str


def site(settings: Settings, address: str) -> Site | None:
    """The site of this console, None where it is unknown. `address`: of the page, which counts on `localhost` alone."""
    parts = urlsplit(settings.console_url or address)
    if not settings.console_url and parts.hostname != "localhost":
        return None
    return Site(parts.hostname or "", f"{parts.scheme}://{parts.netloc}")


def usable(member: Member | None, site: Site | None) -> list[Fields]:
    """The passkeys with which this person signs on the pages of this site."""
    keys = member.keys.values() if member else ()
    return [key for key in keys if key["method"] == "passkey" and site and _fits(key["rp"], site)]


def asked(token: str) -> bytes:
    """The challenge for a new passkey in the session of this token."""
    return sha256(f"gate-passkey/1\n{token}".encode()).digest()


def invitation(form: Mapping[str, str], *, site: Site, challenge: bytes) -> str:
    """The text of a new passkey for `gatekeeper staff add --passkey`: base64url of its fields as JSON.

    `form`: `client`, `authenticator`, `public` and `credential` in base64, as the browser gave them. Raises Denied
    (400) unless the browser made the passkey for this site and challenge, and verified the user. The key must be ES256
    or Ed25519.
    """
    try:
        client, data, public, credential = (
            base64.b64decode(form[name], validate=True) for name in ("client", "authenticator", "public", "credential")
        )
        client_data, wanted = json.loads(client), base64.urlsafe_b64encode(challenge).rstrip(b"=").decode()
        key = load_der_public_key(public)
        good = (
            (client_data["type"], client_data["challenge"], client_data["origin"])
            == ("webauthn.create", wanted, site.origin)
            and not client_data.get("crossOrigin")
            and data[:32] == sha256(site.id.encode()).digest()
            and data[32] & MADE == MADE
            and data[55 : 55 + int.from_bytes(data[53:55])] == credential != b""
        )
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, UnsupportedAlgorithm):
        raise Denied("page.passkey_unfit", 400) from None
    curve = isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1)
    if not good or not (curve or isinstance(key, Ed25519PublicKey)):
        raise Denied("page.passkey_unfit", 400)
    party = {"id": site.id, "origins": [site.origin]}
    fields = {"public": form["public"], "credential": form["credential"], "rp": party}
    return base64.urlsafe_b64encode(canonical(fields)).rstrip(b"=").decode()


def _fits(party: Fields, site: Site) -> bool:
    return bool(party["id"] == site.id and site.origin in party["origins"])
