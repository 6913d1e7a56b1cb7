"""The table of golden cases as events, with all that it leaves out filled in."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from tests import world

CASES: dict[str, dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "cases.yaml").read_text("utf-8"))

_ROWS = (
    ("sources", world.source, "source_id", "S"),
    ("consents", world.consent, "record_id", "R"),
    ("suppressions", world.suppression, "suppression_id", "X"),
    ("asks", world.ask, "request_id", "Q"),
    ("events", world.event, "record_id", "E"),
    ("acts", world.act, "decision_id", "D"),
)
_REFERENCE = {
    "batch": world.batch,
    "controller": world.controller,
    "joint_use_terms": world.terms,
    "notice": world.notice,
    "template": world.template,
}


def events(case: dict[str, Any]) -> tuple[list[world.Event], list[world.Event]]:
    """Returns the reference records and the facts of a case."""
    reference = [world.controller(suspended_since=case.get("suspended_since")), *world.REFERENCE[1:]]
    reference += [_REFERENCE[fields["kind"]](**fields) for fields in case.get("reference", ())]
    facts = []
    for rows, make, id_, mark in _ROWS:
        facts += [make(**{id_: f"{mark}-{n}", **fields}) for n, fields in enumerate(case.get(rows, ()))]
    return reference, facts


def millis(written: str) -> int:
    """Returns an instant in milliseconds since the epoch."""
    return int(datetime.fromisoformat(written).timestamp() * 1000)
