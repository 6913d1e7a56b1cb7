"""Changes between two decisions on the same sends, as tables and as JSON."""

from __future__ import annotations

from typing import Any, get_args

from gatekeeper.cli.output import show_heading, show_table
from gatekeeper.policy.changes import By, Changes
from gatekeeper.policy.reasons import VERDICTS


def rows(changes: Changes) -> dict[str, Any]:
    """The counts as JSON values, without anybody's id: all verdicts, and the changed ones by each grouping."""
    counts = {
        by: [
            {**({} if by == "verdict" else {by: change.name}), "old": change.old, "new": change.new}
            | {"sends": cell.sends, "people": len(cell.people)}
            for change, cell in changes.rows(by, changed=by != "verdict")
        ]
        for by in get_args(By)
    }
    totals = {"widened": changes.widened, "narrowed": changes.narrowed}
    return counts | {name: {"sends": cell.sends, "people": len(cell.people)} for name, cell in totals.items()}


def show(changes: Changes) -> None:
    """Prints the counts on stdout: old verdicts against new ones, then the changes by reason, source and campaign."""
    columns = [f"cli.column_{name}" for name in ("old", "new", "sends", "people")]
    verdicts = sorted(
        changes.rows("verdict", changed=False),
        key=lambda row: (VERDICTS.index(row[0].old), VERDICTS.index(row[0].new)),
    )
    show_table(
        columns, [(change.old, change.new, cell.sends, len(cell.people)) for change, cell in verdicts], numbers=(2, 3)
    )
    named: dict[By, str] = {
        "reason": "cli.column_primary",
        "source": "check.column_method",
        "campaign": "cli.column_campaign",
    }
    for by, column in named.items():
        if changed := list(changes.rows(by)):
            show_heading(f"what_if.by_{by}")
            rows_of = [(change.name, change.old, change.new, cell.sends, len(cell.people)) for change, cell in changed]
            show_table([column, *columns], rows_of, numbers=(3, 4))
