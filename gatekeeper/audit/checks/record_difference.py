"""The first field in which two records differ, shown without personal data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gatekeeper.audit.records import masking
from schemas.codec import canonical

ABSENT = "-"
"""Stands for a missing value."""
_TELLING = ("verdict", "reasons")


def difference(recorded: Any, derived: Any, place: str = "") -> tuple[str, str, str] | None:
    """The first differing field with both values as JSON, `-` for a missing one; None if equal.

    Possible personal data is masked in the path and in the values, as the record may be forged.
    """
    if isinstance(recorded, dict) and isinstance(derived, dict):
        for name in sorted(recorded.keys() | derived.keys()):
            known = name if name in derived else masking.named(name)
            below = f"{place}.{known}" if place else known
            if name not in derived and not masking.tellable(name):
                return below, masking.told(masking.MASK), ABSENT
            if name not in recorded or name not in derived:
                return below, shown(recorded, name), shown(derived, name)
            if differing := difference(recorded[name], derived[name], below):
                return differing
        return None
    if isinstance(recorded, list) and isinstance(derived, list):
        for number, (old, new) in enumerate(zip(recorded, derived, strict=False)):
            if differing := difference(old, new, f"{place}[{number}]"):
                return differing
        if len(recorded) != len(derived):
            below = f"{place}[{min(len(recorded), len(derived))}]"
            longer = recorded if len(recorded) > len(derived) else derived
            more = masking.told(longer[min(len(recorded), len(derived))])
            return (below, more, ABSENT) if longer is recorded else (below, ABSENT, more)
        return None
    same = canonical(recorded) == canonical(derived)
    return None if same else (place, masking.told(recorded), masking.told(derived))


def first_difference(said: Mapping[str, Any], derived: Mapping[str, Any]) -> tuple[str, str, str]:
    """The first difference of two records, the verdict's first; '' and `-` if only the bytes differ."""
    for name in (*_TELLING, *sorted({*said, *derived} - {*_TELLING})):
        old, new = ({name: record[name]} if name in record else {} for record in (said, derived))
        if differing := difference(old, new):
            return differing
    return "", ABSENT, ABSENT


def shown(of: Mapping[str, Any], name: str) -> str:
    """The value under this name as JSON without personal data, ABSENT without one."""
    return masking.told(of[name]) if name in of else ABSENT
