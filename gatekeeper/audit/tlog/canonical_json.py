"""Reads canonical JSON: sorted keys, no space, integers below 2^53 as the only numbers, and a bounded depth."""

from __future__ import annotations

import json
from typing import Any

MAX_INTEGER = (1 << 53) - 1
"""Largest integer of canonical JSON. Two readers could take a larger one for different numbers."""

MAX_DEPTH = 32
"""Objects and lists within each other, at most. Where Python itself gives up depends on its version."""


def _integer(number: str) -> int:
    """An integer below 2^53; raises ValueError for any other number, `int` for 1.0, 1e3 and Infinity."""
    if len(number) > 17 or abs(integer := int(number)) > MAX_INTEGER:
        raise ValueError("not below 2^53")
    return integer


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise ValueError("a key twice")  # one reader takes the first, another the last
    return fields


_NUMBERS = dict.fromkeys(("parse_int", "parse_float", "parse_constant"), _integer)
read_json = json.JSONDecoder(**_NUMBERS).decode  # type: ignore[arg-type]
"""Reads JSON in which numbers are integers below 2^53; raises one of MALFORMED for anything else."""
read_json_once = json.JSONDecoder(**_NUMBERS, object_pairs_hook=_once).decode  # type: ignore[arg-type]
"""Reads JSON as `read_json` does; also raises ValueError for a key that an object holds twice."""
_write = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode
MALFORMED = (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError)
"""Errors that reading a value raises where the value has another shape than it should have."""


def read_canonical(value: bytes) -> dict[str, Any]:
    """Reads an object of canonical JSON; raises ValueError for anything else."""
    try:
        tree = read_json(value.decode())
        if isinstance(tree, dict) and not _is_deep(value, tree) and _write(tree).encode("utf-8", "replace") == value:
            return tree
    except MALFORMED:
        pass
    raise ValueError("not canonical JSON")


def _is_deep(value: bytes, tree: Any) -> bool:
    """True if `tree`, which `value` was read to, holds more than MAX_DEPTH objects and lists within each other."""
    if value.count(b"{") + value.count(b"[") <= MAX_DEPTH:
        return False
    level = [tree]
    for _ in range(MAX_DEPTH):
        inside = (node.values() if isinstance(node, dict) else node for node in level)
        level = [node for nodes in inside for node in nodes if isinstance(node, dict | list)]
    return bool(level)


def with_keys(fields: dict[str, Any], *names: str) -> dict[str, Any]:
    """The same object; raises ValueError unless it has exactly these keys."""
    if set(fields) != set(names):
        raise ValueError("other keys")
    return fields


def is_place(value: Any) -> bool:
    """Tells whether a value can be an offset, or a number that counts from 0."""
    return type(value) is int and 0 <= value <= MAX_INTEGER
