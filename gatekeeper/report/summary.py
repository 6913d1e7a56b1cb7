"""The first page of a report, for management: three figures, one trend, and at most three things to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gatekeeper.report import chart
from schemas.topics import DAY_MS

MOST = 3
"""Most things to do."""
OFTEN_PER_MILLE, OFTEN = 500, 5
"""From this share and number of releases on, a rule is said to be overturned often."""


def summary(report: Mapping[str, Any], *, wrong: bool) -> dict[str, Any]:
    """The report's section `summary`. `report`: all other sections. `wrong`: whether the report shows a change."""
    sends = report["sends"]
    return {
        "cleared_per_mille": _share(sends["verdicts"]["clear"], sends["total"]),
        "withdrawals_p99_ms": report["withdrawals"]["latency_ms"]["p99"],
        "late": _late(report),
        "trend": _trend(_cleared(report)),
        "todo": list(_todo(report, wrong=wrong))[:MOST],
    }


def trend_line(report: Mapping[str, Any]) -> str | None:
    """The points of a line through the shares that were cleared, as `chart.line` gives them; None without a trend."""
    shares = [clear * 1000 // of for _, clear, of in _cleared(report)]
    return chart.line(shares) if report["summary"]["trend"] else None


def _cleared(report: Mapping[str, Any]) -> list[tuple[str, int, int]]:
    """The name of each step with sends, the number of its sends that were cleared, and of all."""
    steps = report["time"]["steps"]
    counted = ((step["from"], step["verdicts"]["clear"], sum(step["verdicts"].values())) for step in steps)
    return [(name, clear, of) for name, clear, of in counted if of]


def _trend(steps: list[tuple[str, int, int]]) -> dict[str, Any] | None:
    """The shares cleared `before` and `after`, in the first and the last half of the steps; None for less than two.

    `until`: the last step of the first half. `since`: the first step of the last half.
    """
    if len(steps) < 2:
        return None
    half = len(steps) // 2
    first, last = steps[:half], steps[-half:]
    before, after = (sum(clear for _, clear, _ in some) * 1000 // sum(of for *_, of in some) for some in (first, last))
    return {"before": before, "until": first[-1][0], "after": after, "since": last[0][0]}


def _todo(report: Mapping[str, Any], *, wrong: bool) -> Iterator[dict[str, Any]]:
    """Yields the things to do, the most urgent first, each with the section that shows it."""
    seal, review, asked = report["seal"], report["review"], report["confirmations"]
    withheld = max(report["reasons"], key=lambda reason: reason["primary"], default=None)
    overturned = [reason for reason in review["overturned"] if reason["released"] >= OFTEN]
    often = max(overturned, key=lambda reason: reason["per_mille"], default=None)
    if wrong:
        yield _thing("changed", "coverage")
    if report["foreign"]:
        yield _thing("foreign", "coverage", count=sum(finding["count"] for finding in report["foreign"]))
    if late := _late(report):
        yield _thing("late", "recalls", count=late)
    if unheld := sum(key["stops"] for key in report["token_keys"] if key["held"] is False):
        yield _thing("unheld", "token_keys", count=unheld)
    if duties := len(report["nos"]["duties"]):
        yield _thing("duties", "nos", count=duties)
    if report["kept_from"]:
        yield _thing("kept", "coverage")
    if report["signatures"]["acts"] == "unsigned":
        yield _thing("unsigned", "acts")
    if seal is None:
        yield _thing("no_seal", "seal")
    elif seal["witness_age_ms"] is None or seal["witness_age_ms"] > DAY_MS:
        yield _thing("no_witness", "seal")
    if review["open"]:
        yield _thing("open", "review", count=review["open"])
    if often and often["per_mille"] >= OFTEN_PER_MILLE:
        yield _thing("overturned", "review", count=often["released"], reason=often["code"])
    if withheld and withheld["primary"]:
        yield _thing("reason", "reasons", count=withheld["primary"], reason=withheld["code"])
    if asked["silence"] * 2 > asked["asked"]:
        yield _thing("silence", "confirmations", count=asked["silence"])


def _thing(code: str, shows: str, *, count: int = 0, reason: str | None = None) -> dict[str, Any]:
    return {"code": code, "count": count, "reason": reason, "shows": shows}


def _late(report: Mapping[str, Any]) -> int:
    return sum(recall["late"] for recall in report["recalls"])


def _share(part: int, of: int) -> int | None:
    """A part of a whole in per mille; None of nothing."""
    return part * 1000 // of if of else None
