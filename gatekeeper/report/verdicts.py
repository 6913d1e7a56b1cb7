"""Counts of decisions by data source, verdict and time, and by reason and clause."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

from gatekeeper.audit.explanation.citations import Citations
from gatekeeper.deciding.scope import ANOTHER_ID
from gatekeeper.ground.times import span
from gatekeeper.policy.reasons import VERDICTS
from gatekeeper.report.period import Period
from gatekeeper.review.data_origin import origin, route

_CLAUSE = re.compile(r"J\.\d+(?:\.\d+)*")
SHOWS: Mapping[str, tuple[str, ...]] = {
    "J.3.1.1": ("reasons",),
    "J.4.4.2": ("reasons", "policies"),
    "J.4.5.5": ("coverage", "seal", "samples"),
    "J.8.1": ("reasons",),
    "J.8.2": ("sources", "reasons"),
    "J.8.3": ("reasons",),
    "J.8.4": ("sources", "reasons"),
    "J.8.5": ("sources", "reasons"),
    "J.8.6": ("reasons",),
    "J.8.7": ("sends", "cleared", "sources", "reasons", "confirmations", "review", "samples"),
    "J.8.8": ("sources", "reasons"),
    "J.10": ("withdrawals", "recalls", "reasons"),
    "J.11": ("withdrawals", "acts", "samples"),
}
"""Sections of the report that show compliance with a clause of JIS Q 15001, numbered as in its guideline."""


def clauses(citation: str | None) -> tuple[str, ...]:
    """The clauses of JIS Q 15001 in a citation."""
    return tuple(dict.fromkeys(_CLAUSE.findall(citation or "")))


class Sends:
    """Counts of decided sends; each send counts once, by its first decision."""

    def __init__(self, period: Period, citations: Citations) -> None:
        self._period = period
        self._citations = citations
        self._cited: dict[str, dict[str, None]] = {}
        self._verdicts: Counter[str] = Counter()
        self._of_another = 0
        self._sources: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        self._steps: dict[str, Counter[str]] = defaultdict(Counter)
        self._withheld: Counter[str] = Counter()
        self._primary: Counter[str] = Counter()
        self._clauses: Counter[str] = Counter()
        self._policies: Counter[tuple[str, int, str]] = Counter()

    @property
    def total(self) -> int:
        """The number of decided sends."""
        return self._verdicts.total()

    def take(self, record: Mapping[str, Any]) -> None:
        """Adds the audit record of a send's first decision."""
        verdict, policy = record["verdict"], record["policy"]
        self._verdicts[verdict] += 1
        self._of_another += ANOTHER_ID in record.get("notes", ())
        self._sources[route(record), origin(record)][verdict] += 1
        self._steps[self._period.step_of(span(record["at"], "UTC").first // 1000)][verdict] += 1
        self._policies[policy["id"], policy["version"], policy["sha256"]] += 1
        codes = [reason["code"] for reason in record["reasons"]]
        self._withheld.update(codes)
        self._primary.update(codes[:1])
        cited = {code: self._citations.clause(code, record) for code in codes}
        self._clauses.update({clause for citation in cited.values() for clause in clauses(citation)})
        for code, citation in cited.items():
            self._cited.setdefault(code, {}).update(dict.fromkeys(citation.split("; ") if citation else ()))

    def told(self, cured: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
        """The report's sections on sends, from `sends` to `clauses`.

        `cured`: by reason and remedy, the number of withheld items that were cleared later.
        """
        ranked = sorted(self._withheld.keys() | cured.keys(), key=lambda code: (-self._withheld[code], code))
        return {
            "sends": {"total": self.total, "verdicts": _plain(self._verdicts), "of_another": self._of_another},
            "sources": [
                {"route": route, "origin": origin, "sends": counts.total(), "verdicts": _plain(counts)}
                for (route, origin), counts in sorted(
                    self._sources.items(), key=lambda pair: (-pair[1].total(), pair[0])
                )
            ],
            "time": {
                "step": self._period.step,
                "steps": [{"from": name, "verdicts": _plain(self._steps[name])} for name in self._period.steps()],
            },
            "reasons": [
                {
                    "code": code,
                    "clause": "; ".join(self._cited.get(code, ())) or None,
                    "withheld": self._withheld[code],
                    "primary": self._primary[code],
                    "cured": {remedy: cured.get(code, {}).get(remedy, 0) for remedy in ("R", "C", "F", "W")},
                }
                for code in ranked
            ],
            "policies": [
                {
                    **{"id": id_, "version": version, "sha256": digest, "sends": n},
                    "unverified": list(self._citations.unverified(f"{id_}@{version}", digest)),
                }
                for (id_, version, digest), n in sorted(self._policies.items())
            ],
            "clauses": [
                {"clause": clause, "withheld": self._clauses[clause], "shows": list(shows)}
                for clause, shows in SHOWS.items()
            ],
        }


def _plain(counts: Mapping[str, int]) -> dict[str, int]:
    return {verdict: counts.get(verdict, 0) for verdict in VERDICTS}
