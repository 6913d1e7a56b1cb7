"""An independent reading of the domain's rules: which mail is clear, and else why not, by raw events alone.

It shares no code with the product. It knows neither tokens nor spellings: whoever makes the events says where each
token is (`Place`). It leaves out packs of other countries, versions of reference records, and what reviewers release.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta, timezone
from functools import cache, cached_property
from itertools import chain
from typing import Any, NamedTuple

JAPAN = timezone(timedelta(hours=9))
SKEW = timedelta(minutes=5)
MONTH = timedelta(days=31)
CHECKED_WITHIN = timedelta(days=30)
WINDOWS = {"postal": timedelta(days=30), "email": timedelta(days=14)}
CHANNELS = ("postal", "email", "sms", "phone", "fax", "push", "visit", "social")
METHODS = ("form", "paper", "phone", "counter", "postcard", "qr", "web", "app", "doi_confirm", "email_reply", "chat")
WRITTEN = ("form", "paper", "postcard", "qr", "web", "app", "doi_confirm", "email_reply")
BASES = ("consent", "other", "opt_out", "opt_out_filing")
CHECK = ("checked_at", "name", "address", "representative", "how_obtained")
ADULT_NOW = 16
SIXTEEN_SINCE = date(2026, 12, 2)
BOUGHT = ("indirect.purchased_list", "indirect.partner")
PASSED_ON = ("indirect.referral", "indirect.gift_recipient")
SHARED = ("indirect.joint_use", "indirect.succession", "indirect.entrusted")
ABSENCES = {"CONSENT_MISSING", "THIRD_PARTY_UNCONFIRMED", "PUBLIC_SOURCE_UNCONFIRMED", "REFERRAL_UNCONFIRMED"}
REVIEWED = {
    "NO_DATED_BACK", "AGE_UNCERTAIN", "NAME_NEAR_STOP", "PRINT_UNACCOUNTED", "SOURCE_CONFLICT",
    "CREATIVE_PERSON_UNRELEASED",
}  # fmt: skip
ASKED = ABSENCES | {
    "SUCCESSION_NOT_COVERED", "JOINT_USE_NOT_COVERED", "NOTICE_ITEMS_MISSING", "PURPOSE_NOT_COVERED",
    "CONTROLLER_MISMATCH", "CHANNEL_NOT_CONSENTED", "CONTACT_POINT_NOT_COVERED", "CONSENT_EVIDENCE_MISSING",
    "CONSENT_EXPIRED", "CONSENT_BY_OTHER", "CONSENT_AS_CHILD",
}  # fmt: skip
"""SOFT reasons that a question to the person heals. All others but those in REVIEWED are HARD."""
WILL = {
    "objection": "SUBJECT_OBJECTED",
    "cessation": "CESSATION_REQUESTED",
    "erasure": "SUBJECT_ERASED",
    "refusal_returned": "POSTAL_REFUSAL_RETURNED",
    "external": "EXTERNAL_PREFERENCE_LISTED",
}
RANKS = ("clear", "confirm", "review", "block")
SURE, FLOOR = 1000, 900


class Place(NamedTuple):
    """A home with the name printed there, or a mailbox. `name` None: everybody there."""

    where: str
    room: str = ""
    name: str | None = None


class Heard(NamedTuple):
    """A raw event of a topic, and when the log took it first."""

    topic: str
    value: dict[str, Any]
    arrived: datetime


class Case(NamedTuple):
    """One send at one instant, all events that may bear on it, and where the tokens of these are.

    `printed`: the place as the send prints it, then those of each name in it. `places`: of tokens. `duty`: the channel
    asks for consent. `lenient`: the policy asks for no notice and no confirmation. `score`: how surely a stop of one
    place meets another.
    """

    send: Mapping[str, Any]
    printed: Sequence[Place]
    events: Sequence[Heard]
    places: Mapping[str, Place]
    reference: Sequence[Mapping[str, Any]]
    at: datetime
    duty: bool
    lenient: bool
    score: Callable[[Place, Place], int]


class Span(NamedTuple):
    """The first and the last microsecond of a written time."""

    first: datetime
    last: datetime


@cache
def span(text: str) -> Span:
    if len(text) == 10:
        day = date.fromisoformat(text)
        return Span(datetime.combine(day, time.min, JAPAN), datetime.combine(day, time.max, JAPAN))
    found = datetime.fromisoformat(text)
    found = found if found.tzinfo else found.replace(tzinfo=JAPAN)
    return Span(found, found)


def worst(codes: Iterable[str]) -> int:
    """Returns the place in RANKS of the verdict of these reasons."""
    ranks = (2 if code in REVIEWED else 1 if code in ASKED else 3 for code in codes)
    return max(ranks, default=0)


class No(NamedTuple):
    """A no as it bears on the send. `other`: it was said under another id."""

    value: dict[str, Any]
    code: str
    time: Span
    entered: datetime
    company: str
    speaker: str | None
    sure: bool
    other: bool


class Law:
    """The facts of a case as the rules read them."""

    def __init__(self, case: Case) -> None:
        self.case, self.send, self.at = case, case.send, case.at
        self.sender, self.channel, self.purpose = (case.send[n] for n in ("controller_id", "channel", "purpose"))
        self.person = case.send["recipient_id"]
        by_kind: dict[str, dict[str, Any]] = {}
        for one in case.reference:
            by_kind.setdefault(one["kind"], {})[one.get("id") or one["terms_id"]] = one
        self.ref = by_kind
        self.heard = case.events
        self.mine = [one for one in case.events if one.value.get("recipient_id") == self.person]
        self.sources = self._sources(self.person)
        self.consents = [o for o in self.mine if o.topic == "consents" and o.value["kind"] == "consent"]
        self.person_events = [o.value for o in self.mine if o.topic == "consents" and o.value["kind"] != "consent"]
        self.asks = sorted(
            (o.value for o in self.mine if o.topic == "confirmations"), key=lambda ask: span(ask["at"]).first
        )
        self.kept = [s for s in self.sources if s.get("state") != "deleted"]

    # -- reading

    def _sources(self, person: str) -> list[dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for one in self.heard:
            if one.topic == "sources" and one.value["recipient_id"] == person:
                found[one.value["source_id"]] = one.value
        return list(found.values())

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

    def company_known(self, company: str, no: Span, sources: Sequence[dict[str, Any]]) -> bool:
        if company in self.ref["controller"]:
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

    def purposes_of_no(self, purpose: str | None) -> str:
        known = self.ref["purpose"]
        stands = purpose in known or any(one.startswith(f"{purpose}.") for one in known)
        return purpose if purpose and purpose != "*" and stands else "*"

    def said(self, no: Mapping[str, Any], when: Span, sources: Sequence[dict[str, Any]], *, other: bool) -> str | None:
        """Returns the company that a no names if the no covers the send but for the company, else None."""
        scope = no.get("scope", {}) if "suppression_id" in no else no
        if no["kind"] == "refusal_returned":
            scope = {**{n: scope[n] for n in ("controller", "group") if n in scope}, "channels": ["postal"]}
        company = scope.get("controller_id") or scope.get("controller") or "*"
        if "group" in scope and scope["group"] != "*":
            groups = {one.get("group") for one in self.ref["controller"].values()}
            company = f"group:{scope['group']}" if scope["group"] in groups else "*"
        when = said_at(no)
        if company != "*" and "group" not in scope and not self.company_known(company, when, sources):
            company = "*"
        purpose = self.purposes_of_no(scope.get("purpose"))
        barred = self.send["message_class"] == "confirmation" and (
            purpose == "*" or any(p["marketing"] and is_at(i, purpose) for i, p in self.ref["purpose"].items())
        )
        if not (purpose == "*" or is_at(self.purpose, purpose) or barred):
            return None
        channels = scope.get("channels") or "*"
        if not ("*" in channels or self.channel in channels or not {*channels} <= {*CHANNELS}):
            return None
        point = scope.get("contact_point_id") or scope.get("contact_point") or "*"
        known = point != "*" and not other and self.point_known(point, when, sources)
        return None if known and not self.tokens(point, sources) & self.here else company

    # -- nos

    @cached_property
    def nos(self) -> list[No]:
        """Every no that covers the send but for its company, lifted or not."""
        return [*self._suppressions(), *self._withdrawals()]

    def _ended(self, stop: Heard, sure: bool) -> bool:
        """True if an act of enough staff ended the stop as it stood (rule 8.1.40)."""
        value = stop.value
        sure = sure or "recipient_id" in value
        for one in self.heard:
            said = one.value
            if (
                one.topic == "suppressions"
                and said["suppression_id"] == value["suppression_id"]
                and said.get("state") in ("corrected", "rejected")
                and proven(said, 2 if sure or value["kind"] == "erasure" else 1)
                and word(said) == word(value)
                and stop.arrived <= one.arrived
            ):
                return True
        return False

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
            company = self.said(value, when, sources, other=other)
            if company is None:
                continue
            entered = span(value["recorded_at"]).last if value.get("recorded_at") else stop.arrived
            code = WILL[value["kind"]]
            yield No(value, code, when, entered, company, value.get("expressed_by"), score >= FLOOR, other)

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
        if value.get("whole_address") and len(listed(value.get("by"))) >= 2 and score:
            score = SURE
        return score, False, self.sources

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
                if homes and "@" in place.where:
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
            company = self.said(value, when, sources, other=other)
            if company is None:
                continue
            code = "CONSENT_WITHDRAWN" if value["state"] == "Withdrawn" else "CONSENT_REFUSED"
            entered = span(value["recorded_at"]).last
            yield No(value, code, when, entered, company, value["expressed_by"], score >= FLOOR, other)

    # -- yes

    @cached_property
    def given(self) -> list[Heard]:
        """Every yes that is read and names nothing unknown."""
        found = []
        for one in self.consents:
            value = one.value
            if value["state"] not in ("Given", "RenewedGiven") or value.get("event_type") == "implied":
                continue
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

    def notice(self, id_: str | None) -> dict[str, Any] | None:
        return self.ref["notice"].get(str(id_))

    def completed_by(self, one: Heard, nos: Sequence[Span]) -> list[Heard]:
        """Returns the clicks that complete a double opt-in, after every no."""
        return [
            click
            for click in self.given
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

    def faults(self, one: Heard, nos: Sequence[Span], companies: frozenset[str], *, alone: bool = True) -> set[str]:
        """Returns the faults of a yes (rules 6.3.2, 7.1.10, 8.2.43, 8.2.47)."""
        value, found = one.value, set()
        imported = value["method"] not in METHODS or value["expressed_by"] == "import"
        evidence = self.record_of(one, nos)
        shown = self.notice(value.get("notice_id"))
        enough = evidence or (shown is not None and not imported)
        if value["expressed_by"] in ("agent", "guardian") or value["method"] in ("email_reply", "chat"):
            enough = evidence
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
                found |= self.faults(begin, nos, companies, alone=alone)
            if not begun:
                found.add("CONSENT_UNCONFIRMED")
        begins = [span(value[name]).last for name in ("event_time", "effective_from") if value.get(name)]
        if begins and max(begins) > self.at + SKEW:
            found.add("CONSENT_NOT_YET_VALID")
        if self.over(value) or self.limited(one, companies) or self.expired(one):
            found.add("CONSENT_EXPIRED")
        if self.voided(one) or (
            shown and shown.get("invalidated_at") and span(shown["invalidated_at"]).first <= self.at
        ):
            found.add("CONSENT_INVALIDATED")
        if alone and value["expressed_by"] != "guardian" and self.child_on(one) and not self.guarded(companies):
            found.add("CONSENT_AS_CHILD")
        return found

    def over(self, value: Mapping[str, Any]) -> bool:
        return bool(value.get("effective_to")) and span(value["effective_to"]).last < self.at

    def limited(self, one: Heard, companies: frozenset[str]) -> bool:
        """True if a later yes on the same notice has ended, and this one with it (rule 7.1.9)."""
        notice = one.value.get("notice_id")
        return notice is not None and any(
            self.over(later.value) and later.value.get("notice_id") == notice and spoken(one) <= said_last(later)
            for later in self.given
            if later is not one and not self.too_late(later) and not self.differing(later, companies)
        )

    def _end_events(self, states: Sequence[str]) -> Iterator[dict[str, Any]]:
        for one in self.consents:
            if one.value["state"] in states:
                company = self.said(one.value, no_time(one.value), self.sources, other=False)
                if company is not None:
                    yield one.value

    def voided(self, one: Heard) -> bool:
        ids = {consent.value["record_id"] for consent in self.consents}
        for value in self.consents:
            said = value.value
            if said["state"] not in ("Invalidated", "Revoked"):
                continue
            if said.get("voids") in ids:
                if said["voids"] == one.value["record_id"]:
                    return True
                continue
            company = self.said(said, no_time(said), self.sources, other=False)
            if company in ("*", one.value["controller_id"]) and spoken(one) <= no_time(said).last:
                return True
        return False

    def expired(self, one: Heard) -> bool:
        """True if an EXPIRED event ends a yes."""
        for value in self._end_events(["Expired"]):
            company = self.said(value, no_time(value), self.sources, other=False)
            if company in self.bound([one.value["controller_id"]]) and spoken(one) <= no_time(value).last:
                return True
        return False

    def ended_by(self, one: Heard, companies: frozenset[str]) -> bool:
        """True if a yes, or one in scope that is not earlier, has expired by an event (rule 7.1.9)."""
        return any(
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
        return bool(self.births) and age(max(self.births), said) < (16 if said >= SIXTEEN_SINCE else 15)

    @cached_property
    def child(self) -> bool:
        return bool(self.births) and age(max(self.births), self.at.astimezone(JAPAN).date()) < ADULT_NOW

    def maybe_minor(self, one: Heard) -> bool:
        """True if a yes may be a child's by all facts (rule 7.1.3)."""
        if one.value["expressed_by"] == "guardian":
            return False
        if self.births:
            return self.child_on(one)
        said = spoken(one)
        day = said.astimezone(JAPAN).date()
        years = 16 if day >= SIXTEEN_SINCE else 15
        marks = [
            min(counted(word.value).first, word.arrived)
            for word in self.heard
            if word.value.get("expressed_by") == "guardian" and self._of_person(word)
        ]
        marks += [
            span(s["acquired_at"]).first if s.get("acquired_at") else said for s in self.kept if s.get("may_be_minor")
        ]
        return any(mark <= said and age(mark.astimezone(JAPAN).date(), day) < years for mark in marks)

    def _of_person(self, word: Heard) -> bool:
        """True for a consent of the person, or a stop that meets the person and that nobody ended."""
        if word.value.get("state") in ENDS or (word.topic == "suppressions" and self._ended(word, sure=True)):
            return False
        score, other, _ = self._meets(word.value)
        return bool(score) and not other

    def guarded(self, companies: frozenset[str]) -> bool:
        """True if a guardian's yes to the send stands."""
        nos = self.spans(companies)
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

    # -- standing

    def bound(self, companies: Iterable[str]) -> set[str]:
        groups = {f"group:{self.ref['controller'].get(c, {}).get('group')}" for c in companies}
        return {*companies, *groups, "*"}

    def lifts(self, one: Heard, no: No) -> bool:
        """True if a yes lifts a no (rules 6.3.3, 7.1.2 to 7.1.4, 7.1.10)."""
        value = one.value
        allowed = {self.sender, *({no.company} if no.company in self.companies_ever else ())}
        if value["expressed_by"] not in ("subject", "guardian", "agent") or value["controller_id"] not in allowed:
            return False
        if value["method"] not in METHODS or self.differing(one, allowed) or not spoken(one) > no.time.last:
            return False
        if any(span(value[name]).first > self.at for name in ("event_time", "recorded_at") if value.get(name)):
            return False
        if value["expressed_by"] != "guardian" and self.child_on(one):
            company = frozenset({value["controller_id"], self.sender})
            spans = [
                each.time for each in self.nos if each.sure and (each is no or each.company in self.bound(company))
            ]
            if not any(
                other.value["expressed_by"] == "guardian"
                and not self.differing(other, company)
                and all(spoken(other) > each.last for each in spans)
                and not self.faults(other, spans, company)
                for other in self.given
            ):
                return False
        asks = self.send["message_class"] == "confirmation" and no.company in self.bound([self.sender])
        if asks and not self.covers_all(value["purpose"], no):
            return False
        if self.too_late(one) or self.ended_by(one, frozenset(allowed)) or self.own_faults(one, no):
            return False
        if self.maybe_minor(one):
            unknown = (
                no.speaker in (None, "import")
                and not no.other
                and any(
                    g.value["expressed_by"] == "guardian"
                    and g.value["state"] in ("Given", "RenewedGiven")
                    and spoken(g) <= no.time.last
                    for g in self.consents
                )
            )
            if no.speaker == "guardian" or unknown:
                return False
        return not (no.code == "CESSATION_REQUESTED" and no.value.get("state", "open") == "open")

    def covers_all(self, agreed: str, no: No) -> bool:
        """True if a yes covers every advertisement that a no is about, as a question needs (rule 58)."""
        wide = self.purposes_of_no(
            (no.value.get("scope", {}) if "suppression_id" in no.value else no.value).get("purpose")
        )
        marketing = [
            i for i, one in self.ref["purpose"].items() if one["marketing"] and (wide == "*" or is_at(i, wide))
        ]
        return all(self.covers(agreed, purpose, None) for purpose in marketing)

    def own_faults(self, one: Heard, no: No) -> set[str]:
        """Returns the faults of a yes that may lift a no, without those that a guardian heals."""
        return self.faults(one, self.spans_with(no), frozenset({one.value["controller_id"]}), alone=False)

    def spans_with(self, no: No) -> list[Span]:
        """Returns the times of the sure nos in scope, and of this one if it is in scope."""
        bound = self.bound([self.sender])
        return [each.time for each in self.nos if each is no or (each.sure and each.company in bound)]

    @cached_property
    def companies_ever(self) -> set[str]:
        return {*self.ref["controller"], *chain.from_iterable(map(parties, self.sources))}

    def too_late(self, one: Heard) -> bool:
        """True for a yes to a predecessor after the succession closed (rule 7.5.24)."""
        closings = [
            span(s["succession"]["closed_at"]).last
            for s in self.sources
            if (s.get("succession") or {}).get("predecessor") == one.value["controller_id"]
        ]
        return one.value["controller_id"] != self.sender and any(spoken(one) > day for day in closings)

    def lifted(self, no: No) -> bool:
        return any(self.lifts(one, no) for one in self.given)

    def dated_back(self, no: No) -> bool:
        """True if only yeses from between date and entry lift a no dated long before its entry (rule 8.1.41)."""
        if no.time.first + MONTH >= no.entered:
            return False
        return not any(spoken(one) > no.entered for one in self.given if self.lifts(one, no))

    def spans(self, companies: frozenset[str]) -> list[Span]:
        """Returns the times of all nos that end a yes to these companies (rule 7.1.1)."""
        bound = self.bound(companies)
        return [no.time for no in self.nos if no.sure and no.company in bound and (self.direct(no) or self.lifted(no))]

    @staticmethod
    def direct(no: No) -> bool:
        """True for a word of the consents of the person."""
        return "suppression_id" not in no.value and not no.other

    def stands(self, one: Heard, nos: Sequence[Span], companies: frozenset[str]) -> bool:
        return (
            all(spoken(one) > no.last for no in nos)
            and not self.ended_by(one, companies)
            and not self.too_late(one)
            and not self.faults(one, nos, companies)
        )

    # -- lanes

    def active(self, source: Mapping[str, Any]) -> bool:
        batch = self.ref["batch"].get(str(source.get("batch_id")), {})
        return (
            source.get("state", "active") == "active"
            and not batch.get("flags")
            and batch.get("state", "active") == "active"
        )

    def gives(self, source: Mapping[str, Any]) -> bool:
        return any(p["token"] in self.here for p in source.get("contact_points", ()))

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

    def source_reasons(self, source: Mapping[str, Any]) -> set[str]:
        """Returns the reasons of every lane."""
        found = set()
        batch = self.ref["batch"].get(str(source.get("batch_id")), {})
        if source.get("state") == "illicit" or batch.get("flags"):
            found.add("SOURCE_ILLICIT")
        if source.get("state") == "quarantined" or batch.get("state") == "quarantined":
            found.add("SOURCE_BATCH_QUARANTINED")
        if any(p.get("derived_from") and p["token"] in self.here for p in source.get("contact_points", ())):
            found.add("ENTRUSTED_COMMINGLED")
        if source.get("acquired_at") and span(source["acquired_at"]).first > self.at + SKEW:
            found.add("SOURCE_NOT_YET")
        if any(one.get("retention_until") and span(one["retention_until"]).last < self.at for one in (source, batch)):
            found.add("RETENTION_OVER")
        method = source["method"]
        if method in BOUGHT:
            found |= self.provider_reasons(source, batch)
        if method == "unknown.legacy":
            found.add("SOURCE_UNKNOWN")
        if method == "indirect.entrusted":
            entrusted = source.get("entrustment") or {}
            day = span(source["acquired_at"]).first if source.get("acquired_at") else None
            inside = any(self.covers(p, self.purpose, day) for p in entrusted.get("purposes", ()))
            if entrusted.get("entruster") != self.sender or not inside:
                found.add("ENTRUSTED_OWN_USE")
        if method == "indirect.joint_use" and "JOINT_USE_OFF" not in found:
            terms = self.terms(source)
            if terms is None:
                found.add("JOINT_USE_TERMS_MISSING")
            elif not {self.sender, source["collected_by"]} <= {*terms["parties"]}:
                found.add("JOINT_USE_PARTY_OUT_OF_RANGE")
        return found

    def provider_reasons(self, source: Mapping[str, Any], batch: Mapping[str, Any]) -> set[str]:
        shared = source.get("shared_at") or source.get("acquired_at")
        checks = [one["check"] for one in (source, batch) if one.get("check")]
        checks = [c for c in checks if shared and all(c.get(n) for n in CHECK)]
        checks = [c for c in checks if span(c["checked_at"]).last <= span(shared).last + CHECKED_WITHIN]
        if not checks:
            return {"SOURCE_CHECK_MISSING", "PROVIDER_BASIS_MISSING"}
        check = max(checks, key=lambda c: span(c["checked_at"]).last)
        links = check.get("chain", ())
        providers = self.ref.get("provider", {})
        if any(link in ("opt_out", "opt_out_filing") or providers.get(link, {}).get("opt_out") for link in links):
            return {"PROVIDER_OPTOUT_CHAIN"}
        unregistered = any(link not in BASES and link not in providers for link in links)
        if "other" in links:
            return {"PROVIDER_BASIS_MISSING"}
        lawful = check.get("basis") == "consent" or (check.get("basis") == "opt_out_filing" and check.get("filing_no"))
        return set() if lawful and not unregistered else {"PROVIDER_BASIS_MISSING"}

    def terms(self, source: Mapping[str, Any]) -> Mapping[str, Any] | None:
        shared = source.get("shared_at") or source.get("acquired_at")
        versions = [
            one
            for one in self.case.reference
            if one["kind"] == "joint_use_terms"
            and one["terms_id"] == source.get("terms_id")
            and one["complete"]
            and shared
            and span(one["published_at"]).last < span(shared).first
        ]
        return max(versions, key=lambda one: span(one["published_at"]).last) if versions else None

    def parties_of(self, source: Mapping[str, Any]) -> frozenset[str]:
        if source["method"] == "indirect.joint_use":
            return frozenset({self.sender, source["collected_by"]})
        if source["method"] == "indirect.succession" and source.get("succession"):
            return frozenset({self.sender, source["succession"]["predecessor"]})
        return frozenset({self.sender})

    def lane(self, source: Mapping[str, Any]) -> tuple[set[str], Heard | None]:
        """Returns the reasons of a source alone, and its effective consent."""
        common = self.source_reasons(source)
        if "ENTRUSTED_OWN_USE" in common:
            return common, None
        companies = self.parties_of(source)
        bound = self.bound(companies)
        nos = self.spans(companies)
        in_scope = [one for one in self.given if not self.differing(one, companies) and not self.too_late(one)]
        in_scope.sort(key=lambda one: (said_last(one), self.over(one.value) or self.expired(one)))
        unlifted = [
            no
            for no in self.nos
            if "suppression_id" not in no.value
            and (no.company in bound if not no.other else no.sure and no.company in companies - {self.sender})
            and not self.lifted(no)
        ]
        if unlifted:
            said = {no.code for no in unlifted}
            if in_scope and all(spoken(in_scope[-1]) > no.time.last for no in unlifted):
                said |= self.faults(in_scope[-1], nos, companies) if self.case.duty else set()
            return common | self.by_method(source, None) | said, None
        standing = [one for one in in_scope if self.stands(one, nos, companies)]
        if standing:
            tried = [
                (common | self.by_method(source, one) | self.unrecorded(one, nos), one) for one in reversed(standing)
            ]
            return min(tried, key=lambda each: (worst(each[0]), len(each[0])))
        found = common | self.by_method(source, None)
        if not self.case.duty:
            return found, None
        said = (self.faults(in_scope[-1], nos, companies) or {"CONSENT_EXPIRED"}) if in_scope else self.near()
        if source["method"] == "indirect.joint_use":
            said = said - {"PURPOSE_NOT_COVERED", "CONTROLLER_MISMATCH"} or (
                {"CONSENT_MISSING"} if not found else set()
            )
        if said & {"CONSENT_AS_CHILD"} and self.child:
            said = said - {"CONSENT_AS_CHILD"} or {"CONSENT_EXPIRED"}  # MINOR_NO_GUARDIAN is told of the person
        return found | said, None

    def near(self) -> set[str]:
        """Returns the reasons of the nearest miss (rule 6.3.7)."""
        others = {p for s in self.sources for p in (self.parties_of(s) if s["method"] in SHARED else ())} - {
            self.sender
        }
        missed = [
            (len(codes), codes)
            for one in sorted(self.given, key=spoken, reverse=True)
            if one.value["controller_id"] not in others
            and (codes := self.differing(one, [self.sender]))
            and not self.faults(one, (), frozenset({self.sender}))
        ]
        return {*min(missed, key=lambda each: each[0])[1]} if missed else {"CONSENT_MISSING"}

    def by_method(self, source: Mapping[str, Any], consent: Heard | None) -> set[str]:
        """Returns the reasons of the source's own lane, given the effective consent."""
        method = source["method"]
        if method.startswith("direct."):
            return self.direct_lane(source, consent)
        if method == "indirect.joint_use":
            return self.joint_lane(source, consent)
        if method == "indirect.succession":
            return self.succession_lane(source, consent)
        if method in BOUGHT or method in PASSED_ON or method.startswith("public."):
            return self.other_lane(source, consent)
        return set()

    def told(self, source: Mapping[str, Any], notice: Mapping[str, Any] | None, day: datetime | None) -> bool:
        acquired = span(source["acquired_at"]).first if source.get("acquired_at") else None
        return any(self.covers(p, self.purpose, acquired) for p in source.get("purposes_told", ())) or bool(
            notice and any(self.covers(p, self.purpose, day) for p in notice["purposes"])
        )

    def shown(self, source: Mapping[str, Any], consent: Heard | None) -> dict[str, Any] | None:
        """Returns the notice of the effective consent, else of the source."""
        named = consent.value.get("notice_id") if consent else None
        return self.notice(named or source.get("notice_id"))

    def agreed_on(self, source: Mapping[str, Any], consent: Heard | None, collector: str) -> bool:
        """True if there is a yes, and the notices of yes and source are complete ones of collector or sender."""
        named = [one.get("notice_id") for one in (consent.value if consent else {}, source)]
        shown = [self.notice(id_) for id_ in named if id_]
        return bool(consent and shown) and all(
            one and one["complete"] and one["controller_id"] in (collector, self.sender) for one in shown
        )

    def direct_lane(self, source: Mapping[str, Any], consent: Heard | None) -> set[str]:
        found = set()
        shown = self.shown(source, consent)
        if source["collected_by"] != self.sender or (shown and shown["controller_id"] != self.sender):
            found.add("CONTROLLER_MISMATCH")
        told = self.told(source, shown, None)
        if not told:
            found.add("PURPOSE_NOT_COVERED")
        if (shown and not shown["complete"] and not shown.get("accepted_legacy")) or (shown is None and told):
            found.add("NOTICE_ITEMS_MISSING")
        return found - {"NOTICE_ITEMS_MISSING"} if self.case.lenient else found

    def joint_lane(self, source: Mapping[str, Any], consent: Heard | None) -> set[str]:
        terms = self.terms(source)
        if terms is None:
            return set()
        day = span(terms["published_at"]).last
        early = source.get("acquired_at") is None or span(source["acquired_at"]).first <= day
        told = self.told(source, self.notice(source.get("notice_id")), None)
        missing = not any(self.covers(p, self.purpose, None) for p in terms["purposes"]) or (early and not told)
        if not self.case.lenient:
            missing = missing or not self.agreed_on(source, consent, source["collected_by"])
        return {"JOINT_USE_NOT_COVERED"} if missing else set()

    def succession_lane(self, source: Mapping[str, Any], consent: Heard | None) -> set[str]:
        deal = source.get("succession")
        if not deal:
            return {"SUCCESSION_NOT_COVERED", "PURPOSE_NOT_COVERED"}
        closed = span(deal["closed_at"]).last
        found = {"SUCCESSION_NOT_COVERED"} if closed > self.at else set()
        if consent and consent.value["controller_id"] == self.sender and seen(consent) > closed:
            named = self.notice(consent.value.get("notice_id"))
            if named and named["complete"] and named["controller_id"] == self.sender:
                return (
                    set()
                    if any(self.covers(p, self.purpose, None) for p in named["purposes"])
                    else {"PURPOSE_NOT_COVERED"}
                )
        day = span(source["acquired_at"]).first if source.get("acquired_at") else None
        if not any(self.covers(p, self.purpose, day) for p in deal.get("old_purposes", ())):
            found |= {"SUCCESSION_NOT_COVERED", "PURPOSE_NOT_COVERED"}
        if not self.case.lenient and not self.agreed_on(source, consent, deal["predecessor"]):
            found.add("SUCCESSION_NOT_COVERED")
        return found

    def other_lane(self, source: Mapping[str, Any], consent: Heard | None) -> set[str]:
        refused = {no.code for no in self.refusals if not self.lifted(no)}
        if refused:
            return {"CONSENT_REFUSED"}
        back = {"NO_DATED_BACK"} if any(self.dated_back(no) for no in self.refusals) else set()
        return back | self.unconfirmed(source, consent)

    def unconfirmed(self, source: Mapping[str, Any], consent: Heard | None) -> set[str]:
        if consent and self.confirms(source, consent):
            return set()
        if self.case.lenient and (consent or not self.case.duty):
            return set()
        if asked := self.asked():
            return asked
        if self.case.lenient:
            return set()
        method = source["method"]
        name = "THIRD_PARTY" if method in BOUGHT else "REFERRAL" if method in PASSED_ON else "PUBLIC_SOURCE"
        return {f"{name}_UNCONFIRMED"}

    def route(self, source: Mapping[str, Any]) -> str:
        return str(source.get("route") or source["method"])

    def confirms(self, source: Mapping[str, Any], consent: Heard) -> bool:
        route = self.route(source)
        if route.startswith("direct."):
            return False
        for ask in self.asks:
            if (
                ask["request_id"] == consent.value.get("answers")
                and ask["source_id"] == source["source_id"]
                and ask.get("controller_id", self.sender) == self.sender
            ):
                template = self.ref["template"].get(ask["template_id"])
                if template and template["ask_complete"] and ask["stated_route"] == route:
                    return True
        shown = self.notice(consent.value.get("notice_id"))
        if not shown or not shown["complete"] or shown.get("states_route") != route:
            return False
        if shown["controller_id"] == self.sender:
            return True
        return self.sender in shown.get("names", ()) and any(
            self.covers(p, self.purpose, None) for p in shown["purposes"]
        )

    @cached_property
    def other_asks(self) -> list[dict[str, Any]]:
        """Asks about sources of class other, deleted and unknown ones too (rule 7.1.11)."""
        methods = {s["source_id"]: s["method"] for s in self.sources}
        other = (*BOUGHT, *PASSED_ON, "public.")
        return [
            ask
            for ask in self.asks
            if methods.get(ask["source_id"], "public.").startswith(other)
            and ask.get("controller_id", self.sender) == self.sender
            and span(ask["at"]).first <= self.at
        ]

    @cached_property
    def refusals(self) -> list[No]:
        ids = {ask["request_id"] for ask in self.other_asks}
        refused = [o.value for o in self.consents if o.value["state"] == "Refused" and o.value.get("answers") in ids]
        return [
            No(
                value,
                "CONSENT_REFUSED",
                no_time(value),
                span(value["recorded_at"]).last,
                value["controller_id"],
                value["expressed_by"],
                sure=True,
                other=False,
            )
            for value in refused
        ]

    def asked(self) -> set[str]:
        """Returns the reason that the newest ask leaves."""
        if not self.other_asks:
            return set()
        ask = self.other_asks[-1]
        answers = [o for o in self.consents if o.value.get("answers") == ask["request_id"]]
        if self.said_yes(ask):
            return {"CONFIRMATION_CAP_REACHED"} if self.sound(ask) else {"CONFIRMATION_DEFECTIVE"}
        if answers:
            return {"CONFIRMATION_CAP_REACHED"}
        if any(e["kind"] == "ask_undelivered" and e["request_id"] == ask["request_id"] for e in self.person_events):
            return {"CONFIRMATION_UNDELIVERED"}
        window = WINDOWS.get(ask["channel"], WINDOWS["postal"])
        return {"CONFIRMATION_PENDING" if self.at < span(ask["at"]).first + window else "CONFIRMATION_LAPSED"}

    # -- the person

    def will(self) -> set[str]:
        """Returns what the person's stops say of the send."""
        found = set()
        for no in self.nos:
            if no.company not in self.bound({self.sender, *self.companies_before(no)}):
                continue
            if self.lifted(no):
                if self.dated_back(no):
                    found.add("NO_DATED_BACK")
            elif not no.sure:
                found.add("NAME_NEAR_STOP")
            elif not self.direct(no):
                found.add(no.code)
        return found

    def companies_before(self, no: No) -> set[str]:
        """Returns the predecessors of the sender, by the sources of who said a no."""
        sources = self._sources(no.value["recipient_id"]) if no.other else self.kept
        return {s["succession"]["predecessor"] for s in sources if s.get("succession")}

    def status(self) -> set[str]:
        found = set()
        for stop in self.heard:
            value = stop.value
            if stop.topic != "suppressions" or value.get("state") in ENDS:
                continue
            if value["kind"] == "deceased":
                score, other, _ = self._meets(value)
                sure = score >= FLOOR
                if score and not self._ended(stop, sure) and not self._resolved(value["suppression_id"], sure, stop):
                    if other:  # a mailbox carries no name
                        sure = self._crossing(self._sources(value["recipient_id"]), "*", value, homes=True) >= FLOOR
                    found.add("RECIPIENT_DECEASED" if sure else "NAME_NEAR_STOP")
            elif value["kind"] == "undeliverable":
                found |= self.undelivered(stop)
        return found

    def undelivered(self, stop: Heard) -> set[str]:
        value = stop.value
        scope = value.get("scope", {})
        if value.get("recipient_id"):
            if value["recipient_id"] != self.person:
                return set()
            point = scope.get("contact_point", "*")
            if point != "*" and not self.tokens(point, self.sources) & self.here:
                return set()
            score = SURE
        else:
            score = max(self.case.score(self.case.places[value["token"]], one) for one in self.case.printed)
            point = scope.get("contact_point", "*")
            if point != "*" and not self.tokens(point, self.sources) & self.here:
                return set()
        channels = scope.get("channels") or "*"
        sure = score >= FLOOR
        if not score or self._ended(stop, sure) or self._resolved(value["suppression_id"], sure, stop):
            return set()
        if not ("*" in channels or self.channel in channels):
            return set()
        when = counted(value)
        healed = any(
            e["kind"] == "undeliverable_resolved"
            and e.get("by")
            and e.get("evidence_ref")
            and span(e["at"]).first > when.last
            and (not e.get("contact_point_id") or self.tokens(e["contact_point_id"], self.sources) & self.here)
            for e in self.person_events
        ) or any(
            s["method"].startswith("direct.") and self.gives(s) and self.active(s)
            and s.get("acquired_at") and when.last < span(s["acquired_at"]).first <= self.at + SKEW
            for s in self.kept
        )  # fmt: skip
        return set() if healed else {"NAME_NEAR_STOP" if score < FLOOR else "CONTACT_UNDELIVERABLE"}

    # -- the whole

    def verdict(self) -> tuple[str, set[str]]:
        """Returns the verdict of the send, and its reasons."""
        found = {"marketing": self.marketing, "confirmation": self.question}.get(
            self.send["message_class"], self.service
        )()
        return RANKS[worst(found)], found

    def suspended(self) -> set[str]:
        sender = self.ref["controller"][self.sender]
        since, until = sender.get("suspended_since"), sender.get("suspended_until")
        stopped = since and span(since).first <= self.at and not (until and span(until).last < self.at)
        classes = sender.get("suspends", ("marketing", "confirmation", "transactional"))
        return {"SENDING_SUSPENDED"} if stopped and self.send["message_class"] in classes else set()

    def service(self) -> set[str]:
        found = self.suspended()
        if self.send["message_class"] != "transactional":
            return self.status() & {"CONTACT_UNDELIVERABLE"}
        found |= self.status() - {"NAME_NEAR_STOP"}
        for no in self.nos:
            later = any(
                s["method"].startswith("direct.") and self.gives(s) and self.active(s)
                and s.get("acquired_at") and no.time.last < span(s["acquired_at"]).first <= self.at + SKEW
                for s in self.kept
            )  # fmt: skip
            bound = self.bound({self.sender, *self.companies_before(no)})
            if no.code == "SUBJECT_ERASED" and no.sure and no.company in bound and not later:
                found.add("SUBJECT_ERASED")
        return found

    def cap_reached(self, basis: Mapping[str, Any]) -> bool:
        other = basis["method"].startswith((*BOUGHT, *PASSED_ON, "public."))
        asks = self.other_asks if other else [a for a in self.asks if a["source_id"] == basis["source_id"]]
        returned = {e["request_id"] for e in self.person_events if e["kind"] == "ask_undelivered"}
        return any(
            a["request_id"] not in returned and a["request_id"] != self.send.get("request_id")
            and not (self.said_yes(a) and not self.sound(a))
            for a in asks
        )  # fmt: skip

    def said_yes(self, ask: Mapping[str, Any]) -> bool:
        return any(
            o.value.get("answers") == ask["request_id"]
            and o.value["state"] in ("Given", "RenewedGiven")
            and o.value["expressed_by"] in ("subject", "guardian", "agent")
            for o in self.consents
        )

    def sound(self, ask: Mapping[str, Any]) -> bool:
        """True if a question was complete and stated the route of its source."""
        template = self.ref["template"].get(ask["template_id"])
        source = next((s for s in self.sources if s["source_id"] == ask["source_id"]), None)
        return bool(template and template["ask_complete"] and source and ask["stated_route"] == self.route(source))

    def unlawful_channel(self) -> bool:
        if self.channel == "postal":
            return False
        return self.channel != "email" or not any(
            s["method"].startswith("direct.") and self.gives(s) for s in self.kept
        )

    def question(self) -> set[str]:
        found = self.suspended() | self.will() | self.status()
        source = next((s for s in self.kept if s["source_id"] == self.send["source_id"]), None)
        asked = self.parties_of(source) if source else [self.sender]
        found |= {
            no.code for no in self.nos if self.direct(no) and no.company in self.bound(asked) and not self.lifted(no)
        }
        if source is None:
            return found | {"SOURCE_UNKNOWN"}
        found |= self.source_reasons(source)
        if not self.counts(source):
            found.add("CONTACT_POINT_NOT_COVERED")
        if self.unlawful_channel():
            found.add("CONFIRMATION_CHANNEL_UNLAWFUL")
        if self.cap_reached(source):
            found.add("CONFIRMATION_CAP_REACHED")
        if class_of(source) and self.route(source).startswith("direct."):
            found.add("CONFIRMATION_DEFECTIVE")
        if self.child and not self.guarded(frozenset({self.sender})):
            found.add("MINOR_NO_GUARDIAN")
        if self.age_uncertain and not self.guarded(frozenset({self.sender})):
            found.add("AGE_UNCERTAIN")
        if worst(found) == 1:
            found.add("NO_ROUTE")
        return found

    def marketing(self) -> set[str]:
        counting = [s for s in self.kept if self.counts(s)]
        judged = [(*self.lane(s), s) for s in counting or self.kept]
        found = self.suspended() | self.will() | self.status() | self.of_the_piece()
        basis = None
        if judged:
            reasons, consent, basis = min(
                judged,
                key=lambda each: (worst(each[0]), len(each[0]), class_of(each[2]), each[2]["source_id"]),
            )
        else:
            reasons, consent = {"SOURCE_UNKNOWN"}, None
        reasons = {*reasons}
        if not counting and self.kept:
            reasons.add("CONTACT_POINT_NOT_COVERED")
        if basis:
            reasons |= self.conflict(basis, consent, reasons, counting)
        companies = self.parties_of(basis) if basis else frozenset({self.sender})
        bound = self.bound(companies)
        if any(self.direct(no) and no.company in bound and self.lifted(no) and self.dated_back(no) for no in self.nos):
            reasons.add("NO_DATED_BACK")
        guarded = self.guarded(companies)
        if self.child and not guarded:
            reasons.add("MINOR_NO_GUARDIAN")
        if self.age_uncertain and not guarded:
            reasons.add("AGE_UNCERTAIN")
        found |= reasons | self.opt_in(basis, consent, reasons, found)
        if found & {*WILL.values(), "CONSENT_WITHDRAWN", "CONSENT_REFUSED"} or worst(found - ABSENCES) == 3:
            found -= ABSENCES
        if found and worst(found) == 1:
            found |= self.cannot_ask(basis, counting)
        return found

    def cannot_ask(self, basis: Mapping[str, Any] | None, counting: Sequence[Any]) -> set[str]:
        found = set()
        if self.unlawful_channel():
            found.add("CONFIRMATION_CHANNEL_UNLAWFUL")
        if basis and self.cap_reached(basis):
            found.add("CONFIRMATION_CAP_REACHED")
        if not counting:
            found.add("NO_ROUTE")
        if basis and class_of(basis) and self.route(basis).startswith("direct."):
            found.add("CONFIRMATION_DEFECTIVE")
        return found

    def conflict(self, basis: Any, consent: Any, reasons: set[str], counting: Sequence[Any]) -> set[str]:
        unproven = "CONSENT_EVIDENCE_MISSING" in reasons or not basis.get("acquired_at")
        for other in counting:
            if other is basis or not self.gives(other):
                continue
            if "SOURCE_ILLICIT" in self.source_reasons(other):
                if unproven or class_of(basis) != 0:
                    return {"SOURCE_CONFLICT"}
            elif unproven and class_of(other) != class_of(basis):
                return {"SOURCE_CONFLICT"}
        return set()

    def opt_in(self, basis: Any, consent: Heard | None, reasons: set[str], found: set[str]) -> set[str]:
        if self.channel not in ("email", "sms"):
            return set()
        if (reasons | found) & {*WILL.values(), "CONSENT_WITHDRAWN", "CONSENT_REFUSED"}:
            return set()
        ours = {self.sender}
        closings: dict[str, datetime] = {}
        for deal in [source["succession"] for source in self.kept if source.get("succession")]:
            if span(deal["closed_at"]).last <= self.at:
                closings[deal["predecessor"]] = span(deal["closed_at"]).last
        to_us = [
            one
            for one in self.given
            if self.channel in one.value["channels"]
            and (one.value["controller_id"] in ours or spoken(one) <= closings.get(one.value["controller_id"], BEFORE))
        ]
        if not to_us:
            return {"EMAIL_OPT_IN_MISSING"}
        out = set()
        if consent is not None and consent not in to_us:
            nos = self.spans(frozenset({self.sender}))
            deal = (basis or {}).get("succession") or {}  # elsewhere the predecessor is no sender
            if not any(
                not self.differing(one, {*ours, str(deal.get("predecessor"))})
                and self.stands(one, nos, frozenset({self.sender}))
                for one in to_us
            ):
                out.add("EMAIL_OPT_IN_MISSING")
        return out

    def unrecorded(self, one: Heard, nos: Sequence[Span]) -> set[str]:
        """Returns the reason if an opt-in has no evidence."""
        unproven = self.channel in ("email", "sms") and not self.record_of(one, nos)
        return {"EMAIL_CONSENT_RECORD_MISSING"} if unproven else set()

    def of_the_piece(self) -> set[str]:
        found = set()
        template = self.ref["template"].get(self.send["template_id"])
        if template is None or self.channel not in template["display_ok"].get("marketing", ()):
            found.add("DISPLAY_ITEMS_MISSING")
        if template and any(not p.get("release") or p.get("withdrawn") for p in template.get("persons", ())):
            found.add("CREATIVE_PERSON_UNRELEASED")
        if "unfair_effect" in self.send.get("flags", ()):
            found.add("IMPROPER_USE_TARGETING")
        return found


BEFORE = datetime.min.replace(tzinfo=JAPAN)
FIRST = datetime(1900, 1, 1, tzinfo=JAPAN)
ENDS = ("corrected", "rejected")


def is_at(purpose: str, wide: str) -> bool:
    return f"{purpose}.".startswith(f"{wide}.")


def is_no(value: Mapping[str, Any]) -> bool:
    if value.get("kind") != "consent" or value["state"] not in ("Withdrawn", "Refused"):
        return False
    return not (value["state"] == "Refused" and value.get("event_type") == "implied" and not value.get("answers"))


def no_time(value: Mapping[str, Any]) -> Span:
    return span(value.get("event_time") or value["recorded_at"])


def counted(value: Mapping[str, Any]) -> Span:
    """Returns from when a stop counts, and until when no yes is later; of a consent that says no, when it was said."""
    if "suppression_id" not in value:
        return no_time(value)
    times = [span(value[name]) for name in ("received_at", "effective_at") if value.get(name)]
    return Span(min(times).first, times[0].last)


def spoken(one: Heard) -> datetime:
    """Returns the earliest word of a yes (rule 7.1.2)."""
    if not one.value.get("event_time"):
        return FIRST
    return min(span(one.value["event_time"]).first, span(one.value["recorded_at"]).last, one.arrived)


def seen(one: Heard) -> datetime:
    """Returns when the form of a yes was seen, by what the yes says of itself."""
    return min(span(one.value["event_time"]).first, span(one.value["recorded_at"]).last)


def said_last(one: Heard) -> datetime:
    return span(one.value["event_time"]).last if one.value.get("event_time") else FIRST


def said_at(no: Mapping[str, Any]) -> Span:
    return span(no["received_at"]) if "suppression_id" in no else no_time(no)


def listed(by: Any) -> tuple[str, ...]:
    return (by,) if isinstance(by, str) else tuple(by or ())


def proven(value: Mapping[str, Any], people: int) -> bool:
    return len({*listed(value.get("by"))}) >= people and bool(value.get("evidence_ref"))


def word(stop: Mapping[str, Any]) -> Any:
    """Returns what a version of a stop says, without who ended it and when it was entered."""
    return {k: v for k, v in stop.items() if k not in ("by", "evidence_ref", "state", "recorded_at", "readings", "v")}


def parties(source: Mapping[str, Any]) -> set[str]:
    named = [source.get("collected_by"), source.get("provided_by")]
    named += [(source.get("succession") or {}).get("predecessor"), (source.get("entrustment") or {}).get("entruster")]
    return {one for one in named if one}


def class_of(source: Mapping[str, Any]) -> int:
    method = source["method"]
    if method.startswith("direct."):
        return 0
    return 1 if method in SHARED else 3 if method == "unknown.legacy" else 2


def end_of_day(instant: datetime) -> datetime:
    return datetime.combine(instant.astimezone(JAPAN).date(), time.max, JAPAN)


def birth(text: str | None, at: datetime) -> date | None:
    """Returns a birth date in its youngest reading, None if it cannot be."""
    if not text or text == "1900-01-01":
        return None
    year = int(text[:4])
    if len(text) == 10:
        day = date.fromisoformat(text)
    elif len(text) == 7:
        month = int(text[5:])
        day = (date(year, month, 28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
    else:
        day = date(year, 12, 31)
    today = at.astimezone(JAPAN).date()
    first = date(year, int(text[5:7]) if len(text) > 4 else 1, int(text[8:10]) if len(text) > 7 else 1)
    return min(day, today) if year >= 1905 and first <= today else None


def age(born: date, day: date) -> int:
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))
