"""Explains one piece to people: its audit records in order, each with facts, rule and clause, acts and seal.

A record written by a worker holds no personal data. For a record with a failed proof, only ids, codes and instants are
shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from gatekeeper.audit.explanation.citations import Citations
from gatekeeper.audit.explanation.piece_state import PieceState, change, piece_state
from gatekeeper.audit.explanation.placed_record import UNREADABLE, NewestCheckpoint, PlacedRecord, unreadable_record
from gatekeeper.audit.explanation.reference_signers import ReferenceSigners
from gatekeeper.audit.explanation.wording import FactLine, Wording
from gatekeeper.audit.records import inquiry
from gatekeeper.audit.records.record import FOREIGN
from gatekeeper.audit.verify.act_signatures import NOTHING_DONE, of_person
from gatekeeper.audit.verify.sentences import CHANGED
from gatekeeper.ground.texts import Language, language
from schemas.values import OWED


@dataclass(frozen=True, slots=True)
class Chapter:
    """One record in words; None or an empty list for parts that the record lacks.

    `piece`: the scope. `more`: remarks on the facts as a whole. `at`: in local time, `instant`: as recorded. `changed`:
    the record changed the state of the piece. `recalled`: it called the piece back. `signed`: the signers of the
    policy and the reference data.
    """

    did: str
    code: str
    at: str
    instant: str
    changed: bool
    stage: str
    piece: str | None
    recalled: str | None
    act: FactLine | None
    verdict: str | None
    because: list[FactLine]
    facts: list[FactLine]
    more: list[FactLine]
    must: list[str]
    policy: str
    signed: list[str]
    shadow: str | None

    @property
    def said(self) -> str:
        """The event at its instant: the act with its outcome, else the recall, else the verdict, else ''."""
        return self.act.text if self.act else self.recalled or self.verdict or ""


def _rules(placed: PlacedRecord) -> int:
    rules: int = placed.record["engine"]["rules"]
    return rules


def _signed(record: Mapping[str, Any]) -> Iterable[Mapping[str, Any] | None]:
    """The signatures of an act, None for an act that was done and that nobody signed."""
    act = record["act"]
    if signed := act.get("signed"):
        return tuple(signed)
    unsigned = of_person(record["stage"], record["src"]["topic"]) and act["outcome"] not in NOTHING_DONE
    return (None,) if unsigned else ()


def _decides(placed: PlacedRecord) -> bool:
    """Tells whether a record is that of a decision, and its proof holds."""
    return placed.record["verdict"] is not None and not placed.wrong


class Explanation:
    """Explanation of one piece in a language (None: the reader's). `local` writes an instant in local time.

    `seal`: of the log, None if nothing is sealed. `names`, `citations`, `place`: as `Wording` takes them. `signers`: of
    the reference data, None if not known.
    """

    def __init__(
        self,
        piece: list[PlacedRecord],
        seal: NewestCheckpoint | None,
        *,
        local: Callable[[str], str],
        lang: Language | None = None,
        names: Mapping[str, str] | None = None,
        citations: Citations | None = None,
        signers: ReferenceSigners | None = None,
        place: str = "",
    ):
        self.piece, self._seal, self._local = piece, seal, local
        self._signers = signers
        self._tell = Wording(lang or language(), names, citations, place)

    def page(self) -> str:
        """The page as text."""
        lines: list[str] = []
        for placed, chapter in zip(self.piece, self.chapters(), strict=True):
            lines += [self._tell.say("heading", code=chapter.code, did=chapter.did), f"{chapter.at}  {chapter.stage}"]
            act = self._tell.whole(chapter.act) if chapter.act else None
            lines += [f"  {sentence}" for sentence in (chapter.piece, act, chapter.verdict) if sentence]
            because, facts = self._whole(chapter.because), self._whole(chapter.facts, chapter.more)
            for heading, block in (("because", because), ("facts", facts), ("must", chapter.must)):
                lines += ["  " + self._tell.say(heading), *(f"    {line}" for line in block)] if block else []
            last = (chapter.policy, *chapter.signed, chapter.shadow, *self.standing(placed))
            lines += [f"  {sentence}" for sentence in last if sentence]
            lines.append("")
        return "\n".join([*lines, self._tell.say("by_records", state=self.now()), self._tell.say("unproven")])

    @property
    def state(self) -> PieceState:
        """The state of the piece after these records."""
        return piece_state(placed.record for placed in self.piece)

    def now(self) -> str:
        """The same in words, with the instant since which it holds."""
        state = self.state
        return self._tell.say(f"now_{state.kind}", at=self._local(state.at))

    def chapters(self) -> list[Chapter]:
        """Each record in words.

        Raises IntegrityError (4) for a record that no worker can have written, IncompleteError (5) for one of a later
        release.
        """
        return [self._chapter(placed) for placed in self.piece]

    def row(self) -> tuple[str, ...]:
        """Cells that identify the piece: ids and scope of its first record. Raises as `chapters` does."""
        first, chapter = self.piece[0], self._chapter(self.piece[0])
        cells = (first.record[name] or "-" for name in ("campaign", "channel", "verdict"))
        return (first.did, chapter.code, *cells, chapter.at, self.now())

    def plain(self) -> list[dict[str, Any]]:
        """The explanation for programs: the fields, sentences and place of each record."""
        return [
            {
                "decision_id": placed.did,
                "inquiry_code": inquiry.make(placed.did),
                "send_id": (placed.record["send"] or {}).get("event_id"),
                **{name: placed.record[name] for name in _SHOWN},
                "mode": placed.record.get("mode", "live"),
                "act": placed.record.get("act"),
                "reasons": [self._tell.reason(reason, placed.record) for reason in placed.record["reasons"]],
                "facts": self._whole(chapter.facts, chapter.more),
                "reference": self._signers.plain(placed.record) if self._signers and _decides(placed) else [],
                "place": {"partition": placed.partition, "manifest": placed.manifest, "position": placed.position},
                "wrong": [finding.code for finding in placed.wrong],
                "seal": self._sealed(placed),
            }
            for placed, chapter in zip(self.piece, self.chapters(), strict=True)
        ]

    def _chapter(self, placed: PlacedRecord) -> Chapter:
        try:
            return self._words(placed)
        except (*FOREIGN, OverflowError):
            raise unreadable_record(
                _rules(placed), placed.partition, "-" if placed.manifest is None else placed.manifest
            ) from None

    def _words(self, placed: PlacedRecord) -> Chapter:
        record, tell = placed.record, self._tell
        names = {name: record[name] or "-" for name in ("campaign", "purpose", "controller")}
        names["purpose"] = tell.purpose(names["controller"], names["purpose"])
        names |= {kind: tell.name(kind, names[kind]) for kind in ("campaign", "controller")}
        channel = tell.word("channel", record["channel"] or "-")
        facts = record["facts"]
        more = tell.point(facts) if facts else []
        if record["verdict"] and facts is None:
            more.append(FactLine("more", None, tell.say("no_facts")))
        if record["verdict"] == "clear" and (owed := self._owed(record)):
            more.append(FactLine("more", None, owed))
        if facts is not None and record.get("asof"):
            more.append(FactLine("more", None, tell.say("as_of", at=self._local(record["asof"]))))
        return Chapter(
            did=placed.did,
            code=inquiry.make(placed.did),
            at=self._local(record["at"]),
            instant=record["at"],
            changed=change(record) is not None,
            recalled=tell.say("outcome_recalled") if change(record) == "recalled" else None,
            stage=tell.say("stage_" + record["stage"]),
            piece=tell.say("piece", **names, channel=channel) if record["campaign"] else None,
            act=tell.act(record["act"], () if placed.wrong else _signed(record)) if record.get("act") else None,
            verdict=tell.say(f"verdict_{record['verdict']}") if record["verdict"] else None,
            because=[tell.because(reason, record) for reason in record["reasons"]],
            facts=tell.facts(facts, record["basis"]) if facts else [],
            more=more,
            must=[tell.known("must", code) for code in record["obligations"]],
            policy=tell.say("policy", **record["policy"], rules=record["engine"]["rules"]),
            signed=self._signers.told(record, tell.lang) if self._signers and _decides(placed) else [],
            shadow=tell.say("shadow") if record.get("mode", "live") == "shadow" else None,
        )

    def _owed(self, record: Mapping[str, Any]) -> str | None:
        """The reason for which a cleared piece was owed to the person despite any refusal; None for other mail."""
        send = record["send"] or {}
        if record["message_class"] not in OWED or "ground" not in send:
            return None
        ground, _, id_ = send["ground"].partition(".")
        if record["message_class"] == "rights_reply":
            return self._tell.say("owed_request", request=id_)
        return self._tell.say("owed", ground=self._tell.word("ground", ground))

    def _whole(self, *lines: list[FactLine]) -> list[str]:
        return [self._tell.whole(line) for block in lines for line in block]

    def standing(self, placed: PlacedRecord) -> list[str]:
        """Sentences on a record's place and seal."""
        lines = [self._tell.say("record", partition=placed.partition, offset=placed.manifest, position=placed.position)]
        if placed.wrong:
            changed = any(finding.exit == CHANGED for finding in placed.wrong)
            return [*lines, self._tell.say("differs" if changed else "unchecked")]
        if (sealed := self._sealed(placed)) is None:
            return [*lines, self._tell.say("seal_unknown" if self._seal == UNREADABLE else "unsealed")]
        lines.append(self._tell.say("sealed", leaf=sealed["leaf"], size=sealed["size"]))
        if at := sealed["witnessed"]:
            return [*lines, self._tell.say("witnessed", at=self._local(at))]
        return [*lines, self._tell.say("unwitnessed")]

    def _sealed(self, placed: PlacedRecord) -> dict[str, Any] | None:
        if placed.wrong or placed.leaf is None or self._seal is None or placed.leaf >= self._seal.size:
            return None
        return {"leaf": placed.leaf, "size": self._seal.size, "witnessed": self._seal.witnessed}


_SHOWN = (
    "at",
    "stage",
    "verdict",
    "campaign",
    "controller",
    "channel",
    "purpose",
    "obligations",
    "notes",
    "basis",
    "policy",
    "src",
)
