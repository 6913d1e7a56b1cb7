"""Choices that a list offers: the values of its filter with their numbers, and acts that can succeed."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace

from gatekeeper.deciding.release import releasable
from gatekeeper.engine.item import FROM
from gatekeeper.ground.words import narrow
from gatekeeper.index.item_search import ItemSearch
from gatekeeper.policy.reasons import CATALOGUE
from gatekeeper.review.filter import ANY, Query
from gatekeeper.staff.act_kinds import ACT_KINDS

CHOSEN = ("primary", "origin", "campaign", "channel")
"""Keys of the filter whose values are counted."""
NAMED = ("campaign", "origin")
"""Keys of the filter whose values are found by a part of their name."""
FOUND = 20
"""Values that are found by a name, at most."""
MOST = 200
"""Values of a key that are offered, at most: the most frequent ones."""
ACTS = tuple(kind for kind, row in ACT_KINDS.items() if row.preview == "items")
"""Acts on many items, in the order of their buttons: none that lets mail out comes first."""
AGES = ("1d", "3d", "7d", "14d", "30d")
"""Ages that are offered."""
_RELEASABLE = tuple(code for code in CATALOGUE if releasable(code))


def values(search: ItemSearch, db: sqlite3.Connection) -> Mapping[str, list[tuple[str, int]]]:
    """For each key of CHOSEN, the values among the items that the rest of the filter finds, and their numbers.

    The most frequent come first. A value that the filter names is there even if no item has it.
    """
    by_key, wanted = {}, search.query.wanted
    for key in CHOSEN:
        counted = dict(_counted(search, db, key, MOST))
        by_key[key] = [*counted.items(), *((value, 0) for value in sorted(wanted.get(key, ())) if value not in counted)]
    return by_key


def named(
    search: ItemSearch, db: sqlite3.Connection, said: str, name: Callable[[str, str], str]
) -> list[tuple[str, str, int]]:
    """Campaigns and origins of data whose id or name contains what was said, as key, value and number of items.

    Width and case of letters do not matter. `name`: of a key's value. They are among those of the rest of the filter.
    """
    wanted = _folded(said)
    return [
        (key, id_, n)
        for key in NAMED
        for id_, n in _counted(search, db, key)
        if wanted in _folded(id_) or wanted in _folded(name(key, id_))
    ][:FOUND]


def acts(search: ItemSearch, db: sqlite3.Connection, allowed: Collection[str]) -> list[str]:
    """The acts of ACTS that can succeed for some of the items found, among those `allowed`.

    The user's limits count: an act that they may do for other items only is left out.
    """
    return [kind for kind in ACTS if kind in allowed and _possible(search, db, kind)]


def _counted(search: ItemSearch, db: sqlite3.Connection, key: str, most: int = -1) -> Iterator[tuple[str, int]]:
    rest = {other: named for other, named in search.query.wanted.items() if other != key}
    where, arguments = replace(search, query=Query(rest)).where()
    rows = db.execute(
        f'SELECT "{key}", count(*) AS n FROM item WHERE {where} GROUP BY 1 ORDER BY n DESC, 1 LIMIT {most:d}', arguments
    )
    return ((row[0], row[1]) for row in rows if row[0] is not None)


def _folded(words: str) -> str:
    return narrow(words).casefold()


def possible_states(kind: str, search: ItemSearch) -> Collection[str]:
    """The states of the items found in which an act is possible; all of them if it needs none."""
    shown = search.query.wanted.get("state", frozenset(search.states))
    return FROM[kind] & shown if kind in FROM and ANY not in shown else FROM.get(kind, shown)


def _possible(search: ItemSearch, db: sqlite3.Connection, kind: str) -> bool:
    states = possible_states(kind, search)
    wanted = {**search.query.wanted, "state": frozenset(states)}
    where, arguments = replace(search, query=Query(wanted), rights=("see", kind)).where()
    if not ACT_KINDS[kind].late:
        where += f" AND (due IS NULL OR due > {search.now:d})"
    if kind == "ask":
        where += " AND verdict = 'confirm'"
    elif kind == "release":
        where += f""" AND (verdict = 'review' OR "primary" IN ({", ".join("?" * len(_RELEASABLE))}))"""
        arguments = [*arguments, *_RELEASABLE]
    item = states and db.execute(f"SELECT 1 FROM item WHERE {where} LIMIT 1", arguments).fetchone()
    return bool(item)
