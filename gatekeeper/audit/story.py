"""What became of one piece, for people: its audit records in order, each as facts, rule and clause, acts and seal.

There is no personal data in a record, and none comes in here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from gatekeeper.answer import sentence
from gatekeeper.audit import inquiry
from gatekeeper.audit.trail import Link
from gatekeeper.errors import IntegrityError
from gatekeeper.reasons import CATALOGUE, Found
from gatekeeper.texts import Language, catalogue, language
from gatekeeper.texts import text as worded
from schemas.audit import AuditRecord

_MORE = (("provided_by", "provider"), ("batch_id", "batch"), ("notice_id", "notice"), ("route", "route"))
_CERTAIN = 1000


@dataclass(frozen=True, slots=True)
class Seal:
    """What the newest checkpoint says: the size of the log, and when a witness cosigned it (None: none did)."""

    size: int
    witnessed: str | None


@dataclass(frozen=True, slots=True)
class Told:
    """One audit record, and where it stands: partition, offset on `manifests`, its place there, leaf of the log."""

    record: dict[str, Any]
    partition: int
    manifest: int
    position: int
    leaf: int | None = None

    @property
    def did(self) -> str:
        """The decision id."""
        return str(self.record["did"])

    @property
    def names(self) -> set[str]:
        """The decisions that it is about: itself, the one that had cleared the piece, and the item acted on."""
        act = self.record.get("act") or {}
        return {name for name in (self.did, self.record.get("clearance"), act.get("item")) if name}


def of(link: Link, wanted: Callable[[bytes], bool], leaf: Callable[[Link], int | None]) -> Iterator[Told]:
    """Yields the records of a manifest that are wanted by their bytes; `leaf`: where that is in the sealed log.

    Raises IntegrityError (4) where one cannot be read.
    """
    for position, value in enumerate(link.records, 1):
        if wanted(value):
            try:
                AuditRecord.model_validate_json(value)
            except ValueError:
                raise IntegrityError("error.trail_record", partition=link.partition, offset=link.offset) from None
            yield Told(orjson.loads(value), link.partition, link.offset, position, leaf(link))


def pieces(found: Iterable[Told]) -> list[list[Told]]:
    """Returns the records by piece, in the order in which they came: those that name each other are of one."""
    grouped: list[tuple[set[str], list[Told]]] = []
    for told in found:
        names, records = set(told.names), [told]
        apart = []
        for group in grouped:
            if names.isdisjoint(group[0]):
                apart.append(group)
            else:
                names |= group[0]
                records = group[1] + records
        grouped = [*apart, (names, records)]
    return [records for _, records in grouped]


class Story:
    """Tells one piece in a language, None = the reader's; `local` writes an instant as clocks there show it."""

    def __init__(
        self, piece: list[Told], seal: Seal | None, *, local: Callable[[str], str], lang: Language | None = None
    ):
        self.piece, self._seal, self._local, self._lang = piece, seal, local, lang or language()

    def page(self) -> str:
        """Returns the page as text."""
        lines: list[str] = []
        for told in self.piece:
            lines += self._of(told)
            lines.append("")
        return "\n".join([*lines, self._say("unproven")])

    def row(self) -> tuple[str, ...]:
        """Returns what tells the piece from others: ids and scope of its first record."""
        first = self.piece[0]
        said = (first.record[name] or "-" for name in ("campaign", "channel", "verdict"))
        return (first.did, inquiry.make(first.did), *said, self._local(first.record["at"]))

    def plain(self) -> list[dict[str, Any]]:
        """Returns the same for programs: of each record its fields, the sentences, and where it stands."""
        return [
            {
                "decision_id": told.did,
                "inquiry_code": inquiry.make(told.did),
                "send_id": (told.record["send"] or {}).get("event_id"),
                **{name: told.record[name] for name in _SHOWN},
                "mode": told.record.get("mode", "live"),
                "act": told.record.get("act"),
                "reasons": [self._reason(reason) for reason in told.record["reasons"]],
                "facts": self._facts(told.record),
                "place": {"partition": told.partition, "manifest": told.manifest, "position": told.position},
                "seal": self._sealed(told),
            }
            for told in self.piece
        ]

    def _of(self, told: Told) -> list[str]:
        record = told.record
        lines = [
            self._say("heading", code=inquiry.make(told.did), did=told.did),
            f"{self._local(record['at'])}  {self._say('stage_' + record['stage'])}",
        ]
        if record["campaign"]:
            named = {name: record[name] or "-" for name in ("campaign", "controller", "purpose")}
            lines.append("  " + self._say("piece", **named, channel=self._word("channel", record["channel"])))
        if act := record.get("act"):
            lines.append("  " + self._act(act))
        if record["verdict"]:
            lines.append("  " + self._say(f"verdict_{record['verdict']}"))
            lines += self._block("because", [self._because(reason) for reason in map(self._reason, record["reasons"])])
            lines += self._block("facts", self._facts(record))
            lines += self._block("must", [self._known("must", code) for code in record["obligations"]])
        policy = record["policy"]
        lines.append("  " + self._say("policy", **policy, rules=record["engine"]["rules"]))
        if record.get("mode", "live") == "shadow":
            lines.append("  " + self._say("shadow"))
        lines.append("  " + self._say("record", partition=told.partition, offset=told.manifest, position=told.position))
        if (sealed := self._sealed(told)) is None:
            return [*lines, "  " + self._say("unsealed")]
        lines.append("  " + self._say("sealed", leaf=sealed["leaf"], size=sealed["size"]))
        if at := sealed["witnessed"]:
            return [*lines, "  " + self._say("witnessed", at=self._local(at))]
        return [*lines, "  " + self._say("unwitnessed")]

    def _sealed(self, told: Told) -> dict[str, Any] | None:
        if told.leaf is None or self._seal is None or told.leaf >= self._seal.size:
            return None
        return {"leaf": told.leaf, "size": self._seal.size, "witnessed": self._seal.witnessed}

    def _block(self, heading: str, lines: list[str]) -> list[str]:
        return ["  " + self._say(heading), *(f"    {line}" for line in lines)] if lines else []

    def _act(self, act: Mapping[str, Any]) -> str:
        by = ", ".join([act["by"]] if isinstance(act["by"], str) else act["by"] or ["-"])
        kind = self._known("kind", act["kind"] or "-")
        said = self._say("act", by=by, kind=kind, outcome=self._known("outcome", act["outcome"]))
        more = [act["code"], act["evidence_ref"] and self._say("evidence", ref=act["evidence_ref"])]
        return self._with(said, more)

    def _reason(self, reason: Mapping[str, Any]) -> dict[str, Any]:
        code, kind = reason["code"], CATALOGUE.get(reason["code"])
        found = Found(code, tuple(reason["facts"]), reason["says"])
        try:
            said = {lang: sentence(found, lang) for lang in ("ja", "en")}
        except KeyError:  # of a version that knows more than this one
            said = {lang: worded("story.reason_unknown", lang) for lang in ("ja", "en")}
        return {"code": code, "clause": kind.clause if kind else None, "facts": reason["facts"], **said}

    def _because(self, reason: Mapping[str, Any]) -> str:
        clause = f" [{reason['clause']}]" if reason["clause"] else ""
        return self._with(f"{reason['code']}: {reason[self._lang]}{clause}", reason["facts"])

    def _facts(self, record: Mapping[str, Any]) -> list[str]:
        facts = record["facts"]
        if facts is None:
            return [self._say("no_facts")] if record["verdict"] else []
        lines = [self._source(source, record["basis"]) for source in facts["sources"]] or [self._say("source_none")]
        lines += [self._consent(event) for event in facts["consents"]] or [self._say("consent_none")]
        lines += [self._stop(stop) for stop in facts["suppressions"]]
        for event in facts.get("events", ()):
            date = self._date(event.get("at") or event.get("recorded_at"))
            lines.append(self._say("event", date=date, kind=self._known("event", event["kind"])))
        for ask in facts.get("asks", ()):
            lines.append(self._say("asked", date=self._date(ask["at"]), source=ask["source_id"], id=ask["request_id"]))
        for release in facts.get("releases", ()):
            by = release["by"] if isinstance(release["by"], str) else ", ".join(release["by"])
            key = "released" if release["kind"] == "release" else "released_release_revoked"
            reasons = ", ".join(release.get("reasons", ()))
            lines.append(self._say(key, by=by, date=self._date(release["at"]), reasons=reasons))
        exact, near = ", ".join(facts["contact_point_from"]), ", ".join(facts.get("contact_point_near", ()))
        lines.append(self._say("point_exact", sources=exact) if exact else self._say("point_none"))
        lines += [self._say("point_near", sources=near)] if near else []
        if facts["unreadable"]:
            lines.append(self._say("unreadable", places=", ".join(facts["unreadable"])))
        if record.get("asof"):
            lines.append(self._say("as_of", at=self._local(record["asof"])))
        return lines

    def _source(self, source: Mapping[str, Any], basis: str | None) -> str:
        said = self._say(
            "source",
            method=self._word("method", source["method"]),
            date=self._date(source.get("acquired_at")),
            collector=source["collected_by"],
            id=source["source_id"],
        )
        more = [self._say(f"source_{name}", value=source[field]) for field, name in _MORE if source.get(field)]
        if (state := source.get("state", "active")) != "active":
            more.append(self._say("source_state", value=self._known("source_state", state)))
        if source["source_id"] == basis:
            more.append(self._say("source_basis"))
        return self._with(said, more)

    def _consent(self, event: Mapping[str, Any]) -> str:
        channels = event.get("channels") or "*"
        named = [] if channels == "*" or "*" in channels else [self._word("channel", name) for name in channels]
        purpose = event.get("purpose") or "*"
        return self._say(
            "consent",
            state=self._known("state", event["state"]),
            date=self._date(event.get("event_time") or event["recorded_at"]),
            by=self._known("by", event["expressed_by"]),
            method=event["method"],
            purpose=self._say("everything") if purpose == "*" else purpose,
            channels=", ".join(named) or self._say("everything"),
            id=event["record_id"],
        )

    def _stop(self, stop: Mapping[str, Any]) -> str:
        event = stop["event"]
        kind = self._known("stop", event["kind"])
        said = self._say("stop", kind=kind, date=self._date(event["received_at"]), id=event["suppression_id"])
        more = [self._say("stop_score", score=stop["score"])] if stop["score"] < _CERTAIN else []
        return self._with(said, [*more, *([self._say("stop_elsewhere")] if stop.get("elsewhere") else [])])

    def _say(self, key: str, **values: Any) -> str:
        return worded(f"story.{key}", self._lang, **values)

    def _known(self, kind: str, code: str) -> str:
        """Returns a code in words; a code that this version has no words for, as it stands."""
        return self._say(f"{kind}_{code}") if f"story.{kind}_{code}" in catalogue() else code

    def _word(self, kind: str, code: str) -> str:
        key = f"word.{kind}.{code}"
        return worded(key, self._lang) if key in catalogue() else code

    def _date(self, written: str | None) -> str:
        return written or self._say("undated")

    def _with(self, said: str, more: Iterable[str | None]) -> str:
        told = [one for one in more if one]
        return f"{said} — {'; '.join(told)}" if told else said


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
