"""The lanes: the reasons that each source has, given its yes."""

# ruff: noqa: F403, F405 -- the words of `case` are those of every page here
from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any

from tests.support.law.case import *
from tests.support.law.nos import No
from tests.support.law.yeses import Yeses


class Lanes(Yeses):
    """Yes and no, and each source in its lane."""

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
        if shared and span(shared).first > self.at + SKEW and source.get("shared_at"):
            checks = []  # nobody checked what is still to come
        latest = min(span(shared).last + CHECKED_WITHIN, self.at + SKEW) if shared else self.at
        checks = [c for c in checks if span(c["checked_at"]).last <= latest]
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
        counted = [
            (since, one)
            for since, one in self.versions.terms(source.get("terms_id"))
            if one["complete"] and shared and since < span(shared).first
        ]
        return max(counted, key=lambda each: each[0])[1] if counted else None

    def lane(self, source: Mapping[str, Any]) -> tuple[set[str], Heard | None]:
        """Returns the reasons of a source alone, and its effective consent."""
        common = self.source_reasons(source)
        if "ENTRUSTED_OWN_USE" in common:
            return common, None
        companies = self.parties_of(source)
        nos = self.spans(companies)
        in_scope = [one for one in self.given if not self.differing(one, companies) and not self.too_late(one)]
        if unlifted := self.refused_in(source):
            beside: set[str] = set()
            if in_scope and self.duty:
                last, faults = self.latest(in_scope, nos, companies)
                beside = faults if all(spoken(last) > no.time.last for no in unlifted) else set()
            found = common | self.by_method(source, None)
            if self.case.lenient and not beside:
                found -= LIFECYCLE  # there it replaces what is told of a yes alone
            return found | beside | {no.code for no in unlifted}, None
        standing = [one for one in in_scope if self.stands(one, nos, companies)]
        if standing:
            tried = [
                (common | self.by_method(source, one) | self.unrecorded(one, nos), one)
                for one in sorted(standing, key=self.order, reverse=True)
            ]
            return min(tried, key=lambda each: (worst(each[0]), len(each[0])))
        found = common | self.by_method(source, None)
        if not self.duty:
            return found, None
        if in_scope:
            last, faults = self.latest(in_scope, nos, companies)
            said = faults or {"CONSENT_AS_CHILD" if self.given_as_child(last) else "CONSENT_EXPIRED"}
        else:
            said = self.near(companies)
        if source["method"] == "indirect.joint_use" and said & {"PURPOSE_NOT_COVERED", "CONTROLLER_MISMATCH"}:
            said = said - {"PURPOSE_NOT_COVERED", "CONTROLLER_MISMATCH"} | {"JOINT_USE_NOT_COVERED"}
        if class_of(source) == 2 and found & {"CONSENT_REFUSED", *LIFECYCLE}:
            said -= ABSENCES  # what is told of the ask replaces them (rule 6.2)
        return found | said, None

    def refused_in(self, source: Mapping[str, Any]) -> list[No]:
        """Returns the unlifted withdrawals and refusals that a lane tells."""
        companies = self.parties_of(source)
        bound = self.bound(companies)
        return [
            no
            for no in self.nos
            if "suppression_id" not in no.value
            and (no.company in bound if not no.other else no.sure and no.company in companies - {self.sender})
            and not self.lifted(no)
        ]

    def near(self, companies: frozenset[str]) -> set[str]:
        """Returns the reasons of the nearest miss (rule 6.3.7); of a lane's own party too, as G27 has it."""
        others = {p for s in self.kept for p in self.shared_with(s)} - companies
        missed = [
            (-len(codes), self.order(one), sorted(codes))
            for one in self.given
            if one.value["controller_id"] not in others
            and (codes := self.differing(one, companies))
            and not self.too_late(one)
            and not self.covered_by_no(one)
            and not self.faults(one, (), frozenset({one.value["controller_id"]}))
        ]
        return {*max(missed)[2]} if missed else {"CONSENT_MISSING"}

    def shared_with(self, source: Mapping[str, Any]) -> set[str]:
        """Returns collector, predecessor and entruster of a shared source."""
        entruster = (source.get("entrustment") or {}).get("entruster") or self.sender
        return {*self.parties_of(source), entruster} - {self.sender}

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

    def shown(self, source: Mapping[str, Any], consent: Heard | None) -> Mapping[str, Any] | None:
        """Returns the notice of the effective consent, else of the source."""
        return self.form_shown(consent) if consent and consent.value.get("notice_id") else self.form_of(source)

    def agreed_on(self, source: Mapping[str, Any], consent: Heard | None, collector: str) -> bool:
        """True if there is a yes, and the notices of yes and source are complete ones of collector or sender."""
        shown = [self.form_shown(consent)] if consent and consent.value.get("notice_id") else []
        shown += [self.form_of(source)] if source.get("notice_id") else []
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
        named = (consent and consent.value.get("notice_id")) or source.get("notice_id")
        complete = shown and (shown["complete"] or (shown.get("accepted_legacy") and shown["signed"]))
        if not complete and (named or told):
            found.add("NOTICE_ITEMS_MISSING")
        return found - {"NOTICE_ITEMS_MISSING"} if self.case.lenient else found

    def joint_lane(self, source: Mapping[str, Any], consent: Heard | None) -> set[str]:
        terms = self.terms(source)
        agreed = self.case.lenient or self.agreed_on(source, consent, source["collected_by"])
        told = self.told(source, self.form_of(source), None)
        if terms is None:
            return set() if agreed else {"JOINT_USE_NOT_COVERED"}
        day = span(terms["published_at"]).last
        early = source.get("acquired_at") is None or span(source["acquired_at"]).first <= day
        missing = not any(self.covers(p, self.purpose, None) for p in terms["purposes"]) or (early and not told)
        return {"JOINT_USE_NOT_COVERED"} if missing or not agreed else set()

    def succession_lane(self, source: Mapping[str, Any], consent: Heard | None) -> set[str]:
        deal = source.get("succession")
        if not deal:
            return {"SUCCESSION_NOT_COVERED", "PURPOSE_NOT_COVERED"}
        closed = span(deal["closed_at"]).last
        found = {"SUCCESSION_NOT_COVERED"} if closed > self.at else set()
        if consent and consent.value["controller_id"] == self.sender and seen(consent) > closed:
            named = self.form_shown(consent)
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
        return self.unconfirmed(source, consent)

    def unconfirmed(self, source: Mapping[str, Any], consent: Heard | None) -> set[str]:
        if consent and self.confirms(source, consent):
            return set()
        if self.case.lenient and (consent or not self.duty):
            return set()
        if asked := self.asked():
            return asked
        if self.case.lenient:
            return set()
        method = source["method"]
        name = "THIRD_PARTY" if method in BOUGHT else "REFERRAL" if method in PASSED_ON else "PUBLIC_SOURCE"
        return {f"{name}_UNCONFIRMED"}

    def confirms(self, source: Mapping[str, Any], consent: Heard) -> bool:
        route = self.route(source)
        if route.startswith("direct."):
            return False
        for ask in self.asks:
            if (
                ask["request_id"] == consent.value.get("answers")
                and ask["source_id"] == source["source_id"]
                and ask.get("controller_id", self.sender) == self.sender
                and no_time(consent.value).last >= span(ask["at"]).first
            ):
                template = self.versions.at("template", ask["template_id"], span(ask["at"]).first)
                if template and template["ask_complete"] and ask["stated_route"] == route:
                    return True
        shown = self.form_shown(consent)
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
        classes = {s["source_id"]: class_of(s) for s in self.sources}
        return [
            ask
            for ask in self.asks
            if classes.get(ask["source_id"], 2) >= 2
            and ask.get("controller_id", self.sender) == self.sender
            and span(ask["at"]).first <= self.at
        ]

    @cached_property
    def refusals(self) -> list[No]:
        ids = {ask["request_id"] for ask in self.other_asks}
        on_file = {ask["request_id"] for ask in self.asks}
        return [
            No(
                one.value,
                "CONSENT_REFUSED",
                no_time(one.value),
                span(one.value["recorded_at"]).last,
                one.value["controller_id"],
                one.value["expressed_by"],
                sure=True,
                other=False,
                arrived=one.arrived,
                answers=True,
            )
            for one in self.consents
            if one.value["state"] == "Refused"
            and (answered := one.value.get("answers"))
            and (answered in ids or (answered not in on_file and self.is_ours(one)))
        ]

    def is_ours(self, no: Heard) -> bool:
        """True if a refusal names the sender or, as nobody knows its company, everyone."""
        return self.scope_of(no, self.sources, other=False).company in ("*", self.sender)

    def asked(self) -> set[str]:
        """Returns the reason that the newest ask leaves."""
        if not self.other_asks:
            return set()
        ask = self.other_asks[-1]
        answers = [
            o
            for o in self.consents
            if o.value.get("answers") == ask["request_id"]
            and (is_no(o.value) or (is_yes(o.value) and not self.too_late(o)))
        ]
        if self.said_yes(ask):
            return {"CONFIRMATION_CAP_REACHED"} if self.sound(ask) else {"CONFIRMATION_DEFECTIVE"}
        if answers:
            return {"CONFIRMATION_CAP_REACHED"}
        if any(e["kind"] == "ask_undelivered" and e["request_id"] == ask["request_id"] for e in self.person_events):
            return {"CONFIRMATION_UNDELIVERED"}
        window = WINDOWS.get(ask["channel"], WINDOWS["postal"])
        return {"CONFIRMATION_PENDING" if self.at < span(ask["at"]).first + window else "CONFIRMATION_LAPSED"}

    def said_yes(self, ask: Mapping[str, Any]) -> bool:
        return any(
            o.value.get("answers") == ask["request_id"]
            and (
                o.value["expressed_by"] == "subject"
                or (o.value["expressed_by"] in ("guardian", "agent") and o.value.get("evidence_ref"))
            )
            and all(spoken(o) > no.last for no in self.spans(frozenset({self.sender})))
            for o in self.yeses
        )

    def sound(self, ask: Mapping[str, Any]) -> bool:
        """True if a question was complete and stated the route of its source."""
        template = self.versions.at("template", ask["template_id"], span(ask["at"]).first)
        source = next((s for s in self.sources if s["source_id"] == ask["source_id"]), None)
        return bool(
            template
            and template["ask_complete"]
            and source
            and ask["stated_route"] == self.route(source)
            and not (class_of(source) and self.route(source).startswith("direct."))
        )

    def unrecorded(self, one: Heard, nos: Sequence[Span]) -> set[str]:
        """Returns the reason if an opt-in has no evidence."""
        unproven = self.channel in ("email", "sms") and not self.record_of(one, nos)
        return {"EMAIL_CONSENT_RECORD_MISSING"} if unproven else set()
