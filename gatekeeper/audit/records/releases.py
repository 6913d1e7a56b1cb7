"""The version of the rules of each release, to be raised here and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import orjson

RELEASES: Mapping[int, str] = MappingProxyType({5: "0.2.0", 6: "0.3.0", 7: "0.4.0"})
"""The first release with each version of the rules. Earlier versions were never released.

A change that may change a decision adds a line. No line is removed once its release is out.
"""
RULES = max(RELEASES)
"""The version of the rules that this release decides by."""


def rules_of(value: bytes) -> int | None:
    """The version of the rules that an audit record names; None where it names none. Never raises."""
    try:
        rules = orjson.loads(value)["engine"]["rules"]
    except (ValueError, LookupError, TypeError):
        return None
    return rules if type(rules) is int and rules > 0 else None
