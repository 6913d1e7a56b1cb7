"""People and keys in force at an arrival, folded from the records `staff` that count."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from gatekeeper.staff.message import message, milliseconds
from gatekeeper.staff.roles import person
from gatekeeper.staff.signature_check import marks, proven


class Member(NamedTuple):
    """One version of a person, or of the console. `arrived`, `since`, `until`: milliseconds since the epoch."""

    id: str
    roles: frozenset[str]
    controllers: frozenset[str] | None
    keys: Mapping[str, Mapping[str, Any]]
    arrived: int
    since: int | None
    until: int | None

    @classmethod
    def of(cls, said: Mapping[str, Any], arrived: int) -> Member:
        """Reads the fields of `schemas.events.staff.Staff`; raises ValueError or LookupError for anything else."""
        controllers = said.get("controllers")
        return cls(
            said["id"],
            frozenset(said["roles"]),
            None if controllers is None else frozenset(controllers),
            {key["id"]: key for key in said.get("keys") or ()},
            arrived,
            milliseconds(said["from"]) if said.get("from") else None,
            milliseconds(said["until"]) if said.get("until") else None,
        )

    def acts_for(self, controllers: frozenset[str] | None) -> bool:
        """Tells whether the person may act for all these controllers; None = for every one."""
        return self.controllers is None or (controllers is not None and controllers <= self.controllers)

    @property
    def founds(self) -> bool:
        """True if the person may be the first of a log: a manager for all controllers, with a key."""
        return "manager" in self.roles and self.controllers is None and bool(self.keys)


class Roster:
    """All versions of all people. `began`: the arrival in milliseconds from which acts need a signature, None before.

    A key belongs for ever to the id that had it first.
    """

    def __init__(self) -> None:
        self.began: int | None = None
        self._versions: dict[str, list[Member]] = {}
        self._owners: dict[bytes, str] = {}

    def put(self, version: Member) -> None:
        """Adds a version, after those that came before it."""
        self.begin(version.arrived)
        self._versions.setdefault(person(version.id), []).append(version)
        for mark in _marks(version):
            self._owners.setdefault(mark, version.id)

    def begin(self, arrived: int) -> None:
        """Lets acts count only with a signature from this arrival on, if they do not already."""
        self.began = arrived if self.began is None else self.began

    def other_owner(self, version: Member) -> str | None:
        """The id of another person who has, or ever had, a key of this version; None if nobody else did."""
        owners = (self._owners.get(mark) for mark in _marks(version))
        return next((owner for owner in owners if owner and person(owner) != person(version.id)), None)

    @property
    def first(self) -> str | None:
        """The id of the first person, None without one."""
        return next((versions[0].id for versions in self._versions.values()), None)

    def member(self, id_: str, when: int) -> Member | None:
        """The person as of an arrival, None if nobody with this id is in force then."""
        versions = [version for version in self._versions.get(person(id_), ()) if version.arrived <= when]
        if not versions:
            return None
        last = versions[-1]
        early, late = last.since is not None and when < last.since, last.until is not None and last.until <= when
        return None if early or late else last

    def managers(self, when: int, controllers: frozenset[str] | None) -> list[str]:
        """The ids of the managers who may act for these controllers as of an arrival, and have a key."""
        everybody = (self.member(id_, when) for id_ in self._versions)
        return sorted(
            member.id
            for member in everybody
            if member and "manager" in member.roles and member.keys and member.acts_for(controllers)
        )

    def everybody(self, when: int) -> Iterable[Member]:
        """Everybody in force at an arrival, by id."""
        people = (self.member(id_, when) for id_ in sorted(self._versions))
        return [member for member in people if member is not None]

    def fault(self, said: Mapping[str, Any], *, subject: str, origin: str, arrived: int) -> str | None:
        """The fault of a signature, None if it is good: `not_staff` or `bad_signature`.

        The key must belong to the signer as of the arrival. The signer is the person, or the console that vouches for
        the person. `subject`, `origin`: as in `gatekeeper.staff.message.message`.
        """
        holder = self.member(said["console"] if said["method"] == "vouched" else said["by"], arrived)
        if self.member(said["by"], arrived) is None or holder is None:
            return "not_staff"
        key = holder.keys.get(said["key"])
        if key is None:
            return "not_staff"
        return None if proven(said, key, message(said, origin=origin, subject=subject)) else "bad_signature"


def _marks(version: Member) -> list[bytes]:
    return sorted(mark for key in version.keys.values() for mark in marks(key))
