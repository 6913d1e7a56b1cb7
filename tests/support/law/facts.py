"""The facts of a case: sources, reference records and the scope of a word."""

# ruff: noqa: F403, F405 -- the words of `case` are those of every page here
from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any, NamedTuple

from tests.support.law.case import *
from tests.support.law.versions import Versions


class Scope(NamedTuple):
    """The scope of a no. `channels`, `tokens`: None is all."""

    company: str
    purpose: str
    channels: set[str] | None
    tokens: set[str] | None


class Facts:
    """The facts of a case as the rules read them."""

    def __init__(self, case: Case) -> None:
        self.case, self.send, self.at = case, case.send, case.at
        self.sender, self.channel, self.purpose = (case.send[n] for n in ("controller_id", "channel", "purpose"))
        self.person = case.send["recipient_id"]
        by_kind: dict[str, dict[str, Any]] = {}
        for one in case.reference:
            by_kind.setdefault(one["kind"], {})[one.get("id") or one["terms_id"]] = one
        self.ref = by_kind
        self.versions = Versions(case.reference)
        self.heard = case.events
        self.pointed: dict[str, dict[str, set[str]]] = {}
        self.mine = [one for one in case.events if one.value.get("recipient_id") == self.person]
        self.sources = self._sources(self.person)
        self.consents = [o for o in self.mine if o.topic == "consents" and o.value["kind"] == "consent"]
        self.person_events = [o.value for o in self.mine if o.topic == "consents" and o.value["kind"] != "consent"]
        self.asks = sorted(
            (o.value for o in self.mine if o.topic == "confirmations"),
            key=lambda ask: (span(ask["at"]).first, ask["request_id"]),  # not by arrival (P2)
        )
        self.kept = [s for s in self.sources if s.get("state") != "deleted"]

    def _sources(self, person: str) -> list[dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for one in self.heard:
            if one.topic == "sources" and one.value["recipient_id"] == person:
                found[one.value["source_id"]] = one.value
        return list(found.values())

    def points(self, code: str, value: Mapping[str, Any]) -> str:
        """Returns the code of a reason, and notes a no to which it points by its id, with all versions on file."""
        name = "suppression_id" if "suppression_id" in value else "record_id"
        versions = {
            repr(sorted(word(one.value).items()))
            for one in self.heard
            if one.value.get(name) == value[name] and one.value.get("state") not in ENDS
        }
        self.pointed.setdefault(code, {})[value[name]] = versions
        return code

    def tokens(self, point: str, sources: Sequence[dict[str, Any]]) -> set[str]:
        return {p["token"] for s in sources for p in s.get("contact_points", ()) if p["id"] == point}

    def covers(self, wide: str, purpose: str, day: datetime | None) -> bool:
        """True if a purpose that was agreed to or told on a day covers another one (rules 7.1.8, 8.2.45)."""
        known = self.ref["purpose"]
        if wide not in known or purpose not in known:
            return False
        if wide == purpose:
            return True
        if not purpose.startswith(f"{wide}.") or known[wide]["marketing"] != known[purpose]["marketing"]:
            return False
        arrived = known[purpose].get("recorded_at")
        return arrived is None or (day is not None and span(arrived).last <= end_of_day(day))

    def narrows(self, record: Mapping[str, Any], arrived: datetime) -> bool:
        """True if a record of a purpose or a company narrows a no: it came before, or two managers named it."""
        return (
            len(listed(record.get("by"))) > 1
            or not record.get("recorded_at")
            or (span(record["recorded_at"]).last < arrived)
        )

    def company_known(self, company: str, no: Span, arrived: datetime, sources: Sequence[dict[str, Any]]) -> bool:
        if company in self.ref["controller"] and self.narrows(self.ref["controller"][company], arrived):
            return True
        return any(
            company in parties(s) and (s.get("acquired_at") is None or no.last >= span(s["acquired_at"]).first)
            for s in sources
        )

    def point_known(self, point: str, no: Span, sources: Sequence[dict[str, Any]]) -> bool:
        return any(
            point == p["id"] and (s.get("acquired_at") is None or no.last >= span(s["acquired_at"]).first)
            for s in sources
            for p in s.get("contact_points", ())
        )

    @cached_property
    def here(self) -> set[str]:
        """The tokens of the place as the send prints it."""
        return {token for token, place in self.case.places.items() if place == self.case.printed[0]}

    def purposes_of_no(self, purpose: str | None, arrived: datetime) -> str:
        known = {id_ for id_, one in self.ref["purpose"].items() if self.narrows(one, arrived)}
        stands = purpose in known or any(one.startswith(f"{purpose}.") for one in known)
        return purpose if purpose and purpose != "*" and stands else "*"

    def scope_of(self, heard: Heard, sources: Sequence[dict[str, Any]], *, other: bool) -> Scope:
        """Returns what a no is about, an unknown name being read wide (rules 7.1.5, 7.1.7)."""
        no = heard.value
        scope = no.get("scope", {}) if "suppression_id" in no else no
        if no["kind"] == "refusal_returned":
            scope = {**{n: scope[n] for n in ("controller", "group") if n in scope}, "channels": ["postal"]}
        company = scope.get("controller_id") or scope.get("controller") or "*"
        if "group" in scope and scope["group"] != "*":
            groups = {one.get("group") for one in self.ref["controller"].values()}
            company = f"group:{scope['group']}" if scope["group"] in groups else "*"
        when = said_at(no)
        if company != "*" and "group" not in scope and not self.company_known(company, when, heard.arrived, sources):
            company = "*"
        channels = {*(scope.get("channels") or "*")}
        point = scope.get("contact_point_id") or scope.get("contact_point") or "*"
        known = point != "*" and not other and self.point_known(point, when, sources)
        return Scope(
            company,
            self.purposes_of_no(scope.get("purpose"), heard.arrived),
            channels if channels <= {*CHANNELS} else None,
            self.tokens(point, sources) if known else None,
        )

    def said(self, no: Heard, sources: Sequence[dict[str, Any]], *, other: bool) -> str | None:
        """Returns the company that a no names if the no covers the send but for the company, else None."""
        scope = self.scope_of(no, sources, other=other)
        ends = no.value.get("state") in ("Expired", "Invalidated", "Revoked")  # no word against questions
        barred = (
            self.send["message_class"] == "confirmation"
            and not ends
            and (
                scope.purpose == "*"
                or any(p["marketing"] and is_at(i, scope.purpose) for i, p in self.ref["purpose"].items())
            )
        )
        if not (scope.purpose == "*" or is_at(self.purpose, scope.purpose) or barred):
            return None
        if scope.channels is not None and self.channel not in scope.channels:
            return None
        return None if scope.tokens is not None and not scope.tokens & self.here else scope.company

    def notice(self, id_: str | None, when: datetime | None) -> Mapping[str, Any] | None:
        """Returns the version of a notice at the time of what names it."""
        return self.versions.at("notice", id_, when)

    def form_of(self, source: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Returns the notice of a source, as it was when the data came; the first one for data still to come."""
        day = span(source["acquired_at"]).first if source.get("acquired_at") else None
        return self.notice(source.get("notice_id"), day if day and day <= self.at + SKEW else None)

    def form_shown(self, one: Heard) -> Mapping[str, Any] | None:
        """Returns the notice of a yes, as it was when it was shown."""
        return self.notice(one.value.get("notice_id"), seen(one) if one.value.get("event_time") else None)

    def active(self, source: Mapping[str, Any]) -> bool:
        batch = self.ref["batch"].get(str(source.get("batch_id")), {})
        return (
            source.get("state", "active") == "active"
            and not batch.get("flags")
            and batch.get("state", "active") == "active"
        )

    def gives(self, source: Mapping[str, Any]) -> bool:
        return any(p["token"] in self.here for p in source.get("contact_points", ()))

    def route(self, source: Mapping[str, Any]) -> str:
        return str(source.get("route") or source["method"])

    def parties_of(self, source: Mapping[str, Any]) -> frozenset[str]:
        if source["method"] == "indirect.joint_use":
            return frozenset({self.sender, source["collected_by"]})
        if source["method"] == "indirect.succession" and source.get("succession"):
            return frozenset({self.sender, source["succession"]["predecessor"]})
        return frozenset({self.sender})

    def counts(self, source: Mapping[str, Any]) -> bool:
        """True if a source covers the send's contact point (rule 7.4.18)."""
        if source.get("contact_points"):
            return self.gives(source)
        alike = [source.get(name) for name in ("method", "provided_by", "batch_id")]
        for other in self.kept:
            same = None not in alike and alike == [other.get(n) for n in ("method", "provided_by", "batch_id")]
            named = [
                p for p in other.get("contact_points", ()) if p["token"] in self.here and not p.get("derived_from")
            ]
            if named and self.active(other) and (same or other["method"].startswith("direct.")):
                return True
        return False
