"""The policy packs in use, which give the version that decides a send by country and instant."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Literal, get_args

from gatekeeper.ground.errors import UsageError
from gatekeeper.policy import pack_texts
from gatekeeper.policy.comparison import wider
from gatekeeper.policy.policy import Policy, read
from schemas.values import Channel

EXCEPTING = "jp-appi"
"""The one pack of which a version may take the exceptions of the law from the opt-in (rule 8.3.55)."""
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
class PolicyIgnored:
    """A record that puts nothing in force, so that the version before it goes on deciding.

    `case`: "unlawful" if it would take away what no policy may take away. "one_manager" if it lets more through and
    does not name two managers. `what`: the lines. `place`: the record.
    """

    name: str
    case: Literal["unlawful", "one_manager"]
    what: str
    place: str


@dataclass(frozen=True)
class Packs:
    """The versions of the company's own pack, of the strictest one and of other countries, in order of taking force.

    `max_lag_ms`: a longest lag of the facts that overrides the one of each version. `others`: the packs that joined by
    being put in force. `ignored`: the records that put nothing in force.
    """

    home: tuple[Policy, ...]
    strictest: tuple[Policy, ...]
    bars: tuple[PolicyOutage, ...] = ()
    max_lag_ms: int | None = None
    others: tuple[tuple[Policy, ...], ...] = ()
    ignored: tuple[PolicyIgnored, ...] = ()

    def at(self, at: int) -> Policy:
        """The home version in force at an instant (milliseconds); the first one before its beginning."""
        return in_force(self.home, at * 1000) or self.home[0]

    def deciding(self, country: str | None, at: int) -> Policy | None:
        """The version that decides a send to `country` at an instant (milliseconds); None without one."""
        if self.bars and self.bar(country, at):
            return None
        if country is None:
            return in_force(self.strictest, at * 1000)
        home = in_force(self.home, at * 1000)
        if home and covers(home, country):
            return home
        joined = [policy for line in self.others if (policy := in_force(line, at * 1000)) and covers(policy, country)]
        return joined[0] if len(joined) == 1 else None  # of two packs nobody can say which one is the country's

    def provisional(self, at: int) -> tuple[Policy, ...]:
        """The provisional versions that take force after an instant (milliseconds), or have done so last."""
        lines = (self.home, self.strictest, *self.others)
        current = {in_force(line, at * 1000) for line in lines}
        return tuple(
            policy for policy in self.every if policy.provisional and (policy.since > at * 1000 or policy in current)
        )

    def of_other_rules(self, at: int) -> tuple[Policy, ...]:
        """The company's own versions, in force at an instant (milliseconds) or later, that are of other rules.

        Such a text lacks a row about a reason of ours, or has one about a reason that is not.
        """
        lines = (self.home, self.strictest, *self.others)
        binding = {
            policy
            for line in lines
            for policy in line
            if policy == in_force(line, at * 1000) or policy.since > at * 1000
        }
        return tuple(
            policy
            for policy in self.every
            if policy in binding and policy.sha256 not in pack_texts.by_sha256() and (policy.later or policy.unknown)
        )

    @property
    def every(self) -> tuple[Policy, ...]:
        """All versions of all packs."""
        return tuple(policy for line in (self.home, self.strictest, *self.others) for policy in line)

    def zone(self, country: str | None, at: int) -> str:
        """The time zone in which a send to `country` is judged at an instant (milliseconds)."""
        return (self.deciding(country, at) or self.at(at)).timezone

    def bar(self, country: str | None, at: int) -> PolicyOutage | None:
        """The outage that bars decisions on sends to `country` at an instant (milliseconds); None without one.

        An outage of any pack bars the strictest pack as well, because the two cannot be compared.
        """
        lines = [self.home, *self.others]
        if country is None:
            ids = {STRICTEST, *(line[0].id for line in lines)}
        else:
            mine = [line[0].id for line in lines if any(covers(policy, country) for policy in line)]
            ids = {mine[0] if mine else self.home[0].id}
        return next((bar for bar in self.barring(at) if bar.id in ids), None)

    def barring(self, at: int) -> tuple[PolicyOutage, ...]:
        """The outages of all packs at an instant (milliseconds)."""
        return tuple(bar for bar in self.bars if bar.since <= at * 1000 < bar.until)

    def known_to(self, rules: int) -> Packs:
        """These shipped packs as whoever decided by `rules` had them: without versions that came with later ones."""
        if all(policy.rules_version <= rules for policy in self.every):
            return self
        packs = Packs(_binding(self.home[0].id, rules), _binding(STRICTEST, rules))
        return packs.with_max_lag(self.max_lag_ms)

    def with_max_lag(self, max_lag_ms: int | None) -> Packs:
        """The packs with another longest lag of the facts; None keeps that of each version."""
        if max_lag_ms is None:
            return self
        home, strictest, *others = (
            lagging(versions, max_lag_ms) for versions in (self.home, self.strictest, *self.others)
        )
        return dataclasses.replace(self, home=home, strictest=strictest, max_lag_ms=max_lag_ms, others=tuple(others))

    def looser(self) -> Iterator[PolicyOutage]:
        """Yields the periods in which the strictest pack would let through sends that another pack withholds."""
        turns = sorted({policy.since for policy in self.every})
        for since, until in zip(turns, [*turns[1:], NEVER], strict=True):
            strictest = in_force(self.strictest, since)
            policies = [policy for line in (self.home, *self.others) if (policy := in_force(line, since))]
            # the strictest pack covers all jurisdictions, and no zone is the stricter one
            lines = {line for policy in policies for line in (wider(policy, strictest) if strictest else ())}
            if lines := lines - {"jurisdictions", "timezone"}:
                yield PolicyOutage(STRICTEST, since, until, "looser", ", ".join(sorted(lines)))


NEVER = 2**62


def covers(policy: Policy, country: str) -> bool:
    """Tells whether a version is for the addresses of a country."""
    return country in policy.jurisdictions or "*" in policy.jurisdictions


def widening(before: Iterable[Policy], after: Iterable[Policy], since: int) -> list[str]:
    """The lines of a pack that let more through than before, from `since` (microseconds) on, or at a later turn."""
    before, after = list(before), list(after)
    days = sorted({since, *(policy.since for policy in (*before, *after) if policy.since > since)})
    keys: set[str] = set()
    for day in days:
        old, new = (in_force(line, day) or next(iter(line), None) for line in (before, after))
        if new:
            keys.update(wider(old, new) if old else ("jurisdictions",))
    return sorted(keys)


def unlawful(policy: Policy) -> str | None:
    """The line of a version that takes away what no version of its pack may take away; None without one.

    No pack but `jp-appi` excepts anybody from the opt-in.
    The channels with a duty of consent are law. They are those of the first shipped version of the pack (domain rule
    7.6.30).
    """
    first = next(iter(shipped().get(policy.id, ())), None)
    bound = (channel for channel in get_args(Channel) if first and first.needs_consent(channel))
    if not all(policy.needs_consent(channel) for channel in bound):
        return "parameters.consent_channels"
    return "parameters.statutory_exception" if policy.statutory_exception and policy.id != EXCEPTING else None


@cache
def load(name: str) -> Packs:
    """The shipped pack of an id, with the strictest one; raises UsageError (2) for an unknown id."""
    packs = shipped()
    if name not in packs:
        raise UsageError("error.policy_unknown", name=name, known=", ".join(sorted(packs)))
    return Packs(_binding(name), _binding(STRICTEST))


def _binding(name: str, rules: int | None = None) -> tuple[Policy, ...]:
    """The versions of a shipped pack that ever take force, as no higher one does so by that day.

    `rules`: without those that came with later rules.
    """
    versions = [policy for policy in shipped()[name] if rules is None or policy.rules_version <= rules]
    return tuple(
        policy
        for policy in versions
        if not any(again.version > policy.version and again.since <= policy.since for again in versions)
    )


@cache
def shipped() -> dict[str, tuple[Policy, ...]]:
    """The versions of the shipped packs by id, the oldest first."""
    policies = [read(content, file=name) for name, content in pack_texts.texts().items()]
    ids = sorted({policy.id for policy in policies})
    return {id_: tuple(sorted((p for p in policies if p.id == id_), key=lambda p: (p.since, p.version))) for id_ in ids}


def shipped_text(policy: Policy) -> str:
    """The text of a shipped version, found by its hash; raises KeyError for a version that is not shipped."""
    return pack_texts.by_sha256()[policy.sha256].decode()


def shipped_bytes() -> dict[str, bytes]:
    """The bytes of the shipped versions by their SHA-256 in hex."""
    return dict(pack_texts.by_sha256())


def in_force(versions: Iterable[Policy], at: int) -> Policy | None:
    """The version of a pack in force at an instant (microseconds), None before its first one."""
    newest = None
    for policy in versions:
        if policy.since <= at:
            newest = policy
    return newest


def lagging(versions: tuple[Policy, ...], max_lag_ms: int) -> tuple[Policy, ...]:
    """The versions with another longest lag of the facts."""
    return tuple(dataclasses.replace(policy, max_lag_ms=max_lag_ms) for policy in versions)
