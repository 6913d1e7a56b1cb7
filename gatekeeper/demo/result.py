"""The check at the end of the demo: every send has one decision, one audit record, and one output topic."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from gatekeeper.policy.reasons import VERDICTS
from schemas.audit import AuditRecord
from schemas.decision import Verdict

Position = tuple[int, int]
"""Partition and offset of a send."""
OUTPUTS = ("cleared", "review", "deadletter")


@dataclass(slots=True)
class DemoResult:
    """Counts of decisions and outputs for the sends at `expected`; the check ignores sends at other positions."""

    expected: frozenset[Position]
    decided: Counter[Position] = field(default_factory=Counter)
    verdict: dict[str, Verdict] = field(default_factory=dict)
    went: Counter[tuple[str, str]] = field(default_factory=Counter)
    funnel: Counter[tuple[Verdict, str]] = field(default_factory=Counter)

    def audit(self, record: AuditRecord) -> None:
        """Counts the audit record of one send under its verdict and its first reason."""
        position = (record.src.partition, record.src.offset)
        if record.stage == "intake" and record.verdict and position in self.expected:
            self.decided[position] += 1
            self.verdict[record.did] = record.verdict
            self.funnel[record.verdict, record.reasons[0].code if record.reasons else ""] += 1

    def output(self, topic: str, decision_id: str) -> None:
        """Counts one record of `topic` (registry name) under its decision id."""
        self.went[topic, decision_id] += 1

    def by_verdict(self) -> dict[Verdict, int]:
        """The number of sends by verdict."""
        return {verdict: sum(n for (v, _), n in self.funnel.items() if v == verdict) for verdict in VERDICTS}

    def by_output(self) -> dict[str, int]:
        """The number of output records of the expected sends, by topic."""
        return {topic: sum(self.went[topic, did] for did in self.verdict) for topic in OUTPUTS}

    def missing(self) -> int:
        """The number of sends without an audit record, plus decisions without an output record."""
        undecided = sum(1 for position in self.expected if not self.decided[position])
        return undecided + sum(1 for did in self.verdict if not self._places(did))

    def wrong(self) -> int:
        """The number of errors: a send decided twice, two outputs, a topic that the verdict forbids, or no decision."""
        twice = sum(1 for n in self.decided.values() if n > 1)
        misled = sum(1 for did, verdict in self.verdict.items() if not _fits(verdict, self._places(did)))
        return twice + misled + sum(1 for _, did in self.went if did not in self.verdict)

    def _places(self, did: str) -> list[str]:
        return [topic for topic in OUTPUTS for _ in range(self.went[topic, did])]


def _fits(verdict: Verdict, places: Iterable[str]) -> bool:
    """True for at most one output, which is `cleared` exactly when the verdict is clear."""
    outputs = list(places)
    return len(outputs) <= 1 and all((output == "cleared") == (verdict == "clear") for output in outputs)
