"""The catalogue of reasons in plain words: cause, weight, clause of law, and the role that can cure it.

The clauses are those of the company's own policy in force.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from gatekeeper.console.session import Viewer
from gatekeeper.console.state import console
from gatekeeper.console.view import language, page
from gatekeeper.deciding.release import releasable
from gatekeeper.ground.texts import Language, catalogue, placed
from gatekeeper.policy.policy import Policy
from gatekeeper.policy.reasons import CATALOGUE, ReasonKind

router = APIRouter()
Clause = Annotated[str, Query(max_length=40)]
_BLANK = re.compile(r"\{[a-z_]+\}")


@router.get("/reasons")
def listed(request: Request, session: Viewer, clause: Clause = "") -> Response:
    """The catalogue of reasons, group by group. With a clause, by its number or a former one, those that cite it."""
    lang, held = language(request), console(request)
    with held.model.read() as db:
        policy = held.registrations.now(db).packs(held.settings.policy).at(held.now())
    reasons = citing(policy, clause.strip()) if clause.strip() else [*CATALOGUE.values()]
    groups = [
        (group, [(kind, list(_sentences(kind.code, lang))) for kind in kinds])
        for group, kinds in groupby(sorted(reasons, key=_group), key=lambda kind: kind.group)
    ]
    shown: dict[str, Any] = {"cites": policy.cites, "policy": policy, "releasable": releasable}
    return page(request, "reasons", groups=groups, clause=clause.strip(), **shown)


def citing(policy: Policy, clause: str) -> list[ReasonKind]:
    """The reasons that cite a clause under a policy; A.3.4.2.7 of 2017 finds what cites J.8.7 (domain rule 7.6.31)."""
    codes = {row.name for row in policy.citing(clause)}
    return [kind for kind in CATALOGUE.values() if kind.code in codes]


_GROUPS = list(dict.fromkeys(kind.group for kind in CATALOGUE.values()))


def _group(kind: ReasonKind) -> int:
    return _GROUPS.index(kind.group)


def _sentences(code: str, lang: Language) -> Iterator[str]:
    """Yields a reason's sentences, one for each way in which the reason arises, with blanks for a send's own values."""
    prefix = f"reason.{code}"
    others = {other for other in CATALOGUE if other.startswith(f"{code}_")}
    for key in catalogue():
        if key == prefix or (key.startswith(f"{prefix}_") and not _of_another(key, others)):
            yield _BLANK.sub("…", catalogue()[placed(key, "page")][lang])


def _of_another(key: str, others: set[str]) -> bool:
    return any(key.startswith(f"reason.{other}") for other in others)
