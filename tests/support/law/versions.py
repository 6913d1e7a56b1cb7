"""The versions of reference records, and which of them is in force at a time (rules 7.5.23, 7.1.5)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from tests.support.law.case import proven, span


class Versions:
    """All versions of notices, templates and terms, in the order of arrival."""

    def __init__(self, reference: Sequence[Mapping[str, Any]]) -> None:
        self.kept: dict[str, list[Mapping[str, Any]]] = {}
        self._resolved: dict[str, int] = {}
        for one in reference:
            if one["kind"] != "resolution":
                self.kept.setdefault(f"{one['kind']}/{one.get('id') or one['terms_id']}", []).append(one)
            elif proven(one, 2):
                self._resolved[one["of"]] = max(one["version"], self._resolved.get(one["of"], 0))

    def at(self, kind: str, id_: str | None, when: datetime | None) -> Mapping[str, Any] | None:
        """Returns the version in force at a time, the first one if undated; a resolved one holds from the beginning."""
        versions = self.kept.get(f"{kind}/{id_}", [])
        place = max((n for n, one in enumerate(versions) if n == 0 or _came(one, when)), default=None)
        if place is None:
            return None
        resolved = self._resolved.get(f"{kind}/{id_}", 0)
        place = max(place, resolved - 1)
        return {**versions[place], "signed": resolved == place + 1, "invalid": self._invalid(versions, resolved)}

    def _invalid(self, versions: Sequence[Mapping[str, Any]], resolved: int) -> str | None:
        """Returns since when a notice is invalid: once said, only a resolved version unsays it."""
        for place, one in enumerate(versions):
            if one.get("invalidated_at") and (resolved <= place + 1 or versions[resolved - 1].get("invalidated_at")):
                return str(one["invalidated_at"])
        return None

    def terms(self, id_: str | None) -> Iterator[tuple[datetime, Mapping[str, Any]]]:
        """Yields each version of joint use terms, with the day from which it counts as published."""
        versions = self.kept.get(f"joint_use_terms/{id_}", [])
        resolved = self._resolved.get(f"joint_use_terms/{id_}", 0)
        for place, one in enumerate(versions):
            published = span(one["published_at"]).last
            first, came = (span(each["recorded_at"]).last if each.get("recorded_at") else None
                           for each in (versions[0], one))  # fmt: skip
            late = place and first and came and came > first + timedelta(days=1) and came > published + BACK
            yield (came if late and came and resolved != place + 1 else published), one


BACK = timedelta(days=30)


def _came(one: Mapping[str, Any], when: datetime | None) -> bool:
    return when is not None and bool(one.get("recorded_at")) and span(one["recorded_at"]).last <= when
