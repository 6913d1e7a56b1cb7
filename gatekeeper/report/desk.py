"""Review statistics of withheld sends: time to a decision, remedies, and the reasons that reviewers overturned."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gatekeeper.audit.checks.accounts import put_out
from gatekeeper.engine.item import after
from gatekeeper.engine.outputs import INFORMATIONAL
from gatekeeper.engine.reconsideration import ITSELF
from gatekeeper.engine.rejudging import STALE, UNAVAILABLE
from gatekeeper.ground.times import span
from gatekeeper.report.bulks import Bulks
from gatekeeper.report.period import percentile
from gatekeeper.review.review_item import ActOnItem, answered
from gatekeeper.staff.act_kinds import State

_BY_PEOPLE = {"release": "R", "approve": "R", "redecide": "F"}
"""Remedy that a person applied, by the act that cleared the item."""
_DECIDED: frozenset[State] = frozenset(("released", "redecided", "upheld", "asked"))


@dataclass(slots=True)
class _Item:
    """A withheld send: when it was withheld (milliseconds), its reasons, its state and its remedy."""

    since: int
    codes: tuple[str, ...]
    state: State = "open"
    decided: int | None = None
    cured: str | None = None


class Desk:
    """The items withheld in a period, in the state that the period's acts leave them.

    Takes the records of each partition in order.
    """

    def __init__(self) -> None:
        self._items: dict[str, _Item] = {}
        self._codes: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._acts: Counter[tuple[str, str]] = Counter()
        self._people: dict[str, set[str]] = defaultdict(set)
        self._bulks = Bulks()

    def take(self, record: Mapping[str, Any]) -> None:
        """Adds an audit record."""
        at = span(record["at"], "UTC").first // 1000
        if act := record.get("act"):
            self._act(act)
            if doing := answered(record):
                self._bulks.take(doing, act.get("bulk"), at)
                if item := self._items.get(doing.item):
                    _done(item, doing, at)
        if (out := put_out(record)) and out[0] == "review":
            codes = tuple(reason["code"] for reason in record["reasons"])
            self._items[out[1]] = _Item(at, self._codes.setdefault(codes, codes))

    def cured(self) -> dict[str, Counter[str]]:
        """The number of items that were cleared later, by reason and remedy.

        R: released by a person. C: cleared by the person's answer. F: decided again.
        W: cleared by the gate itself, once late or unreadable facts were known.
        """
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        for item in self._items.values():
            if item.cured:
                for code in item.codes:
                    counts[code][item.cured] += 1
        return counts

    def told(self) -> dict[str, Any]:
        """The report's sections `review` and `acts`."""
        items = [item for item in self._items.values() if item.codes != INFORMATIONAL]
        busiest = self._bulks.busiest()
        times = sorted(item.decided - item.since for item in items if item.decided is not None)
        return {
            "review": {
                "items": len(items),
                "decided": len(times),
                "open": sum(item.state in ("open", "proposed") for item in items),
                "time_ms": {"p50": percentile(times, 50), "p90": percentile(times, 90)},
                "overturned": list(_overturned(items)),
            },
            "acts": {
                "kinds": [
                    {"kind": kind, "outcome": outcome, "acts": n} for (kind, outcome), n in sorted(self._acts.items())
                ],
                "people": [
                    {"id": id_, "acts": len(acts), "busiest_hour": busiest.get(id_, 0)}
                    for id_, acts in sorted(self._people.items())
                ],
                "bulks": self._bulks.told(),
            },
        }

    def _act(self, act: Mapping[str, Any]) -> None:
        if act["kind"] is None:
            return  # an act that could not be read
        self._acts[act["kind"], act["outcome"]] += 1
        if act["outcome"] == "refused":
            return  # anybody may have named this person
        for person in (act["by"],) if isinstance(act["by"], str) else act["by"] or ():
            if person != ITSELF:
                self._people[person].add(act["act_id"] or "")


def _done(item: _Item, doing: ActOnItem, at: int) -> None:
    own = ITSELF in doing.by
    if (state := after(doing.kind, doing.outcome)) is None:
        return
    item.state = state
    item.cured = None if doing.outcome != "cleared" else _by_itself(item) if own else _BY_PEOPLE.get(doing.kind)
    if item.decided is None and state in _DECIDED and not own:
        item.decided = max(at, item.since)


def _by_itself(item: _Item) -> str:
    """The remedy of an item that the gate itself cleared."""
    return "C" if {STALE, UNAVAILABLE}.isdisjoint(item.codes) else "W"


def _overturned(items: list[_Item]) -> list[dict[str, Any]]:
    """The items that people released and upheld, by primary reason, with the released share in per mille."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for item in items:
        if item.state == "upheld" or (item.state == "released" and item.cured == "R"):
            counts[item.codes[0]][item.state] += 1
    return [
        {"code": code, "released": n["released"], "upheld": n["upheld"], "per_mille": 1000 * n["released"] // n.total()}
        for code, n in sorted(counts.items(), key=lambda pair: (-pair[1].total(), pair[0]))
    ]
