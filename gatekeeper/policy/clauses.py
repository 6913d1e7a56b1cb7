"""Clauses of law as a policy pack cites them: by reason, by channel, and whether somebody has verified them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, NamedTuple

from pydantic import Field, StringConstraints

from gatekeeper.policy.later_clauses import CLAUSES
from gatekeeper.policy.reasons import CATALOGUE
from schemas.values import Channel, Day, Line, Model

CODE = re.compile(r"[A-Z][A-Z0-9_]*")
"""The form of a reason's code. A row under another name is a condition of a clause, such as `J.8.7 a`."""


class Verification(Model):
    """A comparison of a citation with the text of the law: `edition` of that text, `on` which day, `by` whom."""

    edition: Line
    on: Day
    by: Line


class Clause(NamedTuple):
    """One citation. `name`: the code of its reason, or its own name. `channels`: only for these; empty = for all.

    `verified`: None if nobody has compared it with the text of the law (domain rule 8.4.56).
    """

    name: str
    cite: str
    channels: frozenset[str] = frozenset()
    verified: Verification | None = None


class ClauseRow(Model):
    """A citation in the file of a pack. A bare `verified = true` names nobody, and is read as false."""

    cite: Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
    channels: frozenset[Channel] = frozenset()
    verified: bool | Verification = False


Rows = Annotated[tuple[ClauseRow, ...], Field(min_length=1, max_length=16)]


def listed(table: Any) -> Any:
    """The table `[clauses]` with a list for each name; a file may give one citation without its list."""
    if not isinstance(table, dict):
        return table
    return {name: [rows] if isinstance(rows, dict) else rows for name, rows in table.items()}


def clauses(table: Mapping[str, Iterable[ClauseRow]]) -> tuple[Clause, ...]:
    """The citations of a pack's table `[clauses]`, in its order."""
    return tuple(
        Clause(name, row.cite, frozenset(row.channels), None if isinstance(row.verified, bool) else row.verified)
        for name, rows in table.items()
        for row in rows
    )


def uncited(rows: Iterable[Clause], off: Iterable[str]) -> list[str]:
    """The reasons for which a text cites nothing, though they may arise.

    Reasons with a rule of our own need no clause. `off`: the rules that the text switches off.
    """
    known = {clause.name for clause in rows} | set(off)
    return [code for code, kind in CATALOGUE.items() if not kind.own_rule and code not in known]


def written_for(rows: Iterable[Clause]) -> int:
    """The version of the rules for which a text was written: that of its newest row.

    It need not cite a reason that came later.
    """
    return max((CATALOGUE[clause.name].since for clause in rows if clause.name in CATALOGUE), default=0)


def lent(codes: Iterable[str], pack: str) -> tuple[Clause, ...]:
    """This release's clauses for reasons that came after the text of a pack; () for a pack that is not shipped."""
    return tuple(Clause(code, CLAUSES[code][pack]) for code in codes if pack in CLAUSES.get(code, ()))


def cited(rows: Iterable[Clause], channel: str | None) -> str:
    """The citations of one reason for a send by `channel`, joined; "" for none. None = of no channel."""
    citations = [row.cite for row in rows if not row.channels or channel in row.channels]
    return "; ".join(dict.fromkeys(citations))
