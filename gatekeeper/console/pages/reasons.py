"""Every reason in plain words: when it arises, what it weighs, by which clause, and who can cure it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby

from fastapi import APIRouter, Request, Response

from gatekeeper.console.session import Viewer
from gatekeeper.console.view import language, page
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
    return page(request, "reasons", groups=groups)


_GROUPS = list(dict.fromkeys(kind.group for kind in CATALOGUE.values()))


def _group(kind: Kind) -> int:
    return _GROUPS.index(kind.group)


def _sentences(code: str, lang: Language) -> Iterator[str]:
    """Yields what a withheld send says of it, once for each way in which it arises, with blanks for what is its own."""
    prefix = f"reason.{code}"
    others = {other for other in CATALOGUE if other.startswith(f"{code}_")}
    for key, sentences in catalogue().items():
        if key == prefix or (key.startswith(f"{prefix}_") and not _of_another(key, others)):
            yield _BLANK.sub("…", sentences[lang])


def _of_another(key: str, others: set[str]) -> bool:
    return any(key.startswith(f"reason.{other}") for other in others)
