"""Policy versions that the privacy manager put in force by records of `reference`, over the shipped ones.

A record holds the whole text of its policy. A faulty record stops all decisions under its id from its day on.
Otherwise the old version would go on deciding, while the manager believes that a stricter one is in force.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass

import orjson

from gatekeeper.errors import UsageError
from gatekeeper.policy.packs import NEVER, STRICTEST, Packs, PolicyOutage, shipped
from gatekeeper.policy.policy import Policy, read
from gatekeeper.times import LONG_AGO, span
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
        self._unread: dict[Order, _Unread] = {}

    def put(self, order: Order, record: PolicyVersion) -> None:
        """Adds a version; raises Unreadable, and adds nothing, if it must not be put in force."""
        self._versions[order] = activated(record)
        self.revision += 1

    def bar(self, order: Order, ids: frozenset[str], value: bytes) -> None:
        """Adds a faulty record, which bars these policies from its own day on, or from its arrival on."""
        self._unread[order] = _unread(ids, value)
        self.revision += 1

    def free(self, order: Order) -> None:
        """Removes the bar of a faulty record after somebody resolved it."""
        if self._unread.pop(order, None) is not None:
            self.revision += 1

    def over(self, base: Packs) -> Packs:
        """The packs in use: the activated versions over those of `base`, with their bars."""
        home = self._line(base.home[0].id, base.home)
        strictest = self._line(STRICTEST, base.strictest)
        packs = Packs(home, strictest).with_max_lag(base.max_lag_ms)
        unread = [bar for id_ in sorted({home[0].id, STRICTEST}) for bar in self._bars(id_)]
        return dataclasses.replace(packs, bars=(*unread, *packs.looser()))

    def of(self, id_: str) -> list[tuple[Order, Policy]]:
        """The activated versions of a policy with their partition and offset, in that order."""
        return sorted((order, policy) for order, policy in self._versions.items() if policy.id == id_)

    def _line(self, id_: str, base: Iterable[Policy]) -> tuple[Policy, ...]:
        """The versions by the date on which they take force; of one date the latest record wins.

        A version is dropped if a later record puts it in force again from the same day or an earlier one.
        """
        every = [(SHIPPED, policy) for policy in base] + self.of(id_)
        return tuple(
            policy
            for order, policy in sorted(every, key=lambda one: (one[1].since, one[0], one[1].version))
            if not any(
                order < later and again.version == policy.version and again.since <= policy.since
                for later, again in every
            )
        )

    def _bars(self, id_: str) -> Iterable[PolicyOutage]:
        """Yields the bars of unreadable records, each until a valid record replaces it.

        A later record replaces it if it has the same version, or takes force on the same day or later.
        """
        for order, unread in sorted(self._unread.items()):
            if id_ in unread.ids:
                after = [policy for later, policy in self.of(id_) if order < later]
                ends = [one.since for one in after if one.version == unread.version or one.since >= unread.since]
                yield PolicyOutage(
                    id_, unread.since, min(ends, default=NEVER), "unreadable", "reference/{}/{}".format(*order)
                )


def activated(record: PolicyVersion) -> Policy:
    """The policy that a record puts in force, with `since` from the record.

    A record without text refers to a shipped version. Raises Unreadable if the text is missing or no policy, or if
    its hash, id, version or jurisdictions differ from the record.
    """
    if record.toml is None:
        policy = next((one for one in shipped().get(record.id, ()) if one.version == record.version), None)
        if policy is None:
            raise Unreadable("policy_text_missing", "toml")
    else:
        try:
            policy = read(record.toml.encode(), file=f"{record.id}@{record.version}")
        except UsageError as error:
            raise Unreadable("policy_wrong", f"toml.{error.values.get('place', '')}"[:120]) from None
    if record.sha256 != policy.sha256 and (record.sha256 or record.toml):
        raise Unreadable("policy_hash_differs", "sha256")
    for field in ("id", "version", "jurisdictions"):
        said, meant = getattr(record, field), getattr(policy, field)
        if (set(said) if field == "jurisdictions" else said) != meant:
            raise Unreadable("policy_differs", field)
    return dataclasses.replace(policy, since=span(record.effective_from, policy.timezone).first)


def _unread(ids: frozenset[str], value: bytes) -> _Unread:
    """The readable version and day of a faulty record; without a day it bars from its arrival on."""
    try:
        read_ = orjson.loads(value)
    except ValueError:
        read_ = None
    said = read_ if isinstance(read_, dict) else {}
    version = said.get("version")
    try:
        since = span(str(said.get("effective_from")), EARLIEST_ZONE).first
    except (ValueError, OverflowError):
        since = LONG_AGO.first
    return _Unread(ids, version if type(version) is int else None, since)
