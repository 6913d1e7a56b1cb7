"""The totals of a campaign's check, as tables and as JSON."""

from __future__ import annotations

from typing import Any

import click

from gatekeeper.cli.output import show_bars, show_funnel, show_heading, show_table
from gatekeeper.ground.texts import text
from gatekeeper.management.preflight import GRADES, Preflight
from gatekeeper.policy.reasons import CATALOGUE, VERDICTS


def summary(preflight: Preflight) -> dict[str, Any]:
    """The totals as JSON values; the only ids of people are of those who came back."""
    verdicts = dict.fromkeys(VERDICTS, 0)
    for (verdict, _), n in preflight.funnel.items():
        verdicts[verdict] += n
    return {
        "sends": preflight.sends,
        "withheld": preflight.withheld,
        "duplicates": preflight.duplicates,
        "verdicts": verdicts,
        "funnel": [
            {"verdict": verdict, "primary": primary or None, "sends": n}
            for (verdict, primary), n in preflight.funnel.most_common()
        ],
        "reasons": [
            {
                "code": code,
                "remedy": CATALOGUE[code].remedy,
                "withheld": weight.withheld,
                "recoverable": weight.recoverable,
                "by": dict(weight.by),
            }
            for code, weight in preflight.ranked()
        ],
        "cures": dict(preflight.cured.most_common()),
        "evidence": {method: {grade: counts[grade] for grade in GRADES} for method, counts in preflight.sources()},
        "returned": [
            {"left": left, "method": method, "batch": batch, "recipients": sorted(people)}
            for (left, method, batch), people in preflight.returners()
        ],
    }


def show(preflight: Preflight) -> None:
    """Prints the totals on stdout as tables, on a terminal with bars."""
    total = preflight.sends
    show_heading("check.funnel")
    show_funnel(preflight.funnel)
    if reasons := preflight.ranked():
        show_heading("check.reasons")
        columns = ("cli.column_reason", "check.column_withheld", "check.column_recoverable", "check.column_remedy")
        rows = [
            (code, weight.withheld, weight.recoverable, _remedies(code), weight.withheld) for code, weight in reasons
        ]
        show_bars(columns, rows, total=total, numbers=(1, 2))
    if preflight.cured:
        show_heading("check.cures")
        cured = [(text(f"word.remedy.{remedy}"), n, n) for remedy, n in preflight.cured.most_common()]
        show_bars(("check.column_remedy", "check.column_recoverable"), cured, total=total, numbers=(1,))
    if preflight.evidence:
        show_heading("check.evidence")
        graded = [(_method(method), *(counts[grade] for grade in GRADES)) for method, counts in preflight.sources()]
        grades = [f"check.column_grade_{'none' if grade == '-' else grade}" for grade in GRADES]
        show_table(["check.column_method", *grades], graded, numbers=range(1, 1 + len(GRADES)))
        click.echo(text("check.grades"))
    if preflight.returned:
        show_heading("check.returned")
        back = [
            (left, _method(method), batch or "", len(people)) for (left, method, batch), people in preflight.returners()
        ]
        show_table([f"check.column_{column}" for column in ("left", "came_by", "batch", "people")], back, numbers=(3,))
    click.echo()
    clear, withheld = f"{total - preflight.withheld:,}", f"{preflight.withheld:,}"
    click.echo(text("check.done", sends=f"{total:,}", clear=clear, withheld=withheld))


def _remedies(code: str) -> str:
    return " / ".join(text(f"word.remedy.{remedy}") for remedy in CATALOGUE[code].remedy)


def _method(method: str) -> str:
    return text(f"word.method.{method}")
