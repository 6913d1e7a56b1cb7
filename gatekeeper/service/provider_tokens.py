"""Access tokens of an identity provider, as a program gets them by client credentials (RFC 6749, RFC 9068)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from time import monotonic, time
from typing import Annotated, Any

import structlog
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from pydantic import Field

from gatekeeper.http.provider_keys import (
    ALGORITHMS,
    ANSWER_SECONDS,
    KNOWN_SECONDS,
    LEEWAY_SECONDS,
    NEW_KEYS_SECONDS,
    ProviderAwayError,
    Published,
)
from gatekeeper.service.problem import Problem
from schemas.values import Model

MAX_SECONDS = 86_400.0
"""Seconds for which the provider's keys serve if it does not answer."""
_ADDRESS = r"^(https://|http://(localhost|127\.0\.0\.1)([:/]|$))[^\s?#]*$"
log = structlog.get_logger("serve")


class TokenProvider(Model):
    """The provider whose tokens count.

    `issuer`: as the provider spells it. `audience`: our name in its tokens. `client_claim`: the claim with the name of
    the program. `token_type`: the header `typ` of its access tokens (RFC 9068). `ca_file`: the CA's certificates, None
    for the usual ones.
    """

    issuer: Annotated[str, Field(pattern=_ADDRESS, max_length=512)]
    audience: Annotated[str, Field(min_length=1, max_length=512)]
    client_claim: Annotated[str, Field(min_length=1, max_length=64)] = "client_id"
    token_type: Annotated[str, Field(min_length=1, max_length=64)] = "at+jwt"  # noqa: S105 (a type, no secret)
    ca_file: Path | None = None


class ProviderTokens:
    """Checks tokens by the provider's keys, which it fetches when a token needs them."""

    def __init__(self, provider: TokenProvider) -> None:
        self._provider = provider
        self._keys = KeySet([])
        self._looked, self._fetched_at = float("-inf"), float("-inf")
        self._lock = asyncio.Lock()

    async def client(self, token: str) -> tuple[str, str] | None:
        """The program to which a token was given, and the token's subject; None if the token does not count.

        Raises Problem (503) if the provider does not answer.
        """
        if self._age > KNOWN_SECONDS:
            await self._look()
        claims = self._claims(token)
        if claims is None and await self._look():
            claims = self._claims(token)
        if claims is None or not self._counts(claims):
            return None
        name, subject = claims.get(self._provider.client_claim), claims.get("sub")
        return (name, subject) if isinstance(name, str) and isinstance(subject, str) else None

    @property
    def _age(self) -> float:
        return monotonic() - self._fetched_at

    def _claims(self, token: str) -> Mapping[str, Any] | None:
        try:
            decoded = jwt.decode(token, self._keys, algorithms=list(ALGORITHMS))
        except (JoseError, ValueError, TypeError, AttributeError):
            return None
        type_ = str(decoded.header.get("typ", "")).lower().removeprefix("application/")
        return dict(decoded.claims) if type_ == self._provider.token_type.lower() else None

    def _counts(self, claims: Mapping[str, Any]) -> bool:
        audience, now = claims.get("aud"), time()
        ours = self._provider.audience in (audience if isinstance(audience, list) else [audience])
        until, since = claims.get("exp"), claims.get("nbf", 0)
        if not isinstance(until, int | float) or not isinstance(since, int | float):
            return False
        timely = since - LEEWAY_SECONDS <= now < until + LEEWAY_SECONDS
        return claims.get("iss") == self._provider.issuer and ours and timely

    async def _look(self) -> bool:
        """Fetches the provider's keys again, unless that was just tried; True if they were fetched.

        Raises Problem (503) without keys that are young enough: a key that was withdrawn must not count for ever.
        """
        async with self._lock:
            usable = self._age <= MAX_SECONDS
            if monotonic() - self._looked < (NEW_KEYS_SECONDS if usable else ANSWER_SECONDS):
                if usable:
                    return False
                raise _away()
            self._looked = monotonic()
            try:
                published = await asyncio.to_thread(Published.of, self._provider.issuer, self._provider.ca_file)
            except ProviderAwayError as error:
                log.error("serve_provider_away", error=str(error))
                if usable:
                    return False
                raise _away() from None
            self._keys, self._fetched_at = published.keys, monotonic()
            return True


def _away() -> Problem:
    return Problem(503, "provider_away", headers={"Retry-After": "5"})
