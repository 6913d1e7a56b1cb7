"""The filter in an address: separates the filter's keys from the page's own keys."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import parse_qsl, urlencode

from fastapi import Request

from gatekeeper.console.state import console
from gatekeeper.engine.item import WAITING
from gatekeeper.ground.words import narrow
from gatekeeper.index.access import Access
from gatekeeper.index.item_search import ItemSearch
from gatekeeper.review.actions import states
from gatekeeper.review.filter import parse

OURS = frozenset(("lang", "page", "sort", "kind", "after", "reveal", "since", "find"))
"""Query keys that belong to pages, not to the filter."""


def written(request: Request) -> str:
    """The filter of a request's address, without the fields that a form left empty; '' for none."""
    return joined((key, value) for key, value in request.query_params.multi_items() if key not in OURS)


def pairs(written: str) -> list[tuple[str, str]]:
    """Keys and values of a filter."""
    return parse_qsl(written)


def joined(pairs: Iterable[tuple[str, str]]) -> str:
    """The filter made of keys and values, letters in their usual width; empty values are left out."""
    return urlencode([(key, narrow(value)) for key, value in pairs if narrow(value)], safe=",/:")


def search(request: Request, written: str, *, kind: str | None = None, until: int | None = None) -> ItemSearch:
    """The search of a filter at this instant, among the items that the user may see.

    `kind`: the act to write about the items found, which the user may do. `until`: as in `ItemSearch`.
    Raises UsageError (400) for a filter that has no meaning.
    """
    held, session = console(request), request.state.session
    meant = states(kind) if kind else WAITING
    access = session.access if session else Access(())
    rights = ("see", kind) if kind else ("see",)
    return ItemSearch(parse(written), held.now(), held.zone(), meant, until, access, rights)
