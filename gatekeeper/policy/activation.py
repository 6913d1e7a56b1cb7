"""Policy versions that the privacy manager put in force by records of `reference`, over the shipped ones.

A record holds the whole text of its policy. A faulty record stops all decisions under its id from its day on.
Otherwise the old version would go on deciding, while the manager believes that a stricter one is in force.
A record that would let more through than it may puts nothing in force. The version before it goes on deciding.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import orjson

from gatekeeper.ground.errors import UsageError
from gatekeeper.ground.times import LONG_AGO, span
from gatekeeper.policy.packs import (
    NEVER,
    STRICTEST,
    Packs,
    PolicyIgnored,
    PolicyOutage,
    shipped,
    shipped_bytes,
    unlawful,
    widening,
)
from gatekeeper.policy.policy import UNLAWFUL, Policy, read
from schemas.codec import Unreadable
from schemas.events import PolicyVersion

Order = tuple[int, int]
"""Partition and offset on `reference`, which order the records."""

SHIPPED: Order = (-1, -1)
"""Order of a shipped version: before all records."""
EARLIEST_ZONE = "Etc/GMT-14"
"""Zone in which a day begins first; used for a day without a known zone."""


@dataclass(frozen=True, slots=True)
class _Unread:
    ids: frozenset[str]
    version: int | None
    since: int


class Activations:
    """All policy records so far, valid and faulty; `revision` changes with each of them."""

    def __init__(self) -> None:
        self.revision = 0
        self._versions: dict[Order, Policy] = {}
        self._by_two: set[Order] = set()
        self._arrived: dict[Order, int] = {}
        """The arrival of the record of each version, in microseconds since the epoch."""
        self._unlawful: dict[Order, tuple[str, str]] = {}
        self._unread: dict[Order, _Unread] = {}

    @staticmethod
    def demand(record: PolicyVersion) -> None:
        """Raises Unreadable for a version that cannot be read; changes nothing."""
        try:
            activated(record)
        except Unlawful:
            pass  # it can be read, and is passed over

    def put(self, order: Order, record: PolicyVersion, arrived: int) -> None:
        """Adds a version; raises Unreadable, and adds nothing, if it cannot be read.

        `arrived`: milliseconds since the epoch when its record came and was signed.
        A version that takes away what no policy may take away is passed over. The one before it stays in force.
        """
        try:
            policy = activated(record)
        except Unlawful as fault:
            self._unlawful[order] = (f"{record.id}@{record.version}", str(fault))
        else:
            self._versions[order] = policy
            self._arrived[order] = arrived * 1000
            if record.by_two:
                self._by_two.add(order)
        self.revision += 1

    def bar(self, order: Order, ids: frozenset[str], value: bytes) -> None:
        """Adds a faulty record, which bars these policies from its own day on, or from its arrival on."""
        self._unread[order] = _unread(ids, value)
        self.revision += 1

    def follow(self, former: Activations) -> None:
        """Takes over the faulty records of another fold of the same log, whose readers must look again."""
        self._unread = former._unread
        self.revision += former.revision + 1

    def free(self, order: Order) -> None:
        """Removes the bar of a faulty record after somebody resolved it."""
        if self._unread.pop(order, None) is not None:
            self.revision += 1

    def over(self, base: Packs) -> Packs:
        """The packs in use: the activated versions over those of `base`, with their bars.

        The packs of other countries are those that were put in force here.
        """
        id_, lag = base.home[0].id, base.max_lag_ms
        joined = sorted({policy.id for policy in self._versions.values()} - {id_, STRICTEST})
        lines = {id_: base.home, STRICTEST: base.strictest, **dict.fromkeys(joined, ())}
        held = {name: self._accepted(name, versions, lag) for name, versions in lines.items()}
        ranked = {name: _in_order(accepted) for name, (accepted, _) in held.items()}
        others = tuple(ranked[name] for name in joined if ranked[name])
        packs = Packs(ranked[id_], ranked[STRICTEST], others=others).with_max_lag(lag)
        unread = [bar for name in sorted(lines) for bar in self._bars(name, held[name][0])]
        ignored = [PolicyIgnored(name, "unlawful", what, _place(at)) for at, (name, what) in self._unlawful.items()]
        ignored += [record for _, passed_over in held.values() for record in passed_over]
        return dataclasses.replace(
            packs, bars=(*unread, *packs.looser()), ignored=tuple(sorted(ignored, key=lambda record: record.place))
        )

    def of(self, id_: str) -> list[tuple[Order, Policy]]:
        """The activated versions of a policy with their partition and offset, in that order."""
        return sorted((order, policy) for order, policy in self._versions.items() if policy.id == id_)

    @property
    def ids(self) -> frozenset[str]:
        """The policies of which a version was put in force."""
        return frozenset(policy.id for policy in self._versions.values())

    def _accepted(
        self, id_: str, base: Iterable[Policy], max_lag_ms: int | None
    ) -> tuple[list[tuple[Order, Policy]], list[PolicyIgnored]]:
        """The versions that bind, with their order, and the records that do not.

        A version that lets more through than the ones before it binds only under two managers (domain rule 7.6.30).
        """
        binding, ignored = [(SHIPPED, policy) for policy in base], []
        for order, policy in self.of(id_):
            compared = policy if max_lag_ms is None else dataclasses.replace(policy, max_lag_ms=max_lag_ms)
            came = max(self._arrived[order], policy.since - 1)
            known = [pair for pair in binding if not (_came_later(*pair) and came < pair[1].since)]
            before, after = _in_order(known), _in_order([*known, (order, compared)])
            if order in self._by_two or not (lines := widening(before, after, policy.since)):
                binding.append((order, policy))
            else:
                ignored.append(PolicyIgnored(policy.name, "one_manager", ", ".join(lines), _place(order)))
        return binding, ignored

    def _bars(self, id_: str, accepted: Iterable[tuple[Order, Policy]]) -> Iterable[PolicyOutage]:
        """Yields the bars of unreadable records, each until a valid record replaces it.

        A later record replaces it if it has the same version, or takes force on the same day or later.
        """
        for order, unread in sorted(self._unread.items()):
            if id_ in unread.ids:
                after = [policy for later, policy in accepted if order < later]
                ends = [
                    policy.since for policy in after if policy.version == unread.version or policy.since >= unread.since
                ]
                yield PolicyOutage(id_, unread.since, min(ends, default=NEVER), "unreadable", _place(order))


class Unlawful(Exception):
    """A text takes away what no policy may take away; its message is the line."""


def _place(order: Order) -> str:
    return "reference/{}/{}".format(*order)


def _in_order(every: Sequence[tuple[Order, Policy]]) -> tuple[Policy, ...]:
    """The versions by the date on which they take force; of one date the latest record wins.

    A version is dropped if a later record puts it in force again from that day or an earlier one. So is a shipped one
    of later rules, if a text of the company held on the day before. Who put that in force did not know of it.
    """
    ranked = sorted(every, key=lambda pair: (pair[1].since, pair[0], pair[1].version))
    return tuple(
        policy
        for number, (order, policy) in enumerate(ranked)
        if not any(
            order < later and again.since <= policy.since and again.version == policy.version for later, again in every
        )
        and not (number and _came_later(order, policy) and _is_own(ranked[number - 1][1]))
    )


def _came_later(order: Order, policy: Policy) -> bool:
    """True for a shipped version that came with later rules. An amendment is announced to whoever activates a text."""
    return order == SHIPPED and policy.rules_version > 0 and not policy.provisional


def _is_own(policy: Policy) -> bool:
    return policy.sha256 not in shipped_bytes()


def activated(record: PolicyVersion) -> Policy:
    """The policy that a record puts in force, with `since` from the record.

    A record without text refers to a shipped version. Raises Unreadable if the text is missing or no policy. It also
    does if hash, id, version or jurisdictions differ from the record. Raises Unlawful if no record may put the text in
    force.
    """
    if record.toml is None:
        policy = next((policy for policy in shipped().get(record.id, ()) if policy.version == record.version), None)
        if policy is None:
            raise Unreadable("policy_text_missing", "toml")
    else:
        try:
            policy = read(record.toml.encode(), file=f"{record.id}@{record.version}")
        except UsageError as error:
            if error.key == UNLAWFUL:
                raise Unlawful(error.values["place"]) from None
            raise Unreadable("policy_wrong", f"toml.{error.values.get('place', '')}"[:120]) from None
    if record.sha256 != policy.sha256 and (record.sha256 or record.toml):
        raise Unreadable("policy_hash_differs", "sha256")
    for field in ("id", "version", "jurisdictions"):
        recorded, meant = getattr(record, field), getattr(policy, field)
        if (set(recorded) if field == "jurisdictions" else recorded) != meant:
            raise Unreadable("policy_differs", field)
    if line := unlawful(policy):
        raise Unlawful(line)
    return dataclasses.replace(policy, since=span(record.effective_from, policy.timezone).first)


def _unread(ids: frozenset[str], value: bytes) -> _Unread:
    """The readable version and day of a faulty record; without a day it bars from its arrival on."""
    try:
        read_ = orjson.loads(value)
    except ValueError:
        read_ = None
    fields = read_ if isinstance(read_, dict) else {}
    version, day = fields.get("version"), fields.get("effective_from")
    try:
        since = span(day if isinstance(day, str) else "", EARLIEST_ZONE).first
    except (ValueError, OverflowError):
        since = LONG_AGO.first
    return _Unread(ids, version if type(version) is int else None, since)
