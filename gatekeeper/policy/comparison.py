"""Differences between two policy versions, and the ones that let more through than before."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, NamedTuple

from gatekeeper.policy.policy import Policy

_NAMES = ("id", "version", "sha256", "since", "later", "rules_version")
_UP = (
    *("skew_ms", "max_lag_ms", "release_ttl_ms", "rejudge_hours", "ask_cap", "check_within_days", "four_eyes_bulk"),
    *("consent_max_age_months", "source_max_age_months"),
)
_DOWN = ("minor_age", "dedupe_ms", "ask_again_months")
_EITHER = ("match_floor", "timezone")
"""A higher floor lets stops pass as another person's, a lower one addresses as the person's. Days decide both ways."""
_MORE = ("jurisdictions", "confirm_channels", "off", "purpose_only", "audience_exceptions")
_LESS = ("consent_channels", "double_opt_in_channels", "sensitive", "sensitive_alone", "notice_items")


class Difference(NamedTuple):
    """One line that differs. `widens`: the new value lets through sends that the old one withheld."""

    key: str
    old: str
    new: str
    widens: bool


def differences(old: Policy, new: Policy) -> list[Difference]:
    """The differences from `old` to `new`, in the order of the policy's fields. Id, version, hash and time are none."""
    changes = []
    for field in fields(Policy):
        before, after = getattr(old, field.name), getattr(new, field.name)
        if field.name == "clauses":
            changes += _of_clauses(old, new)
        elif field.name not in _NAMES and before != after:
            changes.append(Difference(field.name, _told(before), _told(after), _widens(field.name, old, new)))
    return changes


def _of_clauses(old: Policy, new: Policy) -> list[Difference]:
    """The reasons that the two versions cite otherwise. A citation lets nothing through."""
    before, after = (_citations(policy) for policy in (old, new))
    names = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    return [Difference(f"clauses.{name}", before.get(name, "-"), after.get(name, "-"), False) for name in names]


def _citations(policy: Policy) -> dict[str, str]:
    citations: dict[str, list[str]] = {}
    for clause in policy.clauses:
        channels = f" [{', '.join(sorted(clause.channels))}]" if clause.channels else ""
        known = clause.verified
        verified = f" ({known.edition}, {known.on}, {known.by})" if known else ""
        citations.setdefault(clause.name, []).append(clause.cite + channels + verified)
    return {name: "; ".join(texts) for name, texts in citations.items()}


def wider(old: Policy, new: Policy) -> list[str]:
    """The lines by which `new` lets through sends that `old` withholds. A citation is none."""
    names = (field.name for field in fields(Policy) if field.name not in (*_NAMES, "clauses"))
    return [name for name in names if getattr(old, name) != getattr(new, name) and _widens(name, old, new)]


def _widens(key: str, old: Policy, new: Policy) -> bool:
    before, after = getattr(old, key), getattr(new, key)
    if key in _EITHER:
        return True
    if key in _UP:  # None is no limit, the widest value
        return before is not None and (after is None or after > before)
    if key in _DOWN:  # None is never, the narrowest value
        return after is not None and (before is None or after < before)
    if key == "purpose_only":
        return not after <= before | old.off
    if key in _MORE:
        return "*" not in before and not after <= before
    if key in _LESS:
        return "*" not in after and not before <= after
    if key == "written_methods":  # None is every method
        return before is not None and (after is None or not after <= before)
    if key == "minor_age_from":
        days = [day for day, _ in (*before, *after)]
        return any(new.minor_age_on(day) < old.minor_age_on(day) for day in ("0001-01-01", *days))
    if key == "statutory_exception":
        return before is None
    if key == "delivery":
        return bool(after == "token")
    return key == "confirm_days" and any(days > dict(before).get(channel, days) for channel, days in after)


def _told(value: Any) -> str:
    if isinstance(value, frozenset):
        return ", ".join(sorted(value)) or "-"
    if isinstance(value, tuple):
        return ", ".join(f"{name} {number}" for name, number in value)
    return "-" if value is None else str(value)
