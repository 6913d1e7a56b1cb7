"""Words for facts, reasons and acts in one language, shared by the pages about a piece and about a person.

Recorded facts hold no personal data, and this module adds none. An unknown reason is masked first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import orjson

from gatekeeper.audit.explanation.citations import Citations
from gatekeeper.audit.records import masking
from gatekeeper.deciding.answer import sentence
from gatekeeper.ground.texts import Language, catalogue
from gatekeeper.ground.texts import text as worded
from gatekeeper.ground.words import headline, law, with_names
from gatekeeper.policy.reasons import Found
from gatekeeper.staff.act_kinds import act_name
from gatekeeper.staff.signer_words import signer_words

_MORE = (("provided_by", "provider"), ("batch_id", "batch"), ("notice_id", "notice"), ("route", "route"))
_CERTAIN = 1000


def told_reason(
    reason: Mapping[str, Any], record: Mapping[str, Any], citations: Citations, place: str = ""
) -> dict[str, Any]:
    """A reason of an audit record for programs: code, clause, its facts, and its sentence in both languages.

    For a reason unknown to this release, the record is quoted, with possible personal data left out.
    `place`: where it is read, as `texts.placed` takes it.
    """
    code, rules = reason["code"], record["engine"]["rules"]
    found = Found(code, tuple(reason["facts"]), reason["says"])
    try:
        sentences = {lang: sentence(found, lang, place) for lang in ("ja", "en")}
    except KeyError:  # no such sentence, or the record lacks a value for it
        quoted = orjson.loads(masking.told(reason["says"]))
        says = ", ".join(f"{name} {value}" for name, value in sorted(quoted.items()) if name != masking.MASK)
        key = "explanation.reason_quoted" if says else "explanation.reason_unknown"
        sentences = {lang: worded(key, lang, rules=rules, says=says) for lang in ("ja", "en")}
    return {"code": code, "clause": citations.clause(code, record), "facts": reason["facts"], **sentences}


class FactLine(NamedTuple):
    """One fact: its kind (its list in the snapshot), its time (ISO 8601, None = undated), and its words.

    `refs`: ids of the records behind the fact. They may identify the person, so only staff may see them.
    """

    kind: str
    at: str | None
    text: str
    refs: str = ""


class Wording:
    """Wording in one language. `names`: the names of reference records by kind/id, and of purposes.

    `citations`: the clauses behind reasons; None = those of the shipped policies. `place`: as `told_reason` takes it.
    A purpose has its registered name, purpose/code, else the words of a controller's notice, purpose/controller/code.
    """

    def __init__(
        self,
        lang: Language,
        names: Mapping[str, str] | None = None,
        citations: Citations | None = None,
        place: str = "",
    ) -> None:
        self.lang = lang
        self._place = place
        self._names = names or {}
        self._citations = citations or Citations()

    def say(self, key: str, **values: Any) -> str:
        """A sentence of `explanation`."""
        return worded(f"explanation.{key}", self.lang, **values)

    def known(self, kind: str, code: str) -> str:
        """A code in words, or the code itself if this version has no words for it."""
        return self.say(f"{kind}_{code}") if f"explanation.{kind}_{code}" in catalogue() else code

    def word(self, kind: str, code: str) -> str:
        """The word for a code of the domain, or the code itself."""
        key = f"word.{kind}.{code}"
        return worded(key, self.lang) if key in catalogue() else code

    def name(self, kind: str, id_: str) -> str:
        """The name of a record of `reference`, or its id if the name is unknown."""
        return self._names.get(f"{kind}/{id_}", id_)

    def purpose(self, controller: str, code: str) -> str:
        """The name of a purpose, or its code if the name is unknown."""
        return self._names.get(f"purpose/{code}") or self.name(f"purpose/{controller}", code)

    def whole(self, line: FactLine) -> str:
        """A whole line as text: kind, time, words and record ids."""
        key = f"line_{line.kind}"
        words = f"{line.text} ({line.refs})" if line.refs else line.text
        return (
            self.say(key, date=line.at or self.say("undated"), told=words)
            if f"explanation.{key}" in catalogue()
            else words
        )

    def reason(self, reason: Mapping[str, Any], record: Mapping[str, Any]) -> dict[str, Any]:
        """A reason of an audit record for programs, as `told_reason` gives it."""
        return told_reason(reason, record, self._citations, self._place)

    def because(self, reason: Mapping[str, Any], record: Mapping[str, Any]) -> FactLine:
        """A reason of an audit record in words, with its clause; then its code and its facts' ids."""
        telling = self.reason(reason, record)
        code, refs, age = telling["code"], telling["facts"], str(reason["says"].get("age"))
        head = headline(code, self.lang, age if age.isdecimal() else None).partition(";")[0]
        if head != code:
            refs = [code, *refs]
        clause = f" [{law(telling['clause'], self.lang)}]" if telling["clause"] else ""
        words = with_names(
            telling[self.lang], self._purposes((record["send"] or {}).get("controller_id")), telling["facts"]
        )
        return FactLine("because", None, self.say("reason", head=head, said=f"{words}{clause}"), ", ".join(refs))

    def _purposes(self, controller: str | None) -> Mapping[str, str]:
        """The names of purposes, by purpose/code: registered ones, else those of this controller's notices."""
        prefix = f"purpose/{controller}/"
        noticed = {
            f"purpose/{key.removeprefix(prefix)}": name for key, name in self._names.items() if key.startswith(prefix)
        }
        return {**noticed, **self._names}

    def act(self, act: Mapping[str, Any], signed: Iterable[Mapping[str, Any] | None] = ()) -> FactLine:
        """An act: actor, kind, outcome, evidence, and who signed it. `signed`: as `signer_words` takes each."""
        by = ", ".join([act["by"]] if isinstance(act["by"], str) else act["by"] or ["-"])
        kind = act_name(act["kind"] or "-", self.lang)
        words = self.say("act", by=by, kind=kind, outcome=self.known("outcome", act["outcome"]))
        refs = [act["code"], act["evidence_ref"] and self.say("evidence", ref=act["evidence_ref"])]
        refs += [signer_words(signature, self.lang) for signature in signed]
        return FactLine("acts", act["at"], words, ", ".join(filter(None, refs)))

    def facts(self, facts: Mapping[str, Any], basis: str | None = None) -> list[FactLine]:
        """The facts of a snapshot as lines. `basis`: the source on which a decision rests."""
        lines = [self._source(source, basis) for source in facts["sources"]]
        lines = lines or [FactLine("sources", None, self.say("source_none"))]
        lines += [self._consent(event) for event in facts["consents"]] or [
            FactLine("consents", None, self.say("consent_none"))
        ]
        lines += [self._stop(stop) for stop in facts["suppressions"]]
        for event in facts.get("events", ()):
            at = event.get("at") or event.get("recorded_at")
            lines.append(FactLine("events", at, self.known("event", event["kind"])))
        for ask in facts.get("asks", ()):
            refs = f"{ask['source_id']}, {ask['request_id']}"
            lines.append(
                FactLine("asks", ask["at"], self.say("asked", channel=self.word("channel", ask["channel"])), refs)
            )
        for ask in facts.get("asked", ()):
            lines.append(FactLine("asks", ask["at"], self.say("asked_elsewhere"), ask["request_id"]))
        for release in facts.get("releases", ()):
            by = release["by"] if isinstance(release["by"], str) else ", ".join(release["by"])
            bulk, reasons = release.get("bulk", 1), ", ".join(release.get("reasons", ()))
            key = "released_bulk" if bulk > 1 else "released"
            if release["kind"] != "release":
                key = "released_release_revoked"
            words = self.say(key, by=by, reasons=reasons, bulk=f"{bulk:,}")
            lines.append(FactLine("releases", release["at"], words))
        return lines

    def point(self, facts: Mapping[str, Any]) -> list[FactLine]:
        """Lines on the sources of the piece's address, and on unreadable records."""
        exact, near = ", ".join(facts["contact_point_from"]), ", ".join(facts.get("contact_point_near", ()))
        lines = [FactLine("point", None, self.say("point_exact" if exact else "point_none"), exact)]
        lines += [FactLine("point", None, self.say("point_near"), near)] if near else []
        return lines + [FactLine("unreadable", None, words) for words in self.unreadable(facts)]

    def unreadable(self, facts: Mapping[str, Any]) -> list[str]:
        """A sentence that names the unreadable records, if any."""
        return [self.say("unreadable", places=", ".join(facts["unreadable"]))] if facts["unreadable"] else []

    def _source(self, source: Mapping[str, Any], basis: str | None) -> FactLine:
        words = self.say(
            "source",
            method=self.word("method", source["method"]),
            collector=self.name("controller", source["collected_by"]),
        )
        names = {field: self.name(field.removesuffix("_id"), source[field]) for field, _ in _MORE if source.get(field)}
        more = [self.say(f"source_{name}", value=names[field]) for field, name in _MORE if field in names]
        if source.get("may_be_minor"):
            more.append(self.say("source_minor"))
        if (state := source.get("state", "active")) != "active":
            more.append(self.say("source_state", value=self.known("source_state", state)))
        refs = [source["source_id"], *(source[field] for field, name in names.items() if name != source[field])]
        refs += [source["evidence_ref"]] if source.get("evidence_ref") else []
        text = self._with(words, more)
        if source["source_id"] == basis:
            text = self.say("source_basis", said=text)
        return FactLine("sources", source.get("acquired_at"), text, ", ".join(refs))

    def _consent(self, event: Mapping[str, Any]) -> FactLine:
        channels, controller = event.get("channels") or "*", event.get("controller_id") or "*"
        named = [] if channels == "*" or "*" in channels else [self.word("channel", name) for name in channels]
        purpose, notice = event.get("purpose") or "*", event.get("notice_id")
        words = self.say(
            "consent",
            state=self.known("state", event["state"]),
            by=self.known("by", event["expressed_by"]),
            method=self.known("method", event["method"]),
            controller=self.say("everybody") if controller == "*" else self.name("controller", controller),
            purpose=self.say("everything") if purpose == "*" else self.purpose(controller, purpose),
            channels=self.say("between").join(named) or self.say("everything"),
        )
        form = self.name("notice", notice) if notice else None
        refs = [event["record_id"], *([notice] if notice and form != notice else [])]
        refs += [self.say("evidence", ref=event["evidence_ref"])] if event.get("evidence_ref") else []
        text = self._with(words, [form and self.say("source_notice", value=form)])
        return FactLine("consents", event.get("event_time") or event["recorded_at"], text, ", ".join(refs))

    def _stop(self, stop: Mapping[str, Any]) -> FactLine:
        event = stop["event"]
        more = [self.say("stop_score", score=f"{stop['score'] / 10:g}")] if stop["score"] < _CERTAIN else []
        more += [self.say("stop_elsewhere")] if stop.get("elsewhere") else []
        more += [self.say("stop_named", name=stop["named"])] if stop.get("named") else []
        more += [self.say("stop_of_another")] if event.get("of_another") else []
        if (state := event.get("state") or "active") != "active":
            more.append(self.say("source_state", value=self.known("stop_state", state)))
        words = self._with(self.known("stop", event.get("word") or event["kind"]), more)
        return FactLine("suppressions", event["received_at"], words, event["suppression_id"])

    def _with(self, said: str, more: Iterable[str | None]) -> str:
        parts = [part for part in more if part]
        return self.say("more", said=said, more=self.say("and").join(parts)) if parts else said
