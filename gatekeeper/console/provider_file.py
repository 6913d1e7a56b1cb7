"""The file about the identity provider: its address, the console's name there, and which claims give which roles."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import orjson
from pydantic import AfterValidator, Field, StringConstraints, ValidationError
from pydantic_core import PydanticCustomError

from gatekeeper.ground.errors import UsageError
from gatekeeper.ground.texts import wrong
from gatekeeper.http.provider_keys import is_safe
from gatekeeper.index.access import Access, Grant, merged
from schemas.values import Model

BACK = "/signin/back"
"""The path to which the identity provider sends the browser back."""
PENDING_SECONDS = 600
"""Seconds that somebody has for signing in there."""


def _safe(address: str) -> str:
    parts = urlsplit(address)
    if not is_safe(address) or parts.query or parts.fragment or parts.username:
        raise PydanticCustomError("https_address", "no https address")
    return address


WebAddress = Annotated[str, StringConstraints(max_length=512), AfterValidator(_safe)]
Word = Annotated[str, StringConstraints(min_length=1, max_length=256)]


class ClaimGrant(Grant):
    """Roles for people whose claim is `value`, or is a list that holds it."""

    claim: Word
    value: Word


class ProviderFile(Model):
    """The identity provider as the console uses it.

    `issuer`: as the provider spells it. `address`: the console's own, as people open it. `user_claim`: the claim with
    the staff id; people must not be able to change it themselves. `secret_file`: file of the client's secret, None for
    a public client. `ca_file`: file of the CA's certificates, None for the usual ones.
    """

    issuer: WebAddress
    client_id: Word
    address: WebAddress
    grants: Annotated[tuple[ClaimGrant, ...], Field(min_length=1, max_length=256)]
    user_claim: Word = "sub"
    scope: Annotated[str, StringConstraints(pattern=r"^openid( [!-~]+)*$", max_length=256)] = "openid"
    secret_file: Path | None = None
    secret_by: Literal["client_secret_basic", "client_secret_post"] = "client_secret_basic"  # noqa: S105 (a method, no secret)
    ca_file: Path | None = None

    def access(self, claims: Mapping[str, Any]) -> Access | None:
        """The access that these claims give, None if no grant names one of them."""
        return merged(
            Grant(roles=grant.roles, controllers=grant.controllers, campaigns=grant.campaigns)
            for grant in self.grants
            if grant.value in _values(claim(claims, grant.claim))
        )

    def mapped(self, claims: Mapping[str, Any]) -> dict[str, Any]:
        """Those of the claims that grants name; a session keeps no others."""
        return {grant.claim: claim(claims, grant.claim) for grant in self.grants}


def claim(claims: Mapping[str, Any], name: str) -> Any:
    """A claim by its name, or by its path with dots, such as `realm_access.roles`; None for a missing one."""
    if name in claims:
        return claims[name]
    value: Any = claims
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def read(path: Path) -> ProviderFile:
    """The content of the file.

    Raises UsageError (2) for one that is missing, invalid, or writable by others: whoever writes it gives out roles.
    """
    try:
        mode = path.stat().st_mode & 0o777
        content = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError("error.provider_missing", path=path, detail=error) from None
    except ValueError as error:  # of the text's encoding, or of TOML, which ends with the place
        place = str(error).rpartition("(at ")[2].rstrip(")") if isinstance(error, tomllib.TOMLDecodeError) else "-"
        raise UsageError("error.provider_invalid", path=path, place=place, detail=wrong({"type": "toml"})) from None
    if mode & 0o022:
        raise UsageError("error.provider_open", path=path, mode=f"{mode:03o}")
    try:
        return ProviderFile.model_validate_json(orjson.dumps(content))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise UsageError("error.provider_invalid", path=path, place=place or "-", detail=wrong(first)) from None


def _values(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
