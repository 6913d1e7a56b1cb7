"""Counts of cleared pieces by class, ground and template, and of the people among them who had said no."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any, NamedTuple

from gatekeeper.deciding.rules.objections import CODES
from schemas.events import NO_STATES

SURE = 900
"""Score (per mille) below which a stop may be another person's and is not counted."""
_TAKEN_BACK = ("corrected", "rejected")


class PieceKind(NamedTuple):
    """Kind of a cleared piece; `ground` is "" for a class that needs none."""

    message_class: str
    ground: str
    template: str


class ClearedPieces:
    """Counts of cleared pieces, by the first decision on a send or by an act that cleared it later."""

    def __init__(self) -> None:
        self._pieces: Counter[PieceKind] = Counter()
        self._unwilling: dict[PieceKind, set[str]] = defaultdict(set)

    def take(self, record: Mapping[str, Any]) -> None:
        """Adds an audit record; one that cleared nothing changes no count."""
        send, act = record["send"], record.get("act")
        cleared = record["stage"] == "intake" or (act and act["outcome"] == "cleared")
        if record["verdict"] != "clear" or not cleared or send is None:
            return
        kind = PieceKind(send["message_class"], send.get("ground") or "", send["template_id"])
        self._pieces[kind] += 1
        if said_no(record["facts"] or {}):
            self._unwilling[kind].add(record["subj"] or record["did"])  # nobody can tell two erased people apart

    def told(self) -> list[dict[str, Any]]:
        """The report's section `cleared`, the largest count first."""
        ranked = sorted(self._pieces.items(), key=lambda pair: (-pair[1], pair[0]))
        return [
            {
                "class": kind.message_class,
                "ground": kind.ground or None,
                "template": kind.template,
                "pieces": pieces,
                "said_no": len(self._unwilling[kind]),
            }
            for kind, pieces in ranked
        ]


def said_no(facts: Mapping[str, Any]) -> bool:
    """True if a record's facts hold a withdrawal, refusal or stop of the person, in any scope, lifted or not."""
    if facts.get("erased") is not None or any(event["state"] in NO_STATES for event in facts.get("consents", ())):
        return True
    return any(
        stop["score"] >= SURE and stop["event"]["kind"] in CODES and stop["event"].get("state") not in _TAKEN_BACK
        for stop in facts.get("suppressions", ())
    )
