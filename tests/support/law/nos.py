"""The nos that meet a send."""

# ruff: noqa: F403, F405 -- the words of `case` are those of every page here
from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from itertools import chain
from typing import Any, NamedTuple

from tests.support.law.case import *
from tests.support.law.facts import Facts


class No(NamedTuple):
    """A no as it bears on the send.

    `other`: it was said under another id. `answers`: it answers an ask, so only a yes to the sender lifts it.
    """

    value: dict[str, Any]
    code: str
    time: Span
    entered: datetime
    company: str
    speaker: str | None
    sure: bool
    other: bool
    arrived: datetime
    answers: bool = False


class Nos(Facts):
    """The facts, and each no among them as it bears on the send."""

    @cached_property
    def nos(self) -> list[No]:
        """Every no that covers the send but for its company, lifted or not."""
        return [*self._suppressions(), *self._withdrawals()]

    def _ended(self, stop: Heard, sure: bool) -> bool:
        """True if an act of enough staff ended the stop as it stood: nothing newer, nothing wider (rule 8.1.40)."""
        value = stop.value
        sure = sure or "recipient_id" in value
        for one in self.heard:
            said = one.value
            if (
                one.topic == "suppressions"
                and said["suppression_id"] == value["suppression_id"]
                and said.get("state") in ("corrected", "rejected")
                and proven(said, 2 if sure or value["kind"] == "erasure" else 1)
                and word({**said, "received_at": value["received_at"]}) == word(value)
                and self._not_before(span(said["received_at"]), span(value["received_at"]))
                and stop.arrived <= one.arrived
            ):
                return True
        return False

    @staticmethod
    def _not_before(act: Span, said: Span) -> bool:
        return act == said or act.first >= said.last

    def _resolved(self, id_: str, sure: bool, no: Heard) -> bool:
        """True if enough staff said that a no is of somebody else, as it stood then (rule 8.1.40).

        One of another id has an id of its own for this person, which only the pages tell.
        """
        return no.value.get("recipient_id", self.person) == self.person and any(
            one.value["kind"] == "identity_resolved"
            and id_ in one.value.get("of", ())
            and proven(one.value, 2 if sure else 1)
            and max(no.arrived, counted(no.value).last) < span(one.value["at"]).first
            for one in self.mine
            if one.topic == "consents"
        )

    def _suppressions(self) -> Iterator[No]:
        for stop in self.heard:
            value = stop.value
            if stop.topic != "suppressions" or value["kind"] not in WILL or value.get("state") in ENDS:
                continue
            when = counted(value)
            until = value.get("effective_until")
            if until and span(until).last < self.at:
                continue
            score, other, sources = self._meets(value)
            sure = score >= FLOOR
            if not score or self._ended(stop, sure) or self._resolved(value["suppression_id"], sure, stop):
                continue
            company = self.said(stop, sources, other=other)
            if company is None or self._said_before(stop, score):
                continue
            entered = span(value["recorded_at"]).last if value.get("recorded_at") else stop.arrived
            code = WILL[value["kind"]]
            yield No(
                value, code, when, entered, company, value.get("expressed_by"), score >= FLOOR, other, stop.arrived
            )

    def _said_before(self, stop: Heard, score: int) -> bool:
        """True for a stop of a register that an older file said already, of this person as surely (rule 8.3.52)."""
        return stop.value["kind"] == "external" and any(
            one.topic == "suppressions"
            and one.value["kind"] == "external"
            and one.value["suppression_id"] == stop.value["suppression_id"]
            and one.value.get("state") not in ENDS
            and one.arrived < stop.arrived
            and self._meets(one.value)[0] >= score
            for one in self.heard
        )

    def _meets(self, value: Mapping[str, Any]) -> tuple[int, bool, list[dict[str, Any]]]:
        """Returns how surely a stop meets the send, whether as a word of another id, and the sources it is read by."""
        if whose := value.get("recipient_id"):
            if whose == self.person:
                return SURE, False, self.sources
            theirs = self._sources(whose)
            scope = value.get("scope", value)
            point = scope.get("contact_point_id") or scope.get("contact_point") or "*"
            return self._crossing(theirs, point, value), True, theirs
        stop = self.case.places[value["token"]]
        given = [self.case.places[p["token"]] for s in self.kept for p in s.get("contact_points", ())]
        given += [self.case.places[one["token"]] for one in self.send.get("match", ()) if one["score"] >= FLOOR]
        score = max(self.case.score(stop, place) for place in self.case.printed)
        score = max(score, *(self.case.score(stop, place) for place in given if stop.name == place.name), 0)
        return self.of_whole(value, score), False, self.sources

    @staticmethod
    def of_whole(stop: Mapping[str, Any], score: int) -> int:
        """Returns how surely a stop meets the send. One of two managers binds each room, too (rule 8.1.38)."""
        return SURE if stop.get("whole_address") and len(listed(stop.get("by"))) >= 2 and score else score

    def _crossing(
        self, theirs: Sequence[dict[str, Any]], point: str, value: Mapping[str, Any], *, homes: bool = False
    ) -> int:
        """Returns how surely a no of another id meets the send, by what its sources ever gave (rule 8.1.36).

        `homes`: by these alone.
        """
        best = 0
        known = point != "*" and self.point_known(point, said_at(value), theirs)
        for source in theirs:
            if not self.may_be_read(source):
                continue
            for p in source.get("contact_points", ()):
                if known and p["id"] != point and p["token"] not in self.tokens(point, theirs):
                    continue
                place = self.case.places[p["token"]]
                if homes and nameless(place):
                    continue
                mine = [*self.case.printed]
                if p.get("channel") == "postal":
                    mine += [
                        self.case.places[q["token"]]
                        for s in self.kept
                        if self.may_be_read(s)
                        for q in s.get("contact_points", ())
                        if q.get("channel") == "postal"
                    ]
                best = max(best, *(self.case.score(place, one) for one in mine))
        return best

    def may_be_read(self, source: Mapping[str, Any]) -> bool:
        """True if the tokens of a source may meet this send: entrusted data are read for the entruster alone."""
        entruster = (source.get("entrustment") or {}).get("entruster")
        return bool(source["method"] != "indirect.entrusted" or entruster == self.sender)

    def _withdrawals(self) -> Iterator[No]:
        for one in self.heard:
            value = one.value
            if one.topic != "consents" or not is_no(value):
                continue
            other = value["recipient_id"] != self.person
            score, sources = SURE, self.sources
            if other:
                score, other, sources = self._meets(value)
                if not score or self._resolved(value["record_id"], score >= FLOOR, one):
                    continue
            when = no_time(value)
            company = self.said(one, sources, other=other)
            if company is None:
                continue
            code = "CONSENT_WITHDRAWN" if value["state"] == "Withdrawn" else "CONSENT_REFUSED"
            entered = span(value["recorded_at"]).last
            yield No(value, code, when, entered, company, value["expressed_by"], score >= FLOOR, other, one.arrived)

    def bound(self, companies: Iterable[str]) -> set[str]:
        groups = {f"group:{self.ref['controller'].get(c, {}).get('group')}" for c in companies}
        return {*companies, *groups, "*"}

    @cached_property
    def companies_ever(self) -> set[str]:
        return {*self.ref["controller"], *chain.from_iterable(map(parties, self.sources))}

    @staticmethod
    def direct(no: No) -> bool:
        """True for a word of the consents of the person."""
        return "suppression_id" not in no.value and not no.other

    def companies_before(self, no: No) -> set[str]:
        """Returns the predecessors of the sender, by the sources of who said a no."""
        sources = self._sources(no.value["recipient_id"]) if no.other else self.kept
        kept = [s for s in sources if s.get("state") != "deleted"]
        return {s["succession"]["predecessor"] for s in kept if s.get("succession")}
