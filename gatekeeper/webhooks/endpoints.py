"""The endpoints that events are posted to, as a file lists them.

[[endpoints]]
id = "print-house"
url = "https://hooks.print-house.example/gate"
events = ["recall"]
campaigns = ["autumn-*"]
secrets = ["print-house.secret"]
"""

from __future__ import annotations

import base64
import binascii
import re
import tomllib
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import orjson
from pydantic import Field, StringConstraints, ValidationError

from gatekeeper.ground.errors import UsageError
from gatekeeper.ground.texts import near, text, wrong
from schemas.values import Id, Many, Model
from schemas.webhooks import WEBHOOK_TYPES, WebhookType

PREFIX = "whsec_"
"""Begins a secret of Standard Webhooks; base64 follows."""
SECRET_BYTES = range(24, 65)
"""The bytes that a secret may have, by Standard Webhooks."""
_CAMPAIGN = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:\-]{0,64}\*?$", min_length=1)]


class EndpointEntry(Model):
    """One endpoint. `campaigns`: ids, or beginnings with `*`; () for all. `secrets`: files, the newest first.

    `controllers`: the companies whose pieces and campaigns it is told of; None for all.
    `allow_private`: its address may be one of this machine or its network. `allow_http`: it needs no TLS.
    """

    id: Id
    url: Annotated[str, StringConstraints(max_length=2048, pattern=r"^[!-~]+$")]
    events: Annotated[Many[WebhookType], Field(min_length=1)]
    campaigns: Annotated[Many[_CAMPAIGN], Field(max_length=1000)] = ()
    controllers: Annotated[Many[Id], Field(min_length=1)] | None = None
    secrets: Annotated[Many[str], Field(min_length=1, max_length=5)]
    allow_private: bool = False
    allow_http: bool = False


class EndpointsFile(Model):
    """The file of endpoints."""

    endpoints: Annotated[Many[EndpointEntry], Field(min_length=1, max_length=100)]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An endpoint with the secrets themselves, each in base64."""

    id: str
    url: str
    events: tuple[WebhookType, ...]
    campaigns: tuple[str, ...]
    secrets: tuple[str, ...] = field(repr=False)
    allow_private: bool
    controllers: tuple[str, ...] | None = None

    def wants(self, kind: str, campaign: str | None, companies: Collection[str | None] = ()) -> bool:
        """Tells whether it asks for an event of this kind. `campaign`: None for an event about no campaign.

        `companies`: those of its sends, None among them if one is not known; () for an event about no send.
        """
        if kind not in self.events or not (self.controllers is None or {*companies}.issubset(self.controllers)):
            return False
        if campaign is None or not self.campaigns:
            return True
        return campaign in self.campaigns or campaign.startswith(
            tuple(pattern[:-1] for pattern in self.campaigns if pattern.endswith("*"))
        )


def read(path: Path) -> tuple[Endpoint, ...]:
    """The endpoints of a file, with their secrets from files beside it.

    Raises UsageError (2), which names file, place and fault, for a file that is missing, invalid or open to others.
    """
    content = _content(path)
    try:
        file = EndpointsFile.model_validate_json(orjson.dumps(content))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise _invalid(path, _place(content, first["loc"]), _fault(first)) from None
    if twice := next((name for name, n in Counter(entry.id for entry in file.endpoints).items() if n > 1), None):
        raise _invalid(path, f"endpoints.{twice}", text("wrong.id_twice"))
    return tuple(_endpoint(path, entry) for entry in file.endpoints)


def _content(path: Path) -> dict[str, Any]:
    try:
        mode, content = path.stat().st_mode, tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError("error.webhooks_missing", path=path, detail=error) from None
    except ValueError as error:
        place = str(error).rpartition("(at ")[2].rstrip(")") if isinstance(error, tomllib.TOMLDecodeError) else "-"
        raise _invalid(path, place, wrong({"type": "toml"})) from None
    if mode & 0o022:
        raise UsageError("error.webhooks_open", path=path, mode=f"{mode & 0o777:03o}")
    return content


def _place(content: Mapping[str, Any], loc: tuple[int | str, ...]) -> str:
    """The place of a fault; an entry is named by its id if that can be read."""
    names = [str(part) for part in loc]
    if len(loc) > 1 and isinstance(loc[1], int):
        id_ = content["endpoints"][loc[1]]
        id_ = id_.get("id") if isinstance(id_, dict) else None
        names[1] = id_ if isinstance(id_, str) and re.fullmatch(r"[A-Za-z0-9._:\-]{1,64}", id_) else str(loc[1] + 1)
    return ".".join(names)


def _fault(error: Mapping[str, Any]) -> str:
    if error["type"] == "extra_forbidden":
        model = EndpointEntry if len(error["loc"]) > 1 else EndpointsFile
        return text("wrong.key", near=near(str(error["loc"][-1]), model.model_fields))
    if error["type"] == "literal_error":
        return text("wrong.literal_error", expected=", ".join(WEBHOOK_TYPES))
    return wrong(error)


def _endpoint(path: Path, entry: EndpointEntry) -> Endpoint:
    place = f"endpoints.{entry.id}"
    if fault := _of_url(entry):
        raise _invalid(path, f"{place}.url", text(f"wrong.url_{fault}"))
    secrets = tuple(_secret(path.parent / name, place=f"{place}.secrets", file=path) for name in entry.secrets)
    return Endpoint(entry.id, entry.url, entry.events, entry.campaigns, secrets, entry.allow_private, entry.controllers)


def _of_url(entry: EndpointEntry) -> Literal["form", "https", "user"] | None:
    try:
        parts = urlsplit(entry.url)
        port, host = parts.port, parts.hostname
    except ValueError:
        return "form"
    if not host or port == 0 or parts.fragment or parts.scheme not in ("http", "https"):
        return "form"
    if parts.username is not None or parts.password is not None:
        return "user"
    return "https" if parts.scheme == "http" and not entry.allow_http else None


def _secret(path: Path, *, place: str, file: Path) -> str:
    try:
        mode, written = path.stat().st_mode, path.read_bytes().decode("ascii", "replace").strip()
    except OSError as error:
        raise UsageError("error.webhooks_secret_missing", path=path, place=place, file=file, detail=error) from None
    if mode & 0o077:
        raise UsageError("error.webhooks_secret_open", path=path, mode=f"{mode & 0o777:03o}")
    try:
        key = base64.b64decode(written.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not written.startswith(PREFIX) or len(key) not in SECRET_BYTES:
        raise UsageError("error.webhooks_secret_invalid", path=path, least=SECRET_BYTES[0], most=SECRET_BYTES[-1])
    return base64.b64encode(key).decode()


def _invalid(path: Path, place: str, detail: str) -> UsageError:
    return UsageError("error.webhooks_invalid", path=path, place=place, detail=detail)
