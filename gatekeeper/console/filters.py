"""The filter in an address: what of its query is the filter's, what is the page's."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import parse_qsl, urlencode

from fastapi import Request

from gatekeeper.console.item_search import ItemSearch
from gatekeeper.console.state import console
from gatekeeper.engine.item import WAITING
from gatekeeper.review.actions import states
from gatekeeper.review.filter import parse

OURS = frozenset(("lang", "page", "kind", "after", "reveal", "since"))
"""Keys of addresses that belong to pages."""


def written(request: Request) -> str:
    """The filter of a request's address, without what a form left empty; '' for none."""
    return joined((key, value) for key, value in request.query_params.multi_items() if key not in OURS)


def pairs(written: str) -> list[tuple[str, str]]:
    """Keys and values of a filter."""
    return parse_qsl(written)


def joined(pairs: Iterable[tuple[str, str]]) -> str:
    """A filter of keys and values."""
    return urlencode([(key, value.strip()) for key, value in pairs if value.strip()], safe=",/:")


def search(request: Request, written: str, *, kind: str | None = None, until: int | None = None) -> ItemSearch:
    """The search of a filter, at this instant; raises UsageError (400) for one that has no meaning.

    `kind`: of the act that shall be done about what is found. `until`: as `ItemSearch` has it.
    """
    held = console(request)
    meant = states(kind) if kind else WAITING
    return ItemSearch(parse(written), held.now(), held.zone(), meant, until)
