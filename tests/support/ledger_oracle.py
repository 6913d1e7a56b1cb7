"""The entries that a partition's ledger must hold, derived from its audit records without the ledger's code.

It knows independently which entries an act or a decision leaves, how long each is kept, and which acts exclude each
other. It takes verdicts from the records, so it does not use the oracle of the will: that one reads raw events of one
kind of people, and knows nothing of acts, times and entries. Policies, spans of time and the models are the product's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from gatekeeper.ground.times import span
from gatekeeper.policy.packs import Packs
from gatekeeper.policy.policy import Policy
from gatekeeper.staff.message import WINDOW_MS, milliseconds
from schemas.audit import Acted, AuditRecord
from schemas.topics import DAY_MS
from streams.worker.offsets import REACH

ACTED_ON_DAYS = 60
CLOSED = ("released", "redecided", "upheld")
STATES = {
    "waiting": "proposed",
    "upheld": "upheld",
    "asked": "asked",
    "reopened": "open",
    "undone": "undone",
    "recalled": "undone",
}
"""The state in which an act leaves its item, by its outcome."""
SHOWN = {
    "clear": ("did", "at", "until", "basis", "released", "src", "handed"),
    "ask": ("until",),
    "release": ("until",),
    "act": ("state", "act_id", "by", "did", "offset", "before", "rejudge", "until"),
    "cancel": ("at", "until"),
}
"""The fields of an entry that are compared, by its kind; a release is also compared by its giver and decision."""


class Piece(NamedTuple):
    """The person and the send of a decision, with its place on its topic."""

    recipient_id: str
    campaign_id: str
    channel: str
    offset: int
    event: str = ""
    """The event's id where every event of the send key goes out: mail that is owed to the person."""

    @classmethod
    def of(cls, sent: dict[str, Any], offset: int) -> Piece:
        """Returns the piece of a send that stands there."""
        owed = sent["message_class"] in ("safety_legal", "rights_reply")
        names = (sent[name] for name in ("recipient_id", "campaign_id", "channel"))
        return cls(*names, offset, sent["event_id"] if owed else "")

    @property
    def key(self) -> str:
        """The send key, as ledger keys write it."""
        return f"{self.recipient_id}/{self.campaign_id}/{self.channel}"

    @property
    def cleared(self) -> str:
        """The key of its clearance."""
        return f"clear/{self.key}/{self.event}" if self.event else f"clear/{self.key}"


@dataclass
class Implied:
    """One partition: `take` its audit records in their order, then `check` its ledger.

    Raises AssertionError for what no order of events may bring about: a piece cleared while it is cleared, a recall
    of what is not, an item closed twice or released twice. `pieces`: by decision id, of all that is told.
    `erased`: by the id of an erasure's record, whose it is, where the record names nobody.
    """

    packs: Packs
    pieces: dict[str, Piece]
    erased: dict[str, str] = field(default_factory=dict)
    _entries: dict[str, dict[str, Any]] = field(default_factory=dict)
    _decided: dict[str, int] = field(default_factory=dict)
    _released: set[str] = field(default_factory=set)
    _seen: dict[str, int] = field(default_factory=dict)
    _named: dict[str, str] = field(default_factory=dict)
    """The people behind the pseudonyms of these records."""

    def take(self, records: Iterable[AuditRecord]) -> Implied:
        """Draws what follows from these records."""
        for a in records:
            at = _ms(a.at)
            self._decided[a.did] = at
            for signed in a.act.signed or () if a.act else ():
                self._seen[f"seen/{a.act and a.act.act_id}/"] = milliseconds(signed.at) + WINDOW_MS
            if a.act and a.act.outcome == "recorded" and a.act.kind == "erase":
                self._erased(a)
            if a.act and a.act.kind == "cancel" and a.act.outcome == "done":
                key = f"cancel/{a.campaign}/{a.channel or '*'}"
                self._entries[key] = {"at": at, "until": at + ACTED_ON_DAYS * DAY_MS}
            piece = self.pieces.get((a.act and a.act.item) or (a.clearance if a.stage == "recall" else None) or a.did)
            if piece is None:
                assert a.verdict != "clear", f"cleared, and not told: {a.did}"
                continue
            if a.subj:
                self._named[a.subj] = piece.recipient_id
            superseded = any(reason.code == "RELEASE_SUPERSEDED" for reason in a.reasons)
            if superseded:
                for key in [key for key in self._entries if key.startswith(f"release/{piece.key}/")]:
                    del self._entries[key]
            if a.stage == "recall" or (a.act and a.act.outcome == "recalled"):
                self._recalled(a, piece, at)
            elif a.act and a.act.outcome == "handed":
                entry = self._live(piece, at)
                assert entry["did"] == a.act.item, "handed off, and not what is cleared"
                entry["handed"] = a.act.act_id
            elif a.verdict == "clear" and (a.act is None or a.act.outcome == "cleared"):
                self._cleared(a, piece, at)
            elif a.mode == "live" and (a.stage == "intake" or (a.act and a.act.outcome == "withheld")):
                self._held(a, at)
            if a.act and a.stage in ("act", "release"):
                self._acted(a, a.act, piece, at, superseded=superseded)
        return self

    def check(self, ledger: dict[str, dict[str, Any]], at: int) -> None:
        """Asserts that this is the ledger after a last transaction at that instant.

        What no longer matters is gone when its day is over, and may be before. Whoever is named has a salt.
        `ledger`: the entries on `ledger` and on `salts`.
        """
        left = {key: value for key, value in self._entries.items() if key in ledger or not _passed(value, at)}
        left = {key: value for key, value in left.items() if not _passed(value, at, day=True)}
        unseen = ("salt/", "erased/", "seen/")
        held = {key: _shown(key, value) for key, value in ledger.items() if not key.startswith(unseen)}
        for key, value in left.items():
            offsets = value.get("offset"), held.get(key, {}).get("offset")
            if value.get("act_id") == "" and None not in offsets and 0 <= offsets[0] - offsets[1] <= REACH:
                held[key]["offset"] = offsets[0]  # it is looked for from there on
        assert held == left
        seen = {key: value["until"] for key, value in ledger.items() if key.startswith("seen/")}
        assert seen.items() <= self._seen.items(), "an act is held for seen that nobody signed"
        salted, erased = (
            {key.split("/")[1] for key in ledger if key.startswith(kind)} for kind in ("salt/", "erased/")
        )
        assert not salted & erased, "an erased person has a salt"
        assert salted >= {*self._named.values()}, "a person who is named by a pseudonym has no salt"

    def _erased(self, a: AuditRecord) -> None:
        """Of whoever was erased nothing is kept but what is cleared, until it is called back."""
        owner = self._named.get(a.subj or "") or self.erased.get(a.did)
        for key in [
            key for key in self._entries if key.split("/")[1] == owner and key.startswith(("ask/", "release/", "act/"))
        ]:
            del self._entries[key]
        self._named = {name: whose for name, whose in self._named.items() if whose != owner}

    def _live(self, piece: Piece, at: int) -> dict[str, Any]:
        entry = self._entries.get(piece.cleared)
        assert entry is not None, f"recalled twice, or never cleared: {piece.key}"
        assert at < entry["until"], f"no longer of interest: {piece.key}"
        return entry

    def _recalled(self, a: AuditRecord, piece: Piece, at: int) -> None:
        entry = self._live(piece, at)
        dids = {a.clearance or (a.act and a.act.item)}
        if a.act and a.act.kind == "undo":  # of the item's own piece, or of one that its release may have borne
            dids = {self._entries[f"act/{piece.recipient_id}/{a.act.item}"]["did"]}
            dids |= {entry["did"]} if entry["released"] else set()
        assert entry["did"] in dids, "another clearance was recalled"
        del self._entries[piece.cleared]

    def _cleared(self, a: AuditRecord, piece: Piece, at: int) -> None:
        before = self._entries.get(piece.cleared)
        assert before is None or before["until"] <= at, f"cleared twice: {piece.key}"
        policy = self._policy(a)
        until = at + policy.dedupe_ms
        if a.send and (day := a.send.get("mail_date")):
            until = max(until, span(day, policy.timezone).last // 1000 + 1)
        self._entries[piece.cleared] = {
            "did": a.did,
            "at": at,
            "until": until,
            "basis": a.basis,
            "released": "RELEASED_BY_REVIEWER" in a.notes,
            "src": [a.src.topic, a.src.partition, a.src.offset, a.src.timestamp, *filter(None, [a.src.era])],
            "handed": None,
        }

    def _held(self, a: AuditRecord, at: int) -> None:
        """Of whoever may be asked, or was, what is withheld is remembered, up to the mail date.

        So is what late or unreadable facts withheld, for as long as the policy says.
        """
        piece = self.pieces.get(a.did)
        if piece is None or [reason.code for reason in a.reasons] == ["DUPLICATE_SEND"]:
            return
        asked = any(key.startswith(f"ask/{piece.recipient_id}/") for key in self._entries)
        unknown = any(reason.code in ("FACTS_STALE", "FACTS_UNAVAILABLE") for reason in a.reasons)
        until = at + ACTED_ON_DAYS * DAY_MS
        if a.send and (day := a.send.get("mail_date")):
            until = min(until, span(day, self._policy(a).timezone).last // 1000 + 1)
        silent = any(fact.startswith("feed/") for reason in a.reasons for fact in reason.facts)
        hours = self._policy(a).rejudge_hours
        rejudge = until if silent else min(until, at + hours * 3_600_000) if unknown else at
        if a.verdict != "confirm" and not asked:
            until = rejudge
        if until <= at:
            return
        fields = {"state": "open", "act_id": "", "by": "", "did": None, "offset": piece.offset, "before": []}
        fields["rejudge"] = rejudge if rejudge > at else None
        self._entries[f"act/{piece.recipient_id}/{a.did}"] = {**fields, "until": until}

    def _acted(self, a: AuditRecord, act: Acted, piece: Piece, at: int, *, superseded: bool) -> None:
        assert act.item is not None
        key, release = f"act/{piece.recipient_id}/{act.item}", f"release/{piece.key}/{act.item}"
        before = self._entries.get(key)
        if act.outcome == "failed" and act.by in (None, "gatekeeper") and before:
            before["offset"] = before["rejudge"] = None  # the gate judges it no more by itself
        decided = act.outcome in ("cleared", "withheld")
        state = STATES.get(act.outcome)
        if decided:
            state = "redecided" if act.kind == "redecide" else "released"
        if state is None:
            return
        if state in CLOSED:
            assert before is None or before["state"] not in CLOSED, f"a second terminal act: {act.item}"
        if state == "released":
            assert act.item not in self._released, f"released twice: {act.item}"
            self._released.add(act.item)
            if not superseded:
                by = sorted((act.by, before["by"])) if act.kind == "approve" and before else act.by
                self._entries[release] = {"of": act.item, "by": by, "until": at + ACTED_ON_DAYS * DAY_MS}
        if state == "undone":
            self._entries.pop(release, None)
        if state == "asked" and act.code is None:
            self._entries[f"ask/{piece.recipient_id}/{a.did}"] = {"until": None}
        self._entries[key] = {
            "state": state,
            "act_id": act.act_id,
            "by": act.by,
            "did": a.did if decided or state == "asked" else None,
            "offset": piece.offset if state in ("open", "proposed", "asked") else None,
            "rejudge": None,
            "before": [*before["before"], *filter(None, (before["act_id"],))] if before else [],
            "until": self._decided[act.item] + ACTED_ON_DAYS * DAY_MS,
        }

    def _policy(self, a: AuditRecord) -> Policy:
        known = self.packs.every
        return next((one for one in known if (one.id, one.version) == (a.policy.id, a.policy.version)), known[0])


def _shown(key: str, value: dict[str, Any]) -> dict[str, Any]:
    """Returns what of a ledger entry the audit records imply."""
    kind = key.partition("/")[0]
    found = {name: value.get(name) for name in SHOWN[kind]}
    if kind == "release":
        found |= {"of": value["said"]["decision_id"], "by": value["said"]["by"]}
    return found


def _passed(entry: dict[str, Any], at: int, *, day: bool = False) -> bool:
    """Tells whether an entry no longer matters; `day`: whether its whole day is over."""
    until = entry["until"]
    return until is not None and (until // DAY_MS * DAY_MS + DAY_MS if day else until) <= at


def _ms(instant: str) -> int:
    return span(instant, "UTC").first // 1000
