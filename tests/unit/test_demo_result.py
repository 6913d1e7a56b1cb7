"""The demo's count: it must notice a send that was lost, doubled, or sent where its verdict forbids."""

from __future__ import annotations

from typing import Any

from gatekeeper.demo.result import DemoResult
from schemas.audit import AuditRecord
from schemas.decision import Verdict


def _record(offset: int, verdict: Verdict) -> AuditRecord:
    fields: dict[str, Any] = dict.fromkeys(AuditRecord.model_fields)
    src = {"topic": "mail.sends.v1", "partition": 0, "offset": offset, "timestamp": 0}
    return AuditRecord.model_construct(
        **{**fields, "did": f"D{offset}", "stage": "intake", "verdict": verdict, "reasons": (), "src": _Origin(**src)}
    )


class _Origin:
    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)


def told(*decided: tuple[int, Verdict], outputs: tuple[tuple[str, int], ...]) -> tuple[int, int]:
    """Returns what is missing and what is wrong of two sends, after these records."""
    tally = DemoResult(frozenset({(0, 0), (0, 1)}))
    for offset, verdict in decided:
        tally.audit(_record(offset, verdict))
    for topic, offset in outputs:
        tally.output(topic, f"D{offset}")  # type: ignore[arg-type]
    return tally.missing(), tally.wrong()


def test_sends_lost_doubled_or_cleared_against_their_verdict_then_the_count_says_so() -> None:
    decided: tuple[tuple[int, Verdict], ...] = ((0, "clear"), (1, "block"))
    right = ("cleared", 0), ("deadletter", 1)
    assert told(*decided, outputs=right) == (0, 0)
    assert told(*decided[:1], outputs=right[:1]) == (1, 0), "no audit record"
    assert told(*decided, outputs=right[:1]) == (1, 0), "no output"
    assert told(*decided, (1, "block"), outputs=right) == (0, 1), "a second audit record"
    assert told(*decided, outputs=(*right, right[1])) == (0, 1), "a second output"
    assert told(*decided, outputs=(right[0], ("cleared", 1))) == (0, 1), "a withheld send on cleared"
    assert told(*decided, outputs=(*right, ("cleared", 9))) == (0, 1), "an output that nobody decided"
