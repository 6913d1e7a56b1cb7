"""The answer to "why did I get this letter?", in the words of a letter to the person.

The words come from the audit record and from the sender's own record of `reference`. Ids, hashes and duties of the
sender are left out. Nobody's name or address is known here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from gatekeeper.audit.checks.by_hash import ByHash
from gatekeeper.audit.checks.recorded_case import consent_used
from gatekeeper.audit.checks.trail import Named
from gatekeeper.audit.explanation.piece_state import piece_state
from gatekeeper.deciding.decide import ERASED
from gatekeeper.deciding.refusals import SUPERSEDED
from gatekeeper.ground.texts import Language, catalogue, text
from gatekeeper.ground.times import clock

ITEMS = ("department", "manager", "contact", "window")
"""Items of the letterhead, from `notice_items` of the sender."""

_SINCE = {
    "recalled": "called_back",
    "recalled_late": "called_back",
    "block": "withheld_since",
    "upheld": "withheld_since",
}
"""The sentence for a state that a later record brought about."""

_STOPS = ("SUBJECT_OBJECTED", "CONSENT_WITHDRAWN")
"""Reasons by which a person has said to stop."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A letter. `sender`: the name of the controller. `items`: its ITEMS, without those that `lacking` names.

    `code`: the inquiry code. `greeting`, `paragraph`: the text. `sources`, `consents`: one sentence for each.
    `stopped`: the thanks for a stop that holds, with its day; '' for none.
    """

    lang: Language
    day: str
    code: str
    sender: str | None
    items: Mapping[str, str]
    lacking: tuple[str, ...]
    paragraph: str
    sources: tuple[str, ...]
    consents: tuple[str, ...]
    stopped: str


def grounds(piece: Sequence[Mapping[str, Any]]) -> int:
    """The place of the audit record that cleared a piece, else of its first record with facts, else 0."""
    facts = [place for place, record in enumerate(piece) if record["facts"]]
    return next(iter([place for place in facts if piece[place]["verdict"] == "clear"] or facts), 0)


def erased(piece: Sequence[Mapping[str, Any]]) -> bool:
    """True if an audit record of a piece tells that its person was erased."""
    return any(
        "SUBJECT_ERASED" in [reason["code"] for reason in record["reasons"]]
        or ERASED in record["notes"]
        or (record["facts"] or {}).get("erased") is not None
        for record in piece
    )


def answer(
    record: Mapping[str, Any],
    code: str,
    sender: Mapping[str, Any],
    names: Mapping[str, str],
    named: Named,
    *,
    later: Sequence[Mapping[str, Any]],
    lang: Language,
    zone: str,
    today: date,
) -> Answer:
    """The letter about a piece.

    `record`: the audit record that cleared or withheld it. `code`: its inquiry code. `sender`: the record of its
    controller, empty if there is none. `names`: of records of `reference` by kind/id, and of purposes. `named`: what
    the record names by hash; without it no consent is told. `later`: the piece's records after that one.
    """
    advertised = (record["verdict"], record["message_class"]) == ("clear", "marketing")
    consent = consent_used(record, ByHash(named)) if advertised else None
    tell = _Words(record, names, lang, zone, consent)
    items = {name: item for name in ITEMS if (item := (sender.get("notice_items") or {}).get(name))}
    lacking = (*(() if sender.get("name") else ("name",)), *(name for name in ITEMS if name not in items))
    return Answer(
        lang=lang,
        day=tell.day(today.isoformat()),
        code=code,
        sender=sender.get("name"),
        items=items,
        lacking=lacking,
        paragraph=tell.paragraph() + tell.since(later),
        sources=tell.sources(),
        consents=tell.consents(),
        stopped=tell.stopped(later),
    )


class _Words:
    def __init__(
        self, record: Mapping[str, Any], names: Mapping[str, str], lang: Language, zone: str, consent: str | None
    ) -> None:
        self._record, self._names, self._lang, self._zone, self._used = record, names, lang, zone, consent
        self._facts = record["facts"] or {"sources": (), "consents": ()}

    def day(self, written: str | None) -> str:
        """A day in words, from a day, a month or an instant; '' for none."""
        parts = clock(written, self._zone)[:10].split("-") if written else []
        names = dict(zip(("year", "month", "day"), map(int, parts), strict=False))
        return self._say(f"date_{len(parts)}", **names) if parts else ""

    def paragraph(self) -> str:
        """The paragraph: the piece, its purpose, and what was checked on the day of its decision."""
        record, class_ = self._record, self._record["message_class"]
        values = {"channel": self._word("channel", record["channel"]), "day": self.day(record["at"])}
        if record["verdict"] != "clear":
            return self._say("withheld" if record["verdict"] == "block" else "held", **values)
        key, checked = "owed", "checked"
        if class_ in ("marketing", "confirmation"):
            key = "asked" if class_ == "confirmation" else "agreed" if self._used else "cleared"
            checked = "checked" if SUPERSEDED in record["notes"] else "checked_stop"
        why = self._say(key, **values, purpose=self._purpose(record["purpose"]), class_=self._word("class", class_))
        return why + self._say(checked, **values)

    def since(self, later: Sequence[Mapping[str, Any]]) -> str:
        """The later events that a customer should know, each at its own day; '' for none."""
        state = piece_state((self._record, *later))
        asked = self._asked(later) if self._record["verdict"] != "clear" else ""
        if state.did == self._record["did"] or state.kind not in _SINCE:
            return asked
        return asked + self._say(_SINCE[state.kind], day=self.day(state.at))

    def stopped(self, later: Sequence[Mapping[str, Any]]) -> str:
        """The thanks for the stop that the newest decision about the piece names; '' for none.

        A stop that was found under another id may be another person's, so the letter does not claim it.
        """
        decided = [record for record in (self._record, *later) if record["reasons"] or record["verdict"] == "clear"]
        for reason in decided[-1]["reasons"] if decided else ():
            says = reason["says"]
            if reason["code"] in _STOPS and says.get("date") and says.get("case") != "another":
                return self._say("stopped_on", day=self.day(says["date"]))
        return ""

    def _asked(self, later: Sequence[Mapping[str, Any]]) -> str:
        """A sentence on the last letter by which the person was asked about the piece; '' for none.

        An item that waits for the answer to an earlier letter is no letter of its own.
        """
        acts = ((record, record.get("act") or {}) for record in later)
        asks = [record for record, act in acts if act.get("outcome") == "asked" and act["code"] != "waits_along"]
        if not asks:
            return ""
        last = asks[-1]
        return self._say("was_asked", day=self.day(last["at"]), channel=self._word("channel", last["channel"]))

    def sources(self) -> tuple[str, ...]:
        """A sentence on the source on which the decision rests, else on each source."""
        basis = [source for source in self._facts["sources"] if source["source_id"] == self._record["basis"]]
        sentences = [self._source(source) for source in basis or self._facts["sources"]]
        return tuple(dict.fromkeys(sentences)) or (self._say("source_none"),)

    def consents(self) -> tuple[str, ...]:
        """A sentence on the consent that the decision used."""
        used = [consent for consent in self._facts["consents"] if consent["record_id"] == self._used]
        return tuple(map(self._consent, used[:1]))

    def _source(self, source: Mapping[str, Any]) -> str:
        named = {
            "by": self._name("controller", source["collected_by"]),
            "from": self._name("controller", source.get("provided_by")),
            "form": self._name("notice", source.get("notice_id")),
        }
        more = [self._say(f"source_{key}", name=name) for key, name in named.items() if name]
        day = self.day(source.get("acquired_at"))
        sentence = self._say(
            "source" if day else "source_undated", day=day, method=self._word("method", source["method"])
        )
        return sentence + (self._say("more", more=self._say("between").join(more)) if more else "")

    def _consent(self, consent: Mapping[str, Any]) -> str:
        by = f"letter.by_{consent['expressed_by']}"
        method = f"explanation.method_{consent['method']}"
        form = self._name("notice", consent.get("notice_id"))
        return self._say(
            "consent",
            day=self.day(consent.get("event_time") or consent["recorded_at"]),
            by=text(by if by in catalogue() else "letter.by_subject", self._lang),
            purpose=self._purpose(consent.get("purpose") or "*"),
            how=form or (text(method, self._lang) if method in catalogue() else self._say("how")),
        )

    def _purpose(self, code: str | None) -> str:
        name = self._names.get(f"purpose/{code}") or self._names.get(f"purpose/{self._record['controller']}/{code}")
        return name or self._say("purpose")

    def _name(self, kind: str, id_: str | None) -> str | None:
        return self._names.get(f"{kind}/{id_}")

    def _word(self, kind: str, code: str | None) -> str:
        key = f"word.{kind}.{code}"
        return text(key, self._lang) if key in catalogue() else self._say(f"{kind}_unknown")

    def _say(self, key: str, **values: Any) -> str:
        return text(f"letter.{key}", self._lang, **values)
