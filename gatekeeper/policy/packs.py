"""The policy packs in use, which give the version that decides a send by country and instant."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

from gatekeeper.errors import UsageError
from gatekeeper.policy.comparison import wider
from gatekeeper.policy.policy import Policy, read

STRICTEST = "strictest"
"""The pack that decides sends to people whose country is unknown."""


@dataclass(frozen=True)
class PolicyOutage:
    """Outage of the policy `id`: no decision under it from `since` to before `until` (microseconds).

    `case`: "unreadable" for a faulty record of a version, "looser" if the strictest pack is looser than the home pack.
    `what`: the record, or the looser lines.
    """

    id: str
    since: int
    until: int
    case: Literal["unreadable", "looser"]
    what: str


@dataclass(frozen=True)
class Packs:
    """The versions of the company's own pack and of the strictest one, each in the order of taking force.

    `max_lag_ms`: a longest lag of the facts that overrides the one of each version.
    """

    home: tuple[Policy, ...]
    strictest: tuple[Policy, ...]
    bars: tuple[PolicyOutage, ...] = ()
    max_lag_ms: int | None = None

    def at(self, at: int) -> Policy:
        """The home version in force at an instant (milliseconds); the first one before its beginning."""
        return _in_force(self.home, at * 1000) or self.home[0]

    def deciding(self, country: str | None, at: int) -> Policy | None:
        """The version that decides a send to `country` at an instant (milliseconds); None without one."""
        if self.bars and self.bar(country, at):
            return None
        if country is None:
            return _in_force(self.strictest, at * 1000)
        found = _in_force(self.home, at * 1000)
        return found if found and (country in found.jurisdictions or "*" in found.jurisdictions) else None

    def zone(self, country: str | None, at: int) -> str:
        """The time zone in which a send to `country` is judged at an instant (milliseconds)."""
        return (self.deciding(country, at) or self.at(at)).timezone

    def bar(self, country: str | None, at: int) -> PolicyOutage | None:
        """The outage that bars decisions on sends to `country` at an instant (milliseconds); None without one.

        An outage of the home pack bars the strictest pack as well, because the two cannot be compared.
        """
        ids = {self.home[0].id} if country else {self.home[0].id, STRICTEST}
        return next((bar for bar in self.barring(at) if bar.id in ids), None)

    def barring(self, at: int) -> tuple[PolicyOutage, ...]:
        """The outages of both packs at an instant (milliseconds)."""
        return tuple(bar for bar in self.bars if bar.since <= at * 1000 < bar.until)

    def with_max_lag(self, max_lag_ms: int | None) -> Packs:
        """The packs with another longest lag of the facts; None keeps that of each version."""
        if max_lag_ms is None:
            return self
        home, strictest = (_lagging(versions, max_lag_ms) for versions in (self.home, self.strictest))
        return dataclasses.replace(self, home=home, strictest=strictest, max_lag_ms=max_lag_ms)

    def looser(self) -> Iterator[PolicyOutage]:
        """Yields the periods in which the strictest pack would let through sends that the home pack withholds."""
        turns = sorted({policy.since for policy in self.home + self.strictest})
        for since, until in zip(turns, [*turns[1:], NEVER], strict=True):
            home, strictest = _in_force(self.home, since), _in_force(self.strictest, since)
            # the strictest pack covers all jurisdictions, so this line cannot be stricter
            if home and strictest and (lines := set(wider(home, strictest)) - {"jurisdictions"}):
                yield PolicyOutage(STRICTEST, since, until, "looser", ", ".join(sorted(lines)))


NEVER = 2**62


@cache
def load(name: str) -> Packs:
    """The shipped pack of an id, with the strictest one; raises UsageError (2) for an unknown id."""
    packs = shipped()
    if name not in packs:
        raise UsageError("error.policy_unknown", name=name, known=", ".join(sorted(packs)))
    return Packs(packs[name], packs[STRICTEST])


@cache
def shipped() -> dict[str, tuple[Policy, ...]]:
    """The versions of the shipped packs by id, the oldest first."""
    found = [read(content, file=name) for name, content in _files().items()]
    ids = sorted({policy.id for policy in found})
    return {id_: tuple(sorted((p for p in found if p.id == id_), key=lambda p: (p.since, p.version))) for id_ in ids}


def shipped_text(policy: Policy) -> str:
    """The text of a shipped version, found by its hash; raises KeyError for a version that is not shipped."""
    return {read(content, file=name).sha256: content.decode() for name, content in _files().items()}[policy.sha256]


def _files() -> dict[str, bytes]:
    folder = files("gatekeeper.policy")
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.name.endswith(".toml")}


def _in_force(versions: Iterable[Policy], at: int) -> Policy | None:
    newest = None
    for policy in versions:
        if policy.since <= at:
            newest = policy
    return newest


def _lagging(versions: tuple[Policy, ...], max_lag_ms: int) -> tuple[Policy, ...]:
    return tuple(dataclasses.replace(policy, max_lag_ms=max_lag_ms) for policy in versions)
