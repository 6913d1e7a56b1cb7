"""Policies as data: which purposes there are, where they hold, from when, and with which numbers."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import orjson
from pydantic import AfterValidator, Field, StringConstraints, ValidationError

from gatekeeper.errors import UsageError
from gatekeeper.spans import span
from schemas.values import Code, Id, Model, ZonedTime

SHIPPED = ("jp-pmark",)


@dataclass(frozen=True, slots=True)
class Policy:
    """One version of a policy. Times in milliseconds, `match_floor` per mille, `sha256` of the bytes it came from.

    `since`: microseconds since the epoch from which it is in force.
    """

    id: str
    version: int
    jurisdictions: frozenset[str]
    since: int
    timezone: str
    purposes: frozenset[str]
    skew_ms: int
    max_lag_ms: int
    match_floor: int
    sha256: str

    @property
    def name(self) -> str:
        """The policy as headers name it: id@version."""
        return f"{self.id}@{self.version}"

    @property
    def ref(self) -> dict[str, Any]:
        """The policy as records name it: id, version and the hash of its bytes."""
        return {"id": self.id, "version": self.version, "sha256": self.sha256}


def read(content: bytes, *, file: str) -> Policy:
    """Reads a policy from the bytes of its TOML file.

    Raises UsageError (2) with file, key path and a hint for whatever is not exactly as it must be.
    """
    try:
        table = tomllib.loads(content.decode("utf-8"))
        found = _File.model_validate_json(orjson.dumps(table))
    except ValidationError as error:
        place, hint = _first(error)
        raise UsageError("error.policy_wrong", file=file, place=place, hint=hint) from None
    except (ValueError, TypeError) as error:
        raise UsageError("error.policy_not_toml", file=file, detail=str(error)) from None
    return Policy(
        id=found.id,
        version=found.version,
        jurisdictions=found.jurisdictions,
        since=span(found.effective_from, found.timezone).first,
        timezone=found.timezone,
        purposes=found.purposes,
        skew_ms=found.parameters.skew_ms,
        max_lag_ms=found.parameters.max_lag_ms,
        match_floor=found.parameters.match_floor,
        sha256=sha256(content).hexdigest(),
    )


@cache
def load(name: str) -> Policy:
    """Reads the shipped policy of that id; raises UsageError (2) for one that is not shipped."""
    if name not in SHIPPED:
        raise UsageError("error.policy_unknown", name=name, known=", ".join(SHIPPED))
    file = f"{name}.toml"
    return read(files("gatekeeper").joinpath("policies", file).read_bytes(), file=file)


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError("is no time zone; write one such as Asia/Tokyo") from None
    return name


class _Parameters(Model):
    skew_ms: Annotated[int, Field(ge=0, le=3_600_000)]
    max_lag_ms: Annotated[int, Field(gt=0, le=86_400_000)]
    match_floor: Annotated[int, Field(ge=0, le=1000)]


class _File(Model):
    id: Id
    version: Annotated[int, Field(ge=1)]
    jurisdictions: Annotated[frozenset[Annotated[str, StringConstraints(pattern="^[A-Z]{2}$")]], Field(min_length=1)]
    effective_from: ZonedTime
    timezone: Annotated[str, AfterValidator(_zone)]
    purposes: Annotated[frozenset[Code], Field(min_length=1)]
    parameters: _Parameters


def _first(error: ValidationError) -> tuple[str, str]:
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        fields = _Parameters.model_fields if len(first["loc"]) > 1 else _File.model_fields
        close = get_close_matches(str(first["loc"][-1]), fields, 1)
        return place, f"unknown key; did you mean {close[0]}?" if close else "unknown key"
    return place, first["msg"].removeprefix("Value error, ")
