"""The limit of a user's acts in the console: what the worker would refuse for the person is not offered."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from gatekeeper.index.access import ROLES, Access, Grant
from gatekeeper.person_keys import PersonKey
from gatekeeper.staff.roster import Member, Roster
from schemas.audit import Acts

ActsBarred = Literal["no_staff", "not_staff", "no_key"]
"""The bar to a user's acts: nobody is on record, the user is not, or the signer is not."""
NO_ACTS = Grant(roles=("viewer",))


def permitted(
    access: Access, user: str, roster: Roster, *, acts: Acts, at: int, console: PersonKey | None, own: PersonKey | None
) -> tuple[Access, ActsBarred | None]:
    """The access of a user, limited to acts that the worker does not refuse for the person, and any bar.

    `at`: now, in milliseconds. `console`: the key with which the console vouches. `own`: the user's own key, where the
    console runs for one person. Views are never limited.
    """
    if roster.began is None:
        return (access, None) if acts == "unsigned" else (replace(access, within=NO_ACTS), "no_staff")
    person = roster.member(user, at)
    if person is None or not person.roles:
        return replace(access, within=NO_ACTS), "not_staff"
    if not _on_record(console or own, roster, at):
        return replace(access, within=NO_ACTS), "no_key"
    return replace(access, within=_limit(person)), None


def _on_record(key: PersonKey | None, roster: Roster, at: int) -> bool:
    holder = roster.member(key.by, at) if key else None
    return key is not None and holder is not None and key.key in holder.keys


def _limit(person: Member) -> Grant:
    roles = tuple(role for role in ROLES if role in person.roles)
    limits = None if person.controllers is None else tuple(sorted(person.controllers))
    return Grant(roles=roles, controllers=limits) if roles else NO_ACTS
