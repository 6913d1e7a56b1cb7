"""The metrics of the review queue, counted in the read model, and the age of that model."""

from __future__ import annotations

from collections import Counter

from gatekeeper.console.state import Console
from gatekeeper.ground.metrics import MODEL_AGE, REVIEW_CAUSES, REVIEW_ITEMS, Labels, Metric, Values
from gatekeeper.index.items import WAITS
from gatekeeper.policy.reasons import CATALOGUE
from schemas.topics import DAY_MS

DUE = {"overdue": 0, "1d": 1, "3d": 3, "7d": 7}
"""Names of spans until the mail date, each with the days at which it ends. Items behind them are due `later`."""
_SPAN = " ".join(f"WHEN due < :now + {days * DAY_MS} THEN '{name}'" for name, days in DUE.items())
_COUNT = f"SELECT %s, count(*) FROM item WHERE {WAITS} AND NOT informational GROUP BY 1"
_BY_DUE = _COUNT % f"CASE WHEN due IS NULL THEN 'unknown' {_SPAN} ELSE 'later' END"
_BY_CAUSE = _COUNT % '"primary"'


def values(held: Console) -> Values:
    """The values now; any thread may ask. Without an age while the model is not yet current for the first time."""
    now, current_at = held.now(), held.feed.current_at
    with held.model.read() as db:
        due = dict.fromkeys((*DUE, "later", "unknown"), 0) | dict(db.execute(_BY_DUE, {"now": now}))
        causes = Counter[str]()
        for code, n in db.execute(_BY_CAUSE):
            causes[code if code in CATALOGUE else "other"] += n
    gauges: dict[Metric, dict[Labels, float]] = {
        REVIEW_ITEMS: {(name,): float(n) for name, n in due.items()},
        REVIEW_CAUSES: {(code,): float(n) for code, n in causes.items()},
    }
    if current_at:
        gauges[MODEL_AGE] = {(): max(0, now - current_at) / 1000}
    return gauges
