"""Texts of the shipped policy versions, and the whole text of one that says only what differs."""

from __future__ import annotations

import tomllib
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any

AMENDS = "amends"
"""The line of a text that names the shipped version, id@version, of which it says only what differs."""
_TABLES = ("rules", "parameters", "clauses", "aliases")
"""Tables of which a text states single rows; any other line replaces the one before it."""


@cache
def texts() -> dict[str, bytes]:
    """The bytes of each shipped version by the name of its file."""
    folder = files("gatekeeper.policy")
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.name.endswith(".toml")}


@cache
def by_sha256() -> dict[str, bytes]:
    """The bytes of the shipped versions by their SHA-256 in hex."""
    return {sha256(content).hexdigest(): content for content in texts().values()}


def amended(content: bytes) -> bytes | None:
    """The shipped text that this one amends; None if it is whole. Raises ValueError for no TOML or no such text."""
    name = tomllib.loads(content.decode("utf-8")).get(AMENDS)
    return None if name is None else _named(name)


def whole(content: bytes) -> dict[str, Any]:
    """The lines of a text, over those of the version that it amends.

    Raises ValueError or TypeError for a text that is no TOML or amends nothing that is shipped.
    """
    lines = tomllib.loads(content.decode("utf-8"))
    if AMENDS not in lines:
        return lines
    before = whole(_named(lines.pop(AMENDS)))
    for table in _TABLES:
        if table in lines:
            lines[table] = before.get(table, {}) | lines[table]
    return before | lines


def _named(name: Any) -> bytes:
    id_, _, version = str(name).rpartition("@")
    file = f"{id_}.toml" if version == "1" else f"{id_}-{version}.toml"
    if file not in texts():
        raise ValueError(f"amends: {name}")
    return texts()[file]
