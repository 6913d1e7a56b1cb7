"""The catalogue of reasons in plain words: cause, weight, clause of law, and the role that can cure it.

The clauses are those of the company's own policy in force.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby

from fastapi import APIRouter, Request, Response

from gatekeeper.console import registry
from gatekeeper.console.session import Viewer
from gatekeeper.console.state import console
from gatekeeper.console.view import language, page
from gatekeeper.deciding.release import releasable
from gatekeeper.policy.reasons import CATALOGUE, Kind
from gatekeeper.texts import Language, catalogue

router = APIRouter()
_BLANK = re.compile(r"\{[a-z_]+\}")


@router.get("/reasons")
def listed(request: Request, session: Viewer) -> Response:
    """The catalogue of reasons, group by group."""
    lang = language(request)
    groups = [
        (group, [(kind, list(_sentences(kind.code, lang))) for kind in kinds])
        for group, kinds in groupby(sorted(CATALOGUE.values(), key=_group), key=lambda kind: kind.group)
    ]
    held = console(request)
    with held.model.read() as db:
        policy = registry.packs(db, held.settings.policy).at(held.now())
    return page(request, "reasons", groups=groups, cites=policy.cites, policy=policy, releasable=releasable)


_GROUPS = list(dict.fromkeys(kind.group for kind in CATALOGUE.values()))


def _group(kind: Kind) -> int:
    return _GROUPS.index(kind.group)


def _sentences(code: str, lang: Language) -> Iterator[str]:
    """Yields a reason's sentences, one for each way in which the reason arises, with blanks for a send's own values."""
    prefix = f"reason.{code}"
    others = {other for other in CATALOGUE if other.startswith(f"{code}_")}
    for key, sentences in catalogue().items():
        if key == prefix or (key.startswith(f"{prefix}_") and not _of_another(key, others)):
            yield _BLANK.sub("…", sentences[lang])


def _of_another(key: str, others: set[str]) -> bool:
    return any(key.startswith(f"reason.{other}") for other in others)
