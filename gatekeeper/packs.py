"""The packs in use: which version of which policy decides a send, by the place of its address and by the instant."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from gatekeeper.errors import UsageError
from gatekeeper.policy import Policy, read

STRICTEST = "strictest"
"""The pack that decides where nobody knows in which country a person lives."""


@dataclass(frozen=True)
class Packs:
    """The versions of the company's own pack and of the strictest one, each the oldest first."""

    home: tuple[Policy, ...]
    strictest: tuple[Policy, ...]

    def at(self, at: int) -> Policy:
        """Returns the home version in force at an instant (milliseconds); before the first, that one."""
        return _in_force(self.home, at * 1000) or self.home[0]

    def deciding(self, country: str | None, at: int) -> Policy | None:
        """Returns the version that decides a send to `country` at an instant (milliseconds); None if none does."""
        if country is None:
            return _in_force(self.strictest, at * 1000)
        found = _in_force(self.home, at * 1000)
        return found if found and (country in found.jurisdictions or "*" in found.jurisdictions) else None

    def with_max_lag(self, max_lag_ms: int) -> Packs:
        """Returns the same with another longest lag of the facts."""
        return Packs(*(_lagging(versions, max_lag_ms) for versions in (self.home, self.strictest)))


@cache
def load(name: str) -> Packs:
    """Returns the shipped pack of that id beside the strictest; raises UsageError (2) for one that is not shipped."""
    packs = shipped()
    if name not in packs:
        raise UsageError("error.policy_unknown", name=name, known=", ".join(sorted(packs)))
    return Packs(packs[name], packs[STRICTEST])


@cache
def shipped() -> dict[str, tuple[Policy, ...]]:
    """Returns the shipped packs by id, each the oldest version first."""
    folder = files("gatekeeper").joinpath("policies")
    found = [read(file.read_bytes(), file=file.name) for file in folder.iterdir() if file.name.endswith(".toml")]
    ids = sorted({policy.id for policy in found})
    return {id_: tuple(sorted((p for p in found if p.id == id_), key=lambda p: (p.since, p.version))) for id_ in ids}


def _in_force(versions: Iterable[Policy], at: int) -> Policy | None:
    newest = None
    for policy in versions:
        if policy.since <= at:
            newest = policy
    return newest


def _lagging(versions: tuple[Policy, ...], max_lag_ms: int) -> tuple[Policy, ...]:
    return tuple(dataclasses.replace(policy, max_lag_ms=max_lag_ms) for policy in versions)
