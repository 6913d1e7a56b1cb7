"""The yeses of a person: for what each is, whether it stands, and what it lifts."""

# ruff: noqa: F403, F405 -- the words of `case` are those of every page here
from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from functools import cached_property
from itertools import chain
from typing import Any

from tests.support.law.case import *
from tests.support.law.nos import No, Nos


class Yeses(Nos):
    """The facts and nos, and each yes as it bears on the send."""

    @cached_property
    def yeses(self) -> list[Heard]:
        return [one for one in self.consents if is_yes(one.value) and not self.too_late(one)]

    @cached_property
    def given(self) -> list[Heard]:
        """Every yes that is read and names nothing unknown."""
        found = []
        for one in self.yeses:
            value = one.value
            point = value.get("contact_point_id")
            companies = {*self.ref["controller"], *chain.from_iterable(map(parties, self.sources))}
            if value["purpose"] not in self.ref["purpose"] or value["controller_id"] not in companies:
                continue
            if point and not self.tokens(point, self.sources):
                continue
            found.append(one)
        return found

    def point_of(self, value: Mapping[str, Any]) -> set[str] | None:
        """Returns the tokens that a yes for a contact point covers; None = all (rule 7.1.7)."""
        point = value.get("contact_point_id")
        if not point:
            return None
        dated: dict[datetime, set[str]] = {}
        for source in self.sources:
            mine = {p["token"] for p in source.get("contact_points", ()) if p["id"] == point}
            if mine:
                day = (
                    span(source["acquired_at"]).last
                    if source.get("acquired_at")
                    else datetime.min.replace(tzinfo=JAPAN)
                )
                dated.setdefault(day, set()).update(mine)
        if not dated:
            return set()
        said = span(value["event_time"]).last if value.get("event_time") else None
        before = [day for day in dated if said is not None and day <= said]
        tokens = dated[max(before) if before else min(dated)]
        return tokens if len(tokens) == 1 else set()

    def differing(self, one: Heard, companies: Iterable[str]) -> list[str]:
        """Returns the reasons by which a yes is not for the send."""
        value = one.value
        points = self.point_of(value)
        checks = {
            "CONTROLLER_MISMATCH": value["controller_id"] in companies,
            "PURPOSE_NOT_COVERED": self.covers(
                value["purpose"], self.purpose, spoken(one) if value.get("event_time") else None
            ),
            "CHANNEL_NOT_CONSENTED": self.channel in value["channels"],
            "CONTACT_POINT_NOT_COVERED": points is None or bool(points & self.here),
        }
        return [code for code, fits in checks.items() if not fits]

    def completed_by(self, one: Heard, nos: Sequence[Span]) -> list[Heard]:
        """Returns the clicks that complete a double opt-in, after every no."""
        return [
            click
            for click in self.yeses
            if click.value.get("confirms") == one.value["record_id"]
            and click.value["method"] == "doi_confirm"
            and one.value["method"] != "doi_confirm"
            and (
                click.value["expressed_by"] == "subject"
                or (click.value["expressed_by"] in ("guardian", "agent") and click.value.get("evidence_ref"))
            )
            and click.value["controller_id"] == one.value["controller_id"]
            and spoken(one) <= no_time(click.value).last <= self.at + SKEW
            and all(spoken(click) > no.last for no in nos)
            and not self.voided(click)
            and not self.expired(click)
        ]

    def record_of(self, one: Heard, nos: Sequence[Span]) -> bool:
        """True if the yes or the click that completes it carries evidence."""
        return bool(one.value.get("evidence_ref")) or any(
            click.value.get("evidence_ref") for click in self.completed_by(one, nos)
        )

    def faults(self, one: Heard, nos: Sequence[Span], companies: frozenset[str]) -> set[str]:
        """Returns the faults of a yes (rules 6.3.2, 7.1.10, 8.2.43, 8.2.47)."""
        value, found = one.value, set()
        imported = value["method"] not in METHODS or value["expressed_by"] == "import"
        evidence = self.record_of(one, nos)
        shown = self.form_shown(one)
        enough = evidence or (shown is not None and not imported)
        if value["expressed_by"] in ("agent", "guardian") or value["method"] in ("email_reply", "chat"):
            enough = bool(value.get("evidence_ref"))
        if shown and shown.get("valid_from") and spoken(one) < span(shown["valid_from"]).first:
            enough = False
        if not enough or not value.get("event_time"):
            found.add("CONSENT_EVIDENCE_MISSING")
        if value["expressed_by"] in ("family", "staff"):
            found.add("CONSENT_BY_OTHER")
        if value.get("double_opt_in") and not self.completed_by(one, nos):
            found.add("CONSENT_UNCONFIRMED")
        if value["method"] == "doi_confirm":
            begun = [
                begin
                for begin in self.given
                if one in self.completed_by(begin, ())
                and all(spoken(begin) > no.last for no in nos)
                and not self.differing(begin, companies)
            ]
            for begin in begun:
                found |= self.faults(begin, nos, companies)
            if not begun:
                found.add("CONSENT_UNCONFIRMED")
        begins = [span(value[name]).last for name in ("event_time", "effective_from") if value.get(name)]
        if begins and max(begins) > self.at + SKEW:
            found.add("CONSENT_NOT_YET_VALID")
        if self.over(value) or self.expired(one):
            found.add("CONSENT_EXPIRED")
        if self.voided(one) or (shown and shown["invalid"] and span(shown["invalid"]).first <= self.at):
            found.add("CONSENT_INVALIDATED")
        if self.given_as_child(one) and not self.beside(one, nos, companies):
            found.add("CONSENT_AS_CHILD")
        return found

    def given_as_child(self, one: Heard) -> bool:
        """True if who is grown now gave a yes as a child (rule 8.2.43)."""
        return one.value["expressed_by"] != "guardian" and not self.child and self.child_on(one)

    def beside(self, one: Heard, nos: Sequence[Span], companies: frozenset[str]) -> bool:
        """True if a guardian's yes to the company of a yes, or to the sender, stands beside it.

        A guardian's click on a link that a child asked for is none: it says no more than the child.
        """
        named = {one.value["controller_id"], self.sender}
        return any(
            other.value["expressed_by"] == "guardian"
            and not self.differing(other, named)
            and not any(self.given_as_child(begun) for begun in self.given if other in self.completed_by(begun, ()))
            and self.stands(other, nos, companies)
            for other in self.given
        )

    def over(self, value: Mapping[str, Any]) -> bool:
        return bool(value.get("effective_to")) and span(value["effective_to"]).last < self.at

    def limited(self, one: Heard, companies: frozenset[str]) -> bool:
        """True if a later yes on the same notice, or likewise on none, has ended, and this one with it (rule 7.1.9)."""
        notice = one.value.get("notice_id")
        return any(
            self.over(later.value) and later.value.get("notice_id") == notice and spoken(one) <= said_last(later)
            for later in self.given
            if later is not one and not self.too_late(later) and not self.differing(later, companies)
        )

    def voided(self, one: Heard) -> bool:
        return self._ended_by_word(one, ("Invalidated", "Revoked"))

    def expired(self, one: Heard) -> bool:
        return self._ended_by_word(one, ("Expired",))

    def _ended_by_word(self, one: Heard, states: Sequence[str]) -> bool:
        """True if an event names a yes, or came later in its scope, and so ends it (rules 6.1, 7.1.9, 8.4.58)."""
        ids = {consent.value["record_id"] for consent in self.consents}
        here = not self.differing(one, [one.value["controller_id"]])
        for word in self.consents:
            said = word.value
            if said["state"] not in states:
                continue
            if said.get("voids") in ids:
                if said["voids"] == one.value["record_id"]:
                    return True
            elif spoken(one) <= no_time(said).last:
                company = self.said(word, self.sources, other=False)
                if company in self.bound([one.value["controller_id"]]) if here else self.is_about(word, one):
                    return True
        return False

    def ended_by(self, one: Heard, companies: frozenset[str]) -> bool:
        """True if a yes is limited, or an event ended it or one in scope that is not earlier (rule 7.1.9)."""
        return self.limited(one, companies) or any(
            self.expired(other) and spoken(one) <= said_last(other)
            for other in self.given
            if other is one or not self.differing(other, companies)
        )

    # -- children

    @cached_property
    def births(self) -> list[date]:
        return [day for s in self.kept if (day := birth(s.get("birth_date"), self.at)) is not None]

    def child_on(self, one: Heard) -> bool:
        said = spoken(one).astimezone(JAPAN).date()
        if not self.births or not one.value.get("event_time"):
            return False
        return age(max(self.births), said) < (16 if said >= SIXTEEN_SINCE else 15)

    @cached_property
    def child(self) -> bool:
        return bool(self.births) and age(max(self.births), self.at.astimezone(JAPAN).date()) < ADULT_NOW

    def maybe_minor(self, one: Heard) -> bool:
        """True if a yes may be a child's by all facts (rule 7.1.3)."""
        if one.value["expressed_by"] == "guardian":
            return False
        if self.births:
            return self.child_on(one)
        day = spoken(one).astimezone(JAPAN).date()
        years = 16 if day >= SIXTEEN_SINCE else 15
        marks = [
            Span(spoken(word), no_time(word.value).last) if is_yes(word.value) else said_at(word.value)
            for word in self.heard
            if word.value.get("expressed_by") == "guardian" and self._of_person(word)
        ]
        marks += [
            span(s["acquired_at"]) if s.get("acquired_at") else Span(FIRST, spoken(one))
            for s in self.kept
            if s.get("may_be_minor")
        ]
        until = max(said_last(one), spoken(one))
        return any(mark.first <= until and age(mark.last.astimezone(JAPAN).date(), day) < years for mark in marks)

    def _of_person(self, word: Heard) -> bool:
        """True for a consent of the person, or a stop that meets the person and that nobody ended."""
        if word.value.get("state") in ENDS or (word.topic == "suppressions" and self._ended(word, sure=True)):
            return False
        score, other, _ = self._meets(word.value)
        return bool(score) and not other

    def guarded(self, companies: frozenset[str]) -> bool:
        """True if a guardian's yes to the send stands."""
        nos, bound = self.spans(companies), self.bound(companies)
        for no in self.nos:
            if self.direct(no) and no.company in bound and self.is_of_send(no) and not self.lifted(no, of_all=False):
                return False  # beside an unlifted no nothing stands
        return any(
            one.value["expressed_by"] == "guardian"
            and not self.differing(one, companies)
            and self.stands(one, nos, companies)
            for one in self.given
        )

    @cached_property
    def age_uncertain(self) -> bool:
        today = self.at.astimezone(JAPAN).date()
        marked = any(
            s.get("may_be_minor")
            and (not s.get("acquired_at") or age(span(s["acquired_at"]).first.date(), today) < ADULT_NOW)
            for s in self.kept
        )
        own = any(
            birth(s.get("birth_date"), self.at)
            for s in self.kept
            if s["method"].startswith("direct.") and self.active(s)
        )
        return marked and not own

    def lifts(self, one: Heard, no: No, *, of_all: bool = True) -> bool:
        """True if a yes lifts a no (rules 6.3.3, 7.1.2 to 7.1.4, 7.1.10)."""
        value = one.value
        named = no.company in self.companies_ever and not no.answers
        allowed = frozenset({self.sender, no.company} if named else {self.sender})
        if value["expressed_by"] not in ("subject", "guardian", "agent") or value["controller_id"] not in allowed:
            return False
        if value["method"] not in METHODS or self.differing(one, allowed) or not spoken(one) > no.time.last:
            return False
        if any(span(value[name]).first > self.at for name in ("event_time", "recorded_at") if value.get(name)):
            return False
        if of_all and self.send["message_class"] == "confirmation" and not self.covers_all(value["purpose"], no):
            return False
        if self.too_late(one) or self.ended_by(one, allowed) or self.faults(one, self.spans_with(no), allowed):
            return False
        if self.maybe_minor(one) and self.of_guardian(no.speaker, no.time, other=no.other):
            return False
        return not (no.code == "CESSATION_REQUESTED" and no.value.get("state", "open") == "open")

    def of_guardian(self, speaker: str | None, said: Span, *, other: bool) -> bool:
        """True if a no is a guardian's, or perhaps one, as a guardian's yes preceded it (rule 7.1.3)."""
        unknown = speaker in (None, "import") and not other
        return speaker == "guardian" or (
            unknown
            and any(
                word.value["expressed_by"] == "guardian"
                and word.value["state"] in ("Given", "RenewedGiven")
                and spoken(word) <= said.last
                for word in self.consents
            )
        )

    def purpose_of(self, no: No) -> str:
        """Returns the purpose that a no names; a piece that came back refused is for every one (rule 6.1)."""
        scope = no.value.get("scope", {}) if "suppression_id" in no.value else no.value
        named = None if no.value["kind"] == "refusal_returned" else scope.get("purpose")
        return self.purposes_of_no(named, no.arrived)

    def is_of_send(self, no: No) -> bool:
        """True if a no is about the purpose of the send. Others only bar a question, and end no yes (rule 7.1.1)."""
        purpose = self.purpose_of(no)
        return purpose == "*" or is_at(self.purpose, purpose)

    def covers_all(self, agreed: str, no: No) -> bool:
        """True if a yes covers every advertisement that a no is about, as a question needs (rule 58)."""
        wide = self.purpose_of(no)
        marketing = [
            i for i, one in self.ref["purpose"].items() if one["marketing"] and (wide == "*" or is_at(i, wide))
        ]
        return all(self.covers(agreed, purpose, None) for purpose in marketing)

    def spans_with(self, no: No) -> list[Span]:
        """Returns the times of this no, and of those that a yes which lifts it must outlive.

        A stop that no yes lifts ends nothing but what lifts stops (rule 7.1.1).
        """
        bound = self.bound([self.sender])
        if "suppression_id" not in no.value and not no.other:
            return [no.time, *self.spans(frozenset({self.sender}))]
        return [no.time, *(each.time for each in self.nos if each.sure and each.company in bound)]

    def too_late(self, one: Heard) -> bool:
        """True for a yes to a predecessor after the succession closed (rule 7.5.24)."""
        closings = [
            span(s["succession"]["closed_at"]).last
            for s in self.kept
            if (s.get("succession") or {}).get("predecessor") == one.value["controller_id"]
        ]
        return one.value["controller_id"] != self.sender and any(spoken(one) > day for day in closings)

    def lifted(self, no: No, *, of_all: bool = True) -> bool:
        """True if a yes lifts a no. `of_all`: for a question, of every advertisement (rule 58)."""
        return any(self.lifts(one, no, of_all=of_all) for one in self.given)

    def dated_back(self, no: No) -> bool:
        """True if only yeses from between date and entry lift a no dated long before its entry (rule 8.1.41)."""
        if said_at(no.value).first + MONTH >= no.entered:
            return False
        return not any(spoken(one) > no.entered for one in self.given if self.lifts(one, no, of_all=False))

    def spans(self, companies: frozenset[str]) -> list[Span]:
        """Returns the times of all nos that end a yes to these companies (rule 7.1.1)."""
        bound = self.bound(companies)
        return [
            no.time
            for no in self.nos
            if no.sure
            and no.company in bound
            and self.is_of_send(no)
            and (self.direct(no) or self.lifted(no, of_all=False))
        ]

    def stands(self, one: Heard, nos: Sequence[Span], companies: frozenset[str]) -> bool:
        return (
            all(spoken(one) > no.last for no in nos)
            and not self.ended_by(one, companies)
            and not self.too_late(one)
            and not self.faults(one, nos, companies)
        )

    def order(self, one: Heard) -> tuple[datetime, bool, datetime]:
        """Returns the place of a yes among others, the latest last (rules 3.3, 6.3.5)."""
        ended = "CONSENT_EXPIRED" in self.faults(one, (), frozenset({one.value["controller_id"]}))
        return said_last(one), ended, span(one.value["recorded_at"]).last

    def latest(self, some: Sequence[Heard], nos: Sequence[Span], companies: frozenset[str]) -> tuple[Heard, set[str]]:
        """Returns the latest of some yeses, with its faults; of equal ones that with the gravest."""
        last = max(map(self.order, some))
        told = [(one, self.faults(one, nos, companies)) for one in some if self.order(one) == last]
        return max(told, key=lambda each: (worst(each[1]), len(each[1]), sorted(each[1]), spoken(each[0])))

    def is_about(self, no: Heard, one: Heard) -> bool:
        """True if a word touches what a yes allows (rule 6.3.7)."""
        yes, scope = one.value, self.scope_of(no, self.sources, other=False)
        points = self.point_of(yes)
        return (
            scope.company in self.bound([yes["controller_id"]])
            and (scope.purpose == "*" or is_at(yes["purpose"], scope.purpose))
            and (scope.channels is None or bool(scope.channels & {*yes["channels"]}))
            and (scope.tokens is None or points is None or bool(scope.tokens & points))
        )

    def covered_by_no(self, one: Heard) -> bool:
        """True if a no of the person is about a yes, and the yes is not later or cannot lift it (rule 6.3.7)."""
        return any(
            is_no(no.value)
            and self.is_about(no, one)
            and (
                spoken(one) <= no_time(no.value).last
                or (
                    self.maybe_minor(one) and self.of_guardian(no.value["expressed_by"], no_time(no.value), other=False)
                )
            )
            for no in self.consents
        )

    # -- by law

    @cached_property
    def duty(self) -> bool:
        """True if the channel asks for consent, and no exception stands for it."""
        return self.case.duty and not self.excepted

    @cached_property
    def excepted(self) -> bool:
        """True if the law asks no opt-in: an address in writing, a customer's, or a published one (rule 8.3.55)."""
        if not self.case.excepted or self.channel not in ("email", "sms"):
            return False
        if self.ref["controller"][self.sender].get("mail_order", True) or self.any_no or self.child or self.warned:
            return False
        counting = [s for s in self.kept if self.counts(s)]
        return bool(counting) and all(map(self.stands_by_law, counting))  # read strictly: none of another kind beside

    def stands_by_law(self, source: Mapping[str, Any]) -> bool:
        if not self.active(source) or not self.gives(source):
            return False
        if source.get("acquired_at") and span(source["acquired_at"]).first > self.at + SKEW:
            return False  # what is still to come clears nothing yet (rule 8.3.52)
        if source["method"].startswith("direct.") and source["collected_by"] == self.sender:
            written = source["method"] not in ("direct.support_call", "direct.observed")
            return written or source.get("relationship") == "customer"
        return source["method"] == "public.web" and bool(source.get("business"))

    @cached_property
    def any_no(self) -> bool:
        """True if a no meets the person, whatever its scope. One that was corrected is not read (rules 6.1, 8.1.40)."""
        refused = any(is_no(one.value) for one in self.consents)
        return refused or any(map(self._is_a_stop, self.heard)) or any(
            one.topic == "consents" and is_no(one.value) and self._meets(one.value)[0] for one in self.heard
        )  # fmt: skip

    def _is_a_stop(self, one: Heard) -> bool:
        stop = one.value
        if one.topic != "suppressions" or stop["kind"] not in WILL or stop.get("state") in ENDS:
            return False
        if stop.get("effective_until") and span(stop["effective_until"]).last < self.at:
            return False
        score = self._meets(stop)[0]
        sure = score >= FLOOR
        return bool(score) and not self._ended(one, sure) and not self._resolved(stop["suppression_id"], sure, one)

    @cached_property
    def warned(self) -> bool:
        """True if the person may be a child: a guardian spoke, or a source warns."""
        spoke = (w for w in self.heard if w.value.get("expressed_by") == "guardian" and not self.births)
        return any(map(self._of_person, spoke)) or any(s.get("may_be_minor") for s in self.kept)
