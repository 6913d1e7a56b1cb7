"""The keys of an identity provider: which signatures and addresses console and service accept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from joserfc.jwk import KeySet

from gatekeeper.http_server import LOOPBACK

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519", "EdDSA")
"""Signatures accepted on a token: only those with a public key."""
KEY_TYPES = ("RSA", "EC", "OKP")


def is_safe(address: str) -> bool:
    """True for an address by https, or by http on this machine."""
    parts = urlsplit(address)
    return bool(parts.hostname) and (parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK))


def key_set(published: Mapping[str, Any]) -> KeySet:
    """The public keys that a provider publishes; those of other types are left out.

    Raises JoseError, or LookupError, TypeError, ValueError or AttributeError, for what is no set of keys.
    """
    return KeySet.import_key_set({"keys": [key for key in published["keys"] if key.get("kty") in KEY_TYPES]})
