"""The rights in the console: roles, and the controllers and campaigns that they hold for.

A right is an act or a view. `gatekeeper.staff.act_kinds` says which roles may do an act, for worker and console alike.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Annotated, Literal, get_args

from pydantic import Field, StringConstraints

from gatekeeper.staff.act_kinds import having
from gatekeeper.staff.roles import VIEWS
from schemas.values import Id, Model

Role = Literal["viewer", "reviewer", "approver", "auditor", "manager"]
ROLES: tuple[Role, ...] = get_args(Role)
Campaigns = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9*][A-Za-z0-9._:*\-]{0,63}$")]
"""A campaign id, in which `*` stands for any characters. No other character is special, in SQLite's GLOB as here."""


class Grant(Model):
    """Roles for some controllers and campaigns; None stands for all of them."""

    roles: Annotated[tuple[Role, ...], Field(min_length=1, max_length=len(ROLES))]
    controllers: Annotated[tuple[Id, ...], Field(min_length=1, max_length=64)] | None = None
    campaigns: Annotated[tuple[Campaigns, ...], Field(min_length=1, max_length=64)] | None = None

    def gives(self, right: str) -> bool:
        """True when one of the roles has this right."""
        return not having(right).isdisjoint(self.roles)

    def covers(self, controller: str | None, campaign: str | None) -> bool:
        """True for a controller and a campaign that this grant holds for.

        None stands for something of no single controller or campaign, which needs a grant without that limit.
        """
        return (self.controllers is None or controller in self.controllers) and (
            self.campaigns is None or any(fnmatchcase(campaign or "", pattern) for pattern in self.campaigns)
        )


@dataclass(frozen=True, slots=True)
class Access:
    """All grants of one user. A right holds where one grant gives it, never by two grants together.

    `within`: the limit of every act, which is the person's record `staff`; None = no limit. It limits no view.
    """

    grants: tuple[Grant, ...]
    within: Grant | None = None

    def may(self, right: str) -> bool:
        """True when the user has this right for something."""
        return any(grant.gives(right) for grant in self.grants) and all(
            limit.gives(right) for limit in self._limit(right)
        )

    def covers(self, right: str, controller: str | None = None, campaign: str | None = None) -> bool:
        """True when the user has this right for that controller and campaign; None as in `Grant.covers`."""
        granted = any(grant.gives(right) and grant.covers(controller, campaign) for grant in self.grants)
        return granted and all(
            limit.gives(right) and limit.covers(controller, campaign) for limit in self._limit(right)
        )

    def controllers(self, right: str) -> frozenset[str] | None:
        """The controllers for which the user has this right in all campaigns; None: all controllers."""
        controllers = _controllers([grant for grant in self.grants if grant.gives(right) and grant.campaigns is None])
        for limit in self._limit(right):
            most = _controllers([limit] if limit.gives(right) else [])
            controllers = most if controllers is None else controllers if most is None else controllers & most
        return controllers

    def where(self, right: str, *, campaign: str = "campaign") -> tuple[str, list[str]]:
        """The SQL condition for rows that `covers` allows, with its values.

        The rows have a column `controller` and one for the campaign's id, named `campaign`.
        """
        within, values = _where(self.grants, right, campaign)
        for limit in self._limit(right):
            more, others = _where([limit], right, campaign)
            within, values = f"({within} AND {more})", [*values, *others]
        return within, values

    def _limit(self, right: str) -> tuple[Grant, ...]:
        return () if self.within is None or right in VIEWS else (self.within,)


def _controllers(grants: Iterable[Grant]) -> frozenset[str] | None:
    """The controllers of all these grants together; None: all controllers."""
    whole = [grant.controllers for grant in grants]
    return None if None in whole else frozenset(name for names in whole for name in names or ())


def _where(grants: Iterable[Grant], right: str, campaign: str) -> tuple[str, list[str]]:
    parts: list[str] = []
    values: list[str] = []
    for grant in grants:
        if not grant.gives(right):
            continue
        limits = ["1"]
        if grant.controllers is not None:
            limits.append(f"controller IN ({', '.join('?' * len(grant.controllers))})")
            values.extend(grant.controllers)
        if grant.campaigns is not None:
            limits.append(f"({' OR '.join([f'ifnull({campaign}, ?) GLOB ?'] * len(grant.campaigns))})")
            values.extend(value for pattern in grant.campaigns for value in ("", pattern))
        parts.append(" AND ".join(limits))
    return f"({' OR '.join(parts) or '0'})", values


def everything(*roles: Role) -> Access:
    """Access with these roles for all controllers and campaigns."""
    return Access((Grant(roles=roles),))


def merged(grants: Iterable[Grant]) -> Access | None:
    """The access of all these grants together, None without any."""
    distinct = tuple(dict.fromkeys(grants))
    return Access(distinct) if distinct else None


SEE_ALL = everything("viewer")
"""Access of who may look at everything."""
