"""Progress of a campaign, counted from the gate's records: refused, decided, cleared, handed off, recalled pieces."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import msgspec
import orjson

from gatekeeper.audit.records import masking
from gatekeeper.audit.records.record import FOREIGN
from schemas.plain_send import read_plain


@dataclass(frozen=True, slots=True)
class Counts:
    """Counts of a campaign's sends: `withheld` by primary reason, `late` for those recalled after their hand-off.

    `waiting`: cleared, but neither handed off nor recalled. `refused`: the dead letters by fault; they are not decided.
    `stray`: dead letters of `sends` that name no campaign, so some may be of this one. `pieces`: the number of
    different pieces decided, since one piece may be sent several times; None = not counted.
    """

    id: str
    published: int
    decided: int
    cleared: int
    withheld: Mapping[str, int]
    recalled: int
    handed: int
    late: int
    waiting: int
    refused: Mapping[str, int] = field(default_factory=dict)
    stray: int = 0
    pieces: int | None = field(default=None, compare=False)

    def told(self, expected: int | None = None) -> dict[str, Any]:
        """The counts for programs. `expected`: the planned number of pieces; None = all sends published.

        A campaign is done when all pieces are decided, and each cleared one is handed off or recalled. A refused send
        is not decided, so only a plan whose pieces are all decided outlasts it.
        """
        refused = sum(self.refused.values())
        wanted = max(self.published, self.decided + refused) if expected is None else expected
        decided = self.decided if expected is None or self.pieces is None else self.pieces
        return {
            "campaign": self.id,
            "expected": wanted,
            "decided": self.decided,
            **({} if expected is None else {"pieces": decided}),
            "refused": refused,
            "faults": _by_number(self.refused),
            "refused_of_no_campaign": self.stray,
            "cleared": self.cleared,
            "withheld": sum(self.withheld.values()),
            "reasons": _by_number(self.withheld),
            "recalled": self.recalled,
            "handed_off": self.handed,
            "recalled_after_hand_off": self.late,
            "waiting_for_hand_off": self.waiting,
            "done": 0 < wanted <= decided and not self.waiting,
        }


def _by_number(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))


class _Reason(msgspec.Struct, gc=False):
    code: str


class _CountedAct(msgspec.Struct, gc=False):
    outcome: str
    item: str | None = None
    act_id: str | None = None


class _CountedFields(msgspec.Struct, gc=False):
    """The fields of an audit record that are counted; the rest is not read."""

    did: str
    stage: str
    campaign: str | None
    channel: str | None
    reasons: tuple[_Reason, ...]
    verdict: str | None = None
    mode: str = "live"
    subj: str | None = None
    act: _CountedAct | None = None


class RefusedSend(msgspec.Struct, gc=False):
    """The fields of a result that tell of a dead letter; `fault`: None for any other result."""

    fault: str | None = None
    campaign_id: str | None = None
    mode: str = "live"


_read = msgspec.json.Decoder(_CountedFields).decode
read_refused = msgspec.json.Decoder(RefusedSend).decode
"""The fields of `RefusedSend` in a record of `results`; raises msgspec.DecodeError for a value that is none."""


def campaign_of(value: bytes | None) -> str | None:
    """The campaign of a record of `sends`, also of a broken one that states an id; else None."""
    plain = read_plain(None, value)
    return plain.campaign_id if plain is not None else masking.id_in(value, "campaign_id")


def refusing(codes: Sequence[str]) -> bool:
    """True for the reasons of a send that became a dead letter, which `results` counts."""
    return [*codes] == ["EVENT_INVALID"]


@dataclass(slots=True)
class Campaign:
    """The pieces of one campaign, by the ids of their decisions; records come in the order of their partition.

    `published`: the number of its sends still on the topic. `pieces`: person and channel of each decided piece; if the
    record has no person, the decision's id counts instead. `withheld`: primary reason by decision. `handed`: the
    clearances handed off, with the last act of each.
    """

    id: str
    published: int = 0
    decided: int = 0
    pieces: set[tuple[str, str]] = field(default_factory=set)
    cleared: set[str] = field(default_factory=set)
    withheld: dict[str, str] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)
    stray: int = 0
    recalled: set[str] = field(default_factory=set)
    handed: dict[str, str] = field(default_factory=dict)

    def send(self, value: bytes | None) -> None:
        """Adds a record of `sends`, also an unreadable one whose value states the campaign."""
        self.published += campaign_of(value) == self.id

    def result(self, value: bytes | None) -> None:
        """Adds a record of `results`, of which only dead letters count here."""
        with suppress(msgspec.DecodeError):
            refused = read_refused(value or b"")
            if refused.fault is None or refused.mode != "live":
                return
            if refused.campaign_id is None:
                self.stray += 1
            elif refused.campaign_id == self.id:
                self.refused[refused.fault] += 1

    def audit(self, value: bytes | None) -> None:
        """Adds a record of `audit`."""
        with suppress(*FOREIGN):
            self._audit(_read(value or b""))

    def _audit(self, record: _CountedFields) -> None:
        if record.campaign != self.id or record.mode != "live":
            return
        did, act = record.did, record.act
        if record.stage == "intake":
            if refusing([reason.code for reason in record.reasons]):
                return
            self.decided += 1
            self.pieces.add((record.subj or did, record.channel or ""))
        elif act is None:
            return
        elif act.outcome == "handed":
            self.handed[act.item or ""] = act.act_id or ""
            return
        elif act.outcome in ("cleared", "withheld"):
            self.withheld.pop(act.item or "", None)
        else:
            return
        if record.verdict == "clear":
            self.cleared.add(did)
        else:
            self.withheld[did] = record.reasons[0].code if record.reasons else ""

    def recall(self, value: bytes | None) -> None:
        """Adds a record of `recalls`."""
        with suppress(*FOREIGN):
            recall = orjson.loads(value or b"")
            if recall["campaign_id"] == self.id:
                self.recalled.add(recall["decision_id"])

    def counts(self) -> Counts:
        """The counts so far."""
        return Counts(
            self.id,
            published=self.published,
            decided=self.decided,
            cleared=len(self.cleared),
            withheld=Counter(self.withheld.values()),
            refused=self.refused,
            stray=self.stray,
            recalled=len(self.recalled),
            handed=len(self.handed),
            late=len(self.recalled & self.handed.keys()),
            waiting=len(self.cleared - self.recalled - self.handed.keys()),
            pieces=len(self.pieces),
        )
