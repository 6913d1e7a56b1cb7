"""The change that each audit record made to a piece, and the state of the piece after all.

A piece may be cleared, handed off and called back, and it may be sent a second time. So neither its first
nor its newest verdict is its state.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

_BY_ACT = {
    "cleared": "cleared",
    "handed": "handed_off",
    "recalled": "recalled",
    "waiting": "proposed",
    "upheld": "upheld",
    "asked": "asked",
    "reopened": "reopened",
    "undone": "undone",
}
"""The state into which an act brings a piece, by the act's outcome; `withheld` is told by the verdict."""


@dataclass(frozen=True, slots=True)
class PieceState:
    """State of a piece, with the record that brought it about: its instant `at` and its decision id `did`.

    `kind`: `cleared`, `handed_off`, `recalled`, `recalled_late` (after its hand-off), or the verdict that withholds it.
    Else `upheld`, `asked`, `proposed`, `reopened`, `undone`, `shadow`, or `none` for records that tell no state.
    """

    kind: str
    at: str
    did: str


@dataclass(slots=True)
class _Fold:
    live: dict[str, PieceState] = field(default_factory=dict)
    rest: PieceState | None = None


def change(record: Mapping[str, Any]) -> str | None:
    """The state into which an audit record brought its piece, None if it changed nothing.

    `recalled_late` is told by the records before it alone, so it is `recalled` here.
    """
    verdict, act = record["verdict"], record.get("act")
    if act is not None:
        return verdict if act["outcome"] == "withheld" else _BY_ACT.get(act["outcome"])
    if record["stage"] == "recall":
        return "recalled"
    return "cleared" if verdict == "clear" and record.get("mode", "live") == "live" else _withheld(verdict)


def piece_state(records: Iterable[Mapping[str, Any]]) -> PieceState:
    """The state of a piece after its records, which come in the order of their partition."""
    fold, first = _Fold(), None
    for record in records:
        first = first or PieceState("none", record["at"], record["did"])
        _take(fold, record)
    state = next(reversed(fold.live.values()), None) or fold.rest or first
    if state is None:
        raise ValueError("a piece without records")
    return state


def _take(fold: _Fold, record: Mapping[str, Any]) -> None:
    kind, item = change(record), str((record.get("act") or {}).get("item"))
    if kind is None:
        return
    state = PieceState(kind, record["at"], record["did"])
    if kind == "cleared":
        fold.live[state.did] = state
    elif kind == "handed_off":
        fold.live[item] = state
    elif kind == "recalled":
        named = record.get("clearance") or item
        name = named if named in fold.live else next(reversed(fold.live), None)  # one lives at most
        late = name is not None and fold.live.pop(name).kind == "handed_off"
        fold.rest = PieceState("recalled_late", state.at, state.did) if late else state
    else:
        fold.rest = state  # a live clearance outlasts it: this was a copy of the piece, or another item of it


def _withheld(verdict: str | None) -> str | None:
    return "shadow" if verdict == "clear" else verdict
