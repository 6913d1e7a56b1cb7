"""Choices that a list offers: the values of its filter with their numbers, and acts that can succeed."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping
from dataclasses import replace

from gatekeeper.console.item_search import ItemSearch
from gatekeeper.deciding.release import releasable
from gatekeeper.engine.item import FROM
from gatekeeper.policy.reasons import CATALOGUE
from gatekeeper.review.filter import ANY, Query

CHOSEN = ("state", "primary", "origin", "campaign", "channel")
"""Keys of the filter whose values are counted."""
MOST = 200
"""Values of a key that are offered, at most: the most frequent ones."""
ACTS = ("ask", "uphold", "redecide", "release", "approve", "undo", "note")
"""Acts on many items, in the order of their buttons: none that lets mail out comes first."""
AGES = ("1d", "3d", "7d", "14d", "30d")
"""Ages that are offered."""
_RELEASABLE = tuple(code for code in CATALOGUE if releasable(code))


def values(search: ItemSearch, db: sqlite3.Connection) -> Mapping[str, list[tuple[str, int]]]:
    """For each key of CHOSEN, the values among the items that the rest of the filter finds, and their numbers.

    The most frequent come first. A value that the filter names is there even if no item has it.
    """
    found = {}
    for key in CHOSEN:
        wanted = search.query.wanted
        rest = {other: named for other, named in wanted.items() if other != key}
        where, arguments = replace(
            search, query=Query({**rest, "state": frozenset((ANY,))} if key == "state" else rest)
        ).where()
        rows = db.execute(
            f'SELECT "{key}", count(*) AS n FROM item WHERE {where} GROUP BY 1 ORDER BY n DESC, 1 LIMIT {MOST}',
            arguments,
        )
        counted = {row[0]: row[1] for row in rows if row[0] is not None}
        found[key] = [*counted.items(), *((value, 0) for value in sorted(wanted.get(key, ())) if value not in counted)]
    return found


def acts(search: ItemSearch, db: sqlite3.Connection, allowed: Collection[str]) -> list[str]:
    """The acts that can succeed for some of the items found, among those `allowed`."""
    where, arguments = search.where()
    rows = db.execute(
        f'SELECT DISTINCT state, verdict, "primary" IN ({", ".join("?" * len(_RELEASABLE))}) FROM item WHERE {where}',
        (*_RELEASABLE, *arguments),
    ).fetchall()

    def fits(kind: str, state: str, verdict: str, released: bool) -> bool:
        if kind in FROM and state not in FROM[kind]:
            return False
        return {"ask": verdict == "confirm", "release": verdict == "review" or bool(released)}.get(kind, True)

    return [kind for kind in ACTS if kind in allowed and any(fits(kind, *row) for row in rows)]
