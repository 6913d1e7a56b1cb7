"""The published keys of an identity provider: which signatures and addresses console and service accept."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import requests
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from gatekeeper.http.http_server import LOOPBACK

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519", "EdDSA")
"""Signatures accepted on a token: only those with a public key."""
KEY_TYPES = ("RSA", "EC", "OKP")
ANSWER_SECONDS = 5.0
KNOWN_SECONDS = 3_600.0
"""Seconds after which the provider is asked again."""
NEW_KEYS_SECONDS = 30.0
"""Seconds between two looks for a key that is not among those known."""
LEEWAY_SECONDS = 60
"""Seconds by which the provider's clock may differ from ours."""


class ProviderAwayError(Exception):
    """The provider did not answer, or not in the form of OpenID Connect Discovery. The text is the kind of error."""


@dataclass(frozen=True, slots=True)
class Published:
    """The metadata of a provider (OpenID Connect Discovery 1.0), and its public keys of the types above."""

    metadata: dict[str, Any]
    keys: KeySet

    @classmethod
    def of(cls, issuer: str, ca_file: Path | None) -> Self:
        """Asks the provider, and follows no redirection.

        `issuer`: as the provider spells it. `ca_file`: the CA's certificates, None for the usual ones.
        Raises ProviderAwayError.
        """
        try:
            metadata = _json(f"{issuer.rstrip('/')}/.well-known/openid-configuration", ca_file)
            if metadata.get("issuer") != issuer or not is_safe(str(metadata.get("jwks_uri"))):
                raise ValueError("issuer")
            jwks = _json(metadata["jwks_uri"], ca_file)
            keys = KeySet.import_key_set({"keys": [key for key in jwks["keys"] if key.get("kty") in KEY_TYPES]})
        except (requests.RequestException, JoseError, ValueError, TypeError, LookupError, AttributeError) as error:
            raise ProviderAwayError(type(error).__name__) from None
        return cls(metadata, keys)


def is_safe(address: str) -> bool:
    """True for an address by https, or by http on this machine."""
    parts = urlsplit(address)
    return bool(parts.hostname) and (parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK))


def _json(address: str, ca_file: Path | None) -> dict[str, Any]:
    verify = str(ca_file) if ca_file else True
    answer = requests.get(address, timeout=ANSWER_SECONDS, verify=verify, allow_redirects=False)
    answer.raise_for_status()
    content = answer.json()
    if answer.status_code != 200 or not isinstance(content, dict):
        raise ValueError("no JSON object")
    return content
