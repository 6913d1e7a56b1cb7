"""The verdict of the rules on a case, with the reasons."""

# ruff: noqa: F403, F405 -- the words of `case` are those of every page here
from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from tests.support.law.case import *
from tests.support.law.lanes import Lanes


class Law(Lanes):
    """An independent reading of the rules, for one case."""

    def will(self) -> set[str]:
        """Returns what the person's stops say of the send."""
        found = set()
        for no in self.nos:
            if no.company not in self.bound({self.sender, *self.companies_before(no)}):
                continue
            if self.lifted(no, of_all=not self.is_of_send(no)) and self.dated_back(no):
                found.add(self.points("NO_DATED_BACK", no.value))
            if self.lifted(no):
                continue
            if not no.sure:
                found.add(self.points("NAME_NEAR_STOP", no.value))
            elif not self.direct(no):
                found.add(no.code)
        return found

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
                    found.add("RECIPIENT_DECEASED" if sure else self.points("NAME_NEAR_STOP", value))
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
            if not self.is_here(point):
                return set()
            score = SURE
        else:
            score = max(self.case.score(self.case.places[value["token"]], one) for one in self.case.printed)
            score = self.of_whole(value, score)
            point = scope.get("contact_point", "*")
            if not self.is_here(point):
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
            and self.is_here(e.get("contact_point_id") or "*")
            for e in self.person_events
        ) or any(
            s["method"].startswith("direct.") and self.gives(s) and self.active(s)
            and s.get("acquired_at") and when.last < span(s["acquired_at"]).first <= self.at + SKEW
            for s in self.kept
        )  # fmt: skip
        if healed:
            return set()
        return {self.points("NAME_NEAR_STOP", value) if score < FLOOR else "CONTACT_UNDELIVERABLE"}

    def verdict(self, releases: Sequence[HeardRelease] = ()) -> tuple[str, set[str]]:
        """Returns the verdict of the send, and its reasons, after releases."""
        found = {"marketing": self.marketing, "confirmation": self.question}.get(
            self.send["message_class"], self.service
        )()
        found = self.released(found, [one for one in releases if heard(one)])
        if self.asking and worst(found) == 1:
            found |= self.cannot_ask(*self.asking)
        elif self.send["message_class"] == "confirmation" and worst(found) == 1:
            found.add(NO_ROUTE)
        return RANKS[worst(found)], found - {NO_ROUTE}

    asking: tuple[Mapping[str, Any] | None, Sequence[Any]] | None = None

    def released(self, found: set[str], releases: Sequence[HeardRelease]) -> set[str]:
        """Returns the reasons that releases leave (rules 6.8, 8.1.39)."""
        alive = [one for one in releases if self.at < one.at + RELEASED_FOR]
        left = {code for code in found if not self.takes_out(alive, code)}
        hard = worst(left) == 3
        over = [one for one in releases if one not in alive]
        if any(self.takes_out(over, code, part=True) for code in left):
            left.add("RELEASE_EXPIRED")
        return left | {"RELEASE_SUPERSEDED"} if alive and hard else left

    def takes_out(self, releases: Sequence[HeardRelease], code: str, *, part: bool = False) -> bool:
        """True if releases name a reason, and somebody was shown each no to which it points. `part`: or one of them."""
        naming = [one for one in releases if code in one.named]
        if len({one.by for one in naming}) < (2 if code == "SOURCE_CONFLICT" else 1):
            return False
        pointed = self.pointed.get(code, {}).values()
        shown = [nos for nos in pointed if any(nos <= one.seen.get(code, frozenset()) for one in naming)]
        return len(shown) == len(pointed) or (part and bool(shown))

    def is_here(self, point: str) -> bool:
        """True if a status for a contact point is about that of the send; an unknown one binds itself alone."""
        tokens = self.tokens(point, self.sources)
        return point == "*" or bool(tokens & self.here) or (not tokens and point == self.send["contact_point"]["id"])

    def suspended(self) -> set[str]:
        sender = self.ref["controller"][self.sender]
        since, until = sender.get("suspended_since"), sender.get("suspended_until")
        stopped = since and span(since).first <= self.at and not (until and span(until).last < self.at)
        classes = sender.get("suspends", ("marketing", "confirmation", "transactional"))
        return {"SENDING_SUSPENDED"} if stopped and self.send["message_class"] in classes else set()

    def service(self) -> set[str]:
        template = self.versions.at("template", self.send["template_id"], self.at)
        if template and template["display_ok"].get("marketing"):
            return {"EVENT_INVALID"}  # an advertisement under another class (rule 8.3.49)
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
        other = class_of(basis) >= 2
        asks = self.other_asks if other else [a for a in self.asks if a["source_id"] == basis["source_id"]]
        returned = {e["request_id"] for e in self.person_events if e["kind"] == "ask_undelivered"}
        return any(
            a["request_id"] not in returned and a["request_id"] != self.send.get("request_id")
            and not (self.said_yes(a) and not self.sound(a))
            for a in asks
        )  # fmt: skip

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
        found |= {no.code for no in self.refused_in(source or {"method": "unknown.legacy"})}
        found |= self.cannot_ask(source, ()) - {NO_ROUTE}
        found |= self.source_reasons(source) if source else {"SOURCE_UNKNOWN"}
        if source and not self.counts(source):
            found.add("CONTACT_POINT_NOT_COVERED")
        if source and class_of(source) == 2 and not all(map(self.lifted, self.refusals)):
            found.add("CONSENT_REFUSED")
        found |= self.answered_back(source) if source else set()
        guarded = self.guarded(frozenset(asked))
        if self.child and not guarded:
            found.add("MINOR_NO_GUARDIAN")
        elif self.age_uncertain and not guarded:
            found.add("AGE_UNCERTAIN")
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
            reasons, consent = self.lane({"method": "unknown.legacy"})
        reasons = {*reasons}
        if not counting and self.kept:
            reasons.add("CONTACT_POINT_NOT_COVERED")
        if basis:
            reasons |= self.conflict(basis, consent, reasons, counting)
            reasons |= self.answered_back(basis)
        companies = self.parties_of(basis) if basis else frozenset({self.sender})
        bound = self.bound(companies)
        for no in self.nos:
            if self.direct(no) and no.company in bound and self.lifted(no) and self.dated_back(no):
                reasons.add(self.points("NO_DATED_BACK", no.value))
        guarded = self.guarded(companies)
        if self.child and not guarded:
            reasons.add("MINOR_NO_GUARDIAN")
        elif self.age_uncertain and not guarded:  # a birth date that tells a child leaves no doubt
            reasons.add("AGE_UNCERTAIN")
        found |= reasons | self.opt_in(basis, consent, reasons, found)
        if found & {*SAID, *LIFECYCLE} or reasons & OF_SOURCE:
            found -= ABSENCES
        self.asking = basis, counting
        return found

    def answered_back(self, source: Mapping[str, Any]) -> set[str]:
        """Returns NO_DATED_BACK for lifted refusals in answer to a question (rules 7.1.11, 8.1.41)."""
        nos = self.refusals if class_of(source) == 2 else []
        back = [no for no in nos if self.lifted(no, of_all=False) and self.dated_back(no)]
        return {self.points("NO_DATED_BACK", no.value) for no in back}

    def cannot_ask(self, basis: Mapping[str, Any] | None, counting: Sequence[Any]) -> set[str]:
        found = set()
        if self.unlawful_channel():
            found.add("CONFIRMATION_CHANNEL_UNLAWFUL")
        if basis and self.cap_reached(basis):
            found.add("CONFIRMATION_CAP_REACHED")
        if not counting:
            found.add(NO_ROUTE)
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
        if self.channel not in ("email", "sms") or self.excepted:
            return set()
        if (reasons | found) & SAID:
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

    def of_the_piece(self) -> set[str]:
        found = set()
        template = self.versions.at("template", self.send["template_id"], self.at)
        if template is None or self.channel not in template["display_ok"].get("marketing", ()):
            found.add("DISPLAY_ITEMS_MISSING")
        if template and any(not p.get("release") or p.get("withdrawn") for p in template.get("persons", ())):
            found.add("CREATIVE_PERSON_UNRELEASED")
        if "unfair_effect" in self.send.get("flags", ()):
            found.add("IMPROPER_USE_TARGETING")
        phrases = [p["phrase"] for p in self.ref["audience_phrase"].values() if len({*map(str.lower, p["by"])}) > 1]
        sensitive = [code for code in self.send.get("audience", ()) if is_sensitive(code, phrases)]
        if not all(map(self.agreed_to, sensitive)):
            found.add("SENSITIVE_AUDIENCE")
        return found

    def agreed_to(self, attribute: str) -> bool:
        """True if a proven yes names an attribute of the audience as its purpose, in writing (rules 6.7, 8.2.46).

        Read strictly: that of who may be a child counts only beside a guardian's.
        """
        nos = self.spans(frozenset({self.sender}))
        agreed = [
            one
            for one in self.yeses
            if one.value["purpose"] == attribute
            and one.value["controller_id"] == self.sender
            and one.value["method"] != "doi_confirm"
            and (self.case.lenient or one.value["method"] in WRITTEN or self.completed_by(one, nos))
            and not self.faults(one, nos, frozenset({self.sender}))
            and all(spoken(one) > no.last for no in nos)
        ]
        guarded = any(one.value["expressed_by"] == "guardian" for one in agreed)
        return any(guarded or not self.maybe_minor(one) for one in agreed)


def heard(release: HeardRelease) -> bool:
    """True if a release is heard: it has evidence, and names releasable reasons of a decision without a HARD one."""
    named = bool(release.named) and release.named <= release.had & REVIEWED
    return named and release.evidence and worst(release.had) < 3
