"""Facts, reasons and acts in words of one language: what the page about a piece and that about a person share.

There is no personal data in a recorded fact, and none comes in here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from gatekeeper.answer import sentence
from gatekeeper.reasons import CATALOGUE, Found
from gatekeeper.texts import Language, catalogue
from gatekeeper.texts import text as worded

_MORE = (("provided_by", "provider"), ("batch_id", "batch"), ("notice_id", "notice"), ("route", "route"))
_CERTAIN = 1000


def told_reason(reason: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a recorded reason for programs: code, clause, its facts, and its sentence in both languages."""
    code, kind = reason["code"], CATALOGUE.get(reason["code"])
    found = Found(code, tuple(reason["facts"]), reason["says"])
    try:
        said = {lang: sentence(found, lang) for lang in ("ja", "en")}
    except KeyError:  # of a version that knows more than this one
        said = {lang: worded("story.reason_unknown", lang) for lang in ("ja", "en")}
    return {"code": code, "clause": kind.clause if kind else None, "facts": reason["facts"], **said}


class Line(NamedTuple):
    """One fact: its kind (as the snapshot names its list), when it was so (ISO 8601, None = undated), and in words."""

    kind: str
    at: str | None
    text: str


class Telling:
    """Tells in a language; `names` puts the ids of records of `reference` (kind/id) beside their names."""

    def __init__(self, lang: Language, names: Mapping[str, str] | None = None) -> None:
        self.lang = lang
        self._names = names or {}

    def say(self, key: str, **values: Any) -> str:
        """Returns a sentence of `story`."""
        return worded(f"story.{key}", self.lang, **values)

    def known(self, kind: str, code: str) -> str:
        """Returns a code in words; a code that this version has no words for, as it stands."""
        return self.say(f"{kind}_{code}") if f"story.{kind}_{code}" in catalogue() else code

    def word(self, kind: str, code: str) -> str:
        """Returns a word of the domain, or its code."""
        key = f"word.{kind}.{code}"
        return worded(key, self.lang) if key in catalogue() else code

    def name(self, kind: str, id_: str) -> str:
        """Returns what a record of `reference` is called, with its id."""
        named = self._names.get(f"{kind}/{id_}")
        return f"{named} ({id_})" if named else id_

    def because(self, reason: Mapping[str, Any]) -> str:
        """Returns a recorded reason in one line."""
        told = told_reason(reason)
        clause = f" [{told['clause']}]" if told["clause"] else ""
        return self._with(f"{told['code']}: {told[self.lang]}{clause}", told["facts"])

    def act(self, act: Mapping[str, Any]) -> str:
        """Returns who did what, and what became of it."""
        by = ", ".join([act["by"]] if isinstance(act["by"], str) else act["by"] or ["-"])
        kind = self.known("kind", act["kind"] or "-")
        said = self.say("act", by=by, kind=kind, outcome=self.known("outcome", act["outcome"]))
        return self._with(said, [act["code"], act["evidence_ref"] and self.say("evidence", ref=act["evidence_ref"])])

    def facts(self, facts: Mapping[str, Any], basis: str | None = None) -> list[Line]:
        """Returns what a snapshot holds of a person; `basis`: the source that a decision stands on."""
        found = [self._source(source, basis) for source in facts["sources"]]
        found = found or [Line("sources", None, self.say("source_none"))]
        found += [self._consent(event) for event in facts["consents"]] or [
            Line("consents", None, self.say("consent_none"))
        ]
        found += [self._stop(stop) for stop in facts["suppressions"]]
        for event in facts.get("events", ()):
            at = event.get("at") or event.get("recorded_at")
            said = self.say("event", date=self._date(at), kind=self.known("event", event["kind"]))
            found.append(Line("events", at, said))
        for ask in facts.get("asks", ()):
            said = self.say("asked", date=self._date(ask["at"]), source=ask["source_id"], id=ask["request_id"])
            found.append(Line("asks", ask["at"], said))
        for release in facts.get("releases", ()):
            by = release["by"] if isinstance(release["by"], str) else ", ".join(release["by"])
            bulk, reasons = release.get("bulk", 1), ", ".join(release.get("reasons", ()))
            key = "released_bulk" if bulk > 1 else "released"
            if release["kind"] != "release":
                key = "released_release_revoked"
            said = self.say(key, by=by, date=self._date(release["at"]), reasons=reasons, bulk=f"{bulk:,}")
            found.append(Line("releases", release["at"], said))
        return found

    def point(self, facts: Mapping[str, Any]) -> list[str]:
        """Returns which sources give the address that a piece was for, and what could not be read."""
        exact, near = ", ".join(facts["contact_point_from"]), ", ".join(facts.get("contact_point_near", ()))
        lines = [self.say("point_exact", sources=exact) if exact else self.say("point_none")]
        lines += [self.say("point_near", sources=near)] if near else []
        return lines + self.unreadable(facts)

    def unreadable(self, facts: Mapping[str, Any]) -> list[str]:
        """Returns what could not be read, if anything."""
        return [self.say("unreadable", places=", ".join(facts["unreadable"]))] if facts["unreadable"] else []

    def _source(self, source: Mapping[str, Any], basis: str | None) -> Line:
        said = self.say(
            "source",
            method=self.word("method", source["method"]),
            date=self._date(source.get("acquired_at")),
            collector=self.name("controller", source["collected_by"]),
            id=source["source_id"],
        )
        named = {field: self.name(field.removesuffix("_id"), source[field]) for field, _ in _MORE if source.get(field)}
        more = [self.say(f"source_{name}", value=named[field]) for field, name in _MORE if field in named]
        if (state := source.get("state", "active")) != "active":
            more.append(self.say("source_state", value=self.known("source_state", state)))
        if source["source_id"] == basis:
            more.append(self.say("source_basis"))
        return Line("sources", source.get("acquired_at"), self._with(said, more))

    def _consent(self, event: Mapping[str, Any]) -> Line:
        channels = event.get("channels") or "*"
        named = [] if channels == "*" or "*" in channels else [self.word("channel", name) for name in channels]
        purpose = event.get("purpose") or "*"
        at = event.get("event_time") or event["recorded_at"]
        said = self.say(
            "consent",
            state=self.known("state", event["state"]),
            date=at,
            by=self.known("by", event["expressed_by"]),
            method=event["method"],
            purpose=self.say("everything") if purpose == "*" else purpose,
            channels=", ".join(named) or self.say("everything"),
            id=event["record_id"],
        )
        more = []
        if event.get("notice_id"):
            more.append(self.say("source_notice", value=self.name("notice", event["notice_id"])))
        if event.get("evidence_ref"):
            more.append(self.say("evidence", ref=event["evidence_ref"]))
        return Line("consents", at, self._with(said, more))

    def _stop(self, stop: Mapping[str, Any]) -> Line:
        event = stop["event"]
        kind = self.known("stop", event["kind"])
        said = self.say("stop", kind=kind, date=self._date(event["received_at"]), id=event["suppression_id"])
        more = [self.say("stop_score", score=stop["score"])] if stop["score"] < _CERTAIN else []
        more += [self.say("stop_elsewhere")] if stop.get("elsewhere") else []
        if (state := event.get("state") or "active") != "active":
            more.append(self.say("source_state", value=self.known("stop_state", state)))
        return Line("suppressions", event["received_at"], self._with(said, more))

    def _date(self, written: str | None) -> str:
        return written or self.say("undated")

    def _with(self, said: str, more: Iterable[str | None]) -> str:
        told = [one for one in more if one]
        return f"{said} — {'; '.join(told)}" if told else said
