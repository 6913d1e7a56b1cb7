"""Every word of the contract that speaks against a send is read by a rule, and each field has its reader.

The golden cases show it: one word of a case is changed, and the decision is another one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pkgutil import resolve_name
from typing import Any, Literal, NamedTuple, get_args, get_origin

import orjson
import pytest
from pydantic import BaseModel

from gatekeeper.deciding import release
from gatekeeper.deciding.consent_proof import Proof
from gatekeeper.deciding.decide import Decision
from gatekeeper.deciding.facts import HeldRelease
from gatekeeper.deciding.rules import audience, channel, confirmation, objections, person, provider, source, system
from schemas.events import (
    Ask,
    Batch,
    Consent,
    Controller,
    Entrustment,
    Ground,
    JointUseTerms,
    Match,
    NosResolution,
    Notice,
    PersonEvent,
    Provider,
    ProviderCheck,
    Purpose,
    PurposeResolution,
    Register,
    Scope,
    Send,
    SendContactPoint,
    ShownPerson,
    Source,
    SourceContactPoint,
    Succession,
    Suppression,
    Template,
    VersionResolution,
)
from tests.support import invented
from tests.support.golden_cases import CASES, events, of_events

Word = tuple[type[BaseModel], str, Any]
"""A model, its field, and one value of it; None = any value."""

AGAINST: dict[Word, tuple[Callable[..., Any], str]] = {
    (Suppression, "kind", "objection"): (objections.stopped, "SUBJECT_OBJECTED"),
    (Suppression, "kind", "cessation"): (objections.stopped, "CESSATION_REQUESTED"),
    (Suppression, "kind", "erasure"): (objections.stopped, "SUBJECT_ERASED"),
    (Suppression, "kind", "refusal_returned"): (objections.stopped, "POSTAL_REFUSAL_RETURNED"),
    (Suppression, "kind", "external"): (objections.stopped, "EXTERNAL_PREFERENCE_LISTED"),
    (Suppression, "kind", "deceased"): (person.reached, "RECIPIENT_DECEASED"),
    (Suppression, "kind", "undeliverable"): (person.reached, "CONTACT_UNDELIVERABLE"),
    (Suppression, "state", "open"): (objections.stopped, "CESSATION_REQUESTED"),
    (Consent, "state", "Withdrawn"): (objections.taken_back, "CONSENT_WITHDRAWN"),
    (Consent, "state", "Refused"): (objections.taken_back, "CONSENT_REFUSED"),
    (Consent, "state", "Expired"): (Proof.expired, "CONSENT_EXPIRED"),
    (Consent, "state", "Invalidated"): (Proof.faults, "CONSENT_INVALIDATED"),
    (Consent, "state", "Revoked"): (Proof.faults, "CONSENT_INVALIDATED"),
    (Consent, "event_type", "implied"): (Proof.__init__, "CONSENT_MISSING"),
    (Consent, "double_opt_in", True): (Proof.faults, "CONSENT_UNCONFIRMED"),
    (Consent, "expressed_by", "family"): (Proof.faults, "CONSENT_BY_OTHER"),
    (Consent, "expressed_by", "staff"): (Proof.faults, "CONSENT_BY_OTHER"),
    (PersonEvent, "kind", "ask_undelivered"): (confirmation.lifecycle, "CONFIRMATION_UNDELIVERED"),
    (Source, "state", "illicit"): (source.state, "SOURCE_ILLICIT"),
    (Source, "state", "quarantined"): (source.state, "SOURCE_BATCH_QUARANTINED"),
    (Source, "may_be_minor", True): (person.age, "AGE_UNCERTAIN"),
    (Batch, "flags", None): (source.state, "SOURCE_ILLICIT"),
    (Batch, "state", "quarantined"): (source.state, "SOURCE_BATCH_QUARANTINED"),
    (ProviderCheck, "basis", "other"): (provider.provider, "PROVIDER_BASIS_MISSING"),
    (Send, "flags", None): (audience.selected, "IMPROPER_USE_TARGETING"),
    (Send, "audience", None): (audience.selected, "SENSITIVE_AUDIENCE"),
    (Notice, "complete", False): (source.own, "NOTICE_ITEMS_MISSING"),
    (Notice, "invalidated_at", None): (Proof.faults, "CONSENT_INVALIDATED"),
    (JointUseTerms, "complete", False): (source.joint_use, "JOINT_USE_TERMS_MISSING"),
    (Template, "ask_complete", False): (confirmation.defective, "CONFIRMATION_DEFECTIVE"),
    (ShownPerson, "withdrawn", True): (channel.unreleased, "CREATIVE_PERSON_UNRELEASED"),
    (Controller, "suspended_since", None): (system.suspended, "SENDING_SUSPENDED"),
    (HeldRelease, "kind", "release_revoked"): (release.apply, "AGE_UNCERTAIN"),
}
"""The words that speak against a send, each with the rule that reads it and a reason that it causes."""

NEUTRAL: dict[Word, str] = {
    (Source, "state", "active"): "the default",
    (Source, "may_be_minor", False): "as if absent: nobody warns",
    (Batch, "state", "active"): "the default",
    (Consent, "double_opt_in", False): "as if absent",
    (Consent, "event_type", "expressed"): "as if absent",
    (Consent, "event_type", "explicit"): "as if absent",
    (Consent, "state", "Unknown"): "neither yes nor no: it covers nothing",
    (Consent, "state", "Requested"): "neither yes nor no: it covers nothing",
    (Consent, "state", "RequestDeferred"): "neither yes nor no: it covers nothing",
    (Suppression, "expressed_by", "agent"): "any speaker binds; only a guardian's word binds longer",
    (Suppression, "expressed_by", "family"): "any speaker binds; only a guardian's word binds longer",
    (Suppression, "expressed_by", "staff"): "any speaker binds; only a guardian's word binds longer",
    (Suppression, "expressed_by", "import"): "as if absent",
    (Suppression, "whole_address", False): "as if absent",
    (Suppression, "row", "certain"): "as if absent: it binds as written",
    (Suppression, "row", "rejected"): "it binds nobody: the report has it as a duty",
    (Notice, "accepted_legacy", False): "as if absent",
    (PersonEvent, "kind", "notice_given"): "for packs of other laws: `check` names it",
    (Source, "relationship", "customer"): "for packs of other laws: `check` names it",
    (Source, "relationship", "prospect"): "for packs of other laws: `check` names it",
    (ShownPerson, "withdrawn", False): "as if absent",
}
"""The listed values that speak neither for nor against a send beside their field's others, with the cause."""

VOCABULARIES = (
    *((Send, "channel"), (Ask, "channel"), (HeldRelease, "channel"), (HeldRelease, "filed"), (Source, "method")),
    *((SourceContactPoint, "channel"), (Suppression, "lacks")),
)
"""Fields of many values, of which the golden cases need not say each: `tests/unit/test_methods.py` has the methods."""

READ_BY: dict[str, dict[type[BaseModel], str]] = {
    "gatekeeper.deciding.rules.system.Cleared": {Send: "event_id"},
    "gatekeeper.identity.send_address": {SendContactPoint: "token"},
    "gatekeeper.knowledge.known_facts.KnownFacts.view": {
        Match: "token", SourceContactPoint: "token", Suppression: "token",
    },
    "gatekeeper.management.unread.unread": {Send: "li_ref", Source: "relationship", Suppression: "register_id"},
    "gatekeeper.index.recipients": {Source: "evidence_ref", PersonEvent: "record_id source_id by evidence_ref"},
    "gatekeeper.report.nos": {Suppression: "lacks"},
    "gatekeeper.deciding.redacted.asks": {Ask: "kind"},
    "gatekeeper.confirmation.answers.Questions": {Ask: "decision_id purpose notice_id answer_code"},
    "gatekeeper.confirmation.answers": {Ask: "contact_point_id"},
    "gatekeeper.letters.asking": {Ask: "answer_by text"},
    "gatekeeper.review.review_item": {HeldRelease: "reason"},
    "gatekeeper.knowledge.store": {HeldRelease: "filed"},
    "gatekeeper.engine.item_acts": {HeldRelease: "act_id review"},
    "gatekeeper.confirmation.notice": {Controller: "notice_items"},
    "gatekeeper.index.act_log": {
        Notice: "image_sha256", PurposeResolution: "evidence_ref at", VersionResolution: "evidence_ref at",
        Ground: "evidence_ref at", NosResolution: "evidence_ref",
    },
    "gatekeeper.engine.asks": {Template: "notice_id"},
    "gatekeeper.knowledge.file_arrival.filed": {Batch: "recorded_at"},
    "gatekeeper.deciding.reference.Reference": {
        PurposeResolution: "id of by", VersionResolution: "id of by", Ground: "id",
    },
    "gatekeeper.staff.endorsements": {Provider: "by", Ground: "by"},
    "gatekeeper.knowledge.reference_log": {NosResolution: "id", Register: "id file_date"},
    "gatekeeper.knowledge.confirmed_nos": {NosResolution: "by"},
}  # fmt: skip
"""The fields that no golden case sees and no rule weighs, by their readers."""
READERS = {(model, name) for models in READ_BY.values() for model, names in models.items() for name in names.split()}

NAMES = ("v", "name", "name_ja", "name_en")
"""Fields of every model: the version of the contract, and words for people."""

MODELS: dict[str, tuple[type[BaseModel], ...]] = {
    "sources": (Source,),
    "consents": (Consent, PersonEvent),
    "suppressions": (Suppression,),
    "confirmations": (Ask,),
    "acts": (HeldRelease,),
    "reference": (Purpose, Controller, Notice, JointUseTerms, Batch, Template, Register, Ground, Provider,
                  VersionResolution, PurposeResolution, NosResolution),
}  # fmt: skip
PARTS = (SendContactPoint, Match, SourceContactPoint, ProviderCheck, Succession, Entrustment, Scope, ShownPerson)
EVERY = (Send, *(model for models in MODELS.values() for model in models), *PARTS)


class Occurrence(NamedTuple):
    """A word where a case says it: the place of its event, None for the send, and the path within it."""

    word: Word
    place: tuple[str, int] | None
    path: tuple[str | int, ...]


def part(annotation: Any) -> type[BaseModel] | None:
    """Returns the model within an annotation."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for one in get_args(annotation) if (found := part(one))), None)


def values(annotation: Any) -> tuple[Any, ...]:
    """Returns the values that an annotation lists; those of a flag are True and False."""
    if get_origin(annotation) is dict:
        return ()
    if annotation is bool:
        return (True, False)
    if get_origin(annotation) is Literal:
        return tuple(one for one in get_args(annotation) if one != "*")
    return tuple(dict.fromkeys(found for one in get_args(annotation) for found in values(one)))


def said(
    model: type[BaseModel], value: dict[str, Any], *path: str | int
) -> Iterator[tuple[Word, tuple[str | int, ...]]]:
    """Yields each word of an event and of its parts, with the path to it."""
    for name, one in value.items():
        if (field := model.model_fields.get(name)) is None:
            continue
        listed = values(field.annotation)
        for each in (one if isinstance(one, list) else [one]) if listed else [None]:
            yield (model, name, each if each in listed else None), (*path, name)
        if inside := part(field.annotation):
            parts = enumerate(one) if isinstance(one, list) else [("", one)]
            for number, each in parts:
                if isinstance(each, dict):
                    yield from said(inside, each, *path, name, *([number] if number != "" else []))


def model_of(topic: str, value: dict[str, Any]) -> type[BaseModel]:
    """Returns the model of an event."""
    if topic == "reference" and "confirms" in value:
        return NosResolution
    *_, last = models = MODELS[topic]
    return next((one for one in models[:-1] if value["kind"] in values(one.model_fields["kind"].annotation)), last)


def others(word: Word, one: Any) -> Iterator[Any]:
    """Yields other values of a field, None for its absence."""
    if not word[0].model_fields[word[1]].is_required():
        yield None
    yield from (each for each in values(word[0].model_fields[word[1]].annotation) if each != one)
    if isinstance(one, str):
        yield from ("2000-01-01", "2026-11-24T23:00:00+09:00") if one[:2] == "20" else ("other",)
    elif isinstance(one, bool):
        yield not one
    elif isinstance(one, int):
        yield from (0, 1, 1000, one + 1)
    elif isinstance(one, dict):
        yield {}
    elif isinstance(one, list):
        yield from ([], one[:1], [*one, *["other"] * all(isinstance(each, str) for each in one)])


class Case(NamedTuple):
    """A golden case with its events."""

    fields: dict[str, Any]
    send: dict[str, Any]
    reference: list[invented.Event]
    facts: list[invented.Event]

    def words(self) -> Iterator[Occurrence]:
        """Yields the words of its own events; those that all cases share stand in one of them alone."""
        for word, path in said(Send, self.send):
            yield Occurrence(word, None, path)
        for rows, events_ in (("reference", self.reference), ("facts", self.facts)):
            for number, (topic, value) in enumerate(events_):
                if rows == "facts" or (topic, value) not in invented.REFERENCE or self.names(value):
                    for word, path in said(model_of(topic, value), value):
                        yield Occurrence(word, (rows, number), path)

    def names(self, value: dict[str, Any]) -> bool:
        """Tells whether the table names a record that all cases share."""
        return str(value.get("id", value.get("terms_id", value.get("of")))) in str(self.fields)

    def decided(self) -> Decision:
        return of_events(self.fields, Send.model_validate_json(orjson.dumps(self.send)), self.reference, self.facts)

    def at(self, place: tuple[str, int] | None) -> dict[str, Any]:
        return self.send if place is None else getattr(self, place[0])[place[1]][1]

    def changed(self, found: Occurrence, new: Any) -> Case:
        """Returns the case with another value of one word."""
        value = orjson.loads(orjson.dumps(self.at(found.place)))
        inner = value
        for step in found.path[:-1]:
            inner = inner[step]
        if new is None:
            inner.pop(found.path[-1])
        else:
            inner[found.path[-1]] = new
        if found.place is None:
            return self._replace(send=value)
        rows, number = found.place
        changed = [*getattr(self, rows)]
        changed[number] = changed[number][0], value
        return self._replace(**{rows: changed})

    def otherwise(self, found: Occurrence) -> Iterator[Decision]:
        """Yields the decision with each other value of a word that can be read, and without an event of that kind."""
        one = self.at(found.place)
        for step in found.path:
            one = one[step]  # type: ignore[index]
        tried = [self.changed(found, new) for new in others(found.word, one)]
        if found.place and found.word[1] == "kind":
            rows, number = found.place
            left = [each for other, each in enumerate(getattr(self, rows)) if other != number]
            tried.append(self._replace(**{rows: left}))
        for case in tried:
            with suppress(ValueError, AssertionError):  # the contract refuses it
                yield case.decided()


GOLDEN = [Case(fields, invented.send(**fields.get("send", {})), *events(fields)) for fields in CASES.values()]


@pytest.mark.parametrize("word", AGAINST, ids=lambda word: f"{word[0].__name__}.{word[1]}={word[2]}")
def test_a_word_against_a_send_then_its_rule_finds_the_reason_by_that_word_alone(word: Word) -> None:
    rule, code = AGAINST[word]
    assert callable(rule)
    assert any(
        code not in otherwise.codes
        for case in GOLDEN
        if code in case.fields.get("reasons", ())
        for found in case.words()
        if found.word == word
        for otherwise in case.otherwise(found)
    ), f"no golden case says {word} and has {code} for that alone"


@pytest.mark.long("test_a_word_against_a_send_then_its_rule_finds_the_reason_by_that_word_alone")
def test_listed_values_then_each_is_against_a_send_reviewed_or_changes_a_decision(seen: set[Word]) -> None:
    listed = {
        (model, name, value)
        for model in EVERY
        for name, field in model.model_fields.items()
        for value in values(field.annotation)
        if (model, name) not in (*VOCABULARIES, (Ask, "kind")) and not is_discriminator(model, name)
    }
    assert listed - AGAINST.keys() - NEUTRAL.keys() - seen == set()
    assert NEUTRAL.keys() <= listed
    assert not NEUTRAL.keys() & AGAINST.keys()


@pytest.mark.long("test_a_word_against_a_send_then_its_rule_finds_the_reason_by_that_word_alone")
def test_fields_then_each_changes_a_decision_or_has_another_reader(seen: set[Word]) -> None:
    fields = {
        (model, name)
        for model in EVERY
        for name, field in model.model_fields.items()
        if name not in NAMES and not is_discriminator(model, name) and part(field.annotation) is None
    }
    read = {(model, name) for model, name, _ in seen}
    assert fields - read - READERS == set()
    assert not read & READERS
    for reader in READ_BY:
        assert resolve_name(reader)


@pytest.fixture(scope="module")
def seen() -> set[Word]:
    """The words of which a golden case has another decision once they are changed."""
    found: set[Word] = set()
    listed = AGAINST.keys() | NEUTRAL.keys()  # nobody asks for these
    for case in GOLDEN:
        before = None
        for one in case.words():
            model, name, _ = one.word
            passed = name in NAMES or (model, name) in READERS or is_discriminator(model, name)
            weighed_in = one.word in found or (one.word in listed and (model, name) in {word[:2] for word in found})
            if weighed_in or passed or part(model.model_fields[name].annotation):
                continue
            before = before or weighed(case.decided())
            if any(weighed(other) != before for other in case.otherwise(one)):
                found.add(one.word)
    return found


def weighed(decision: Decision) -> tuple[Any, ...]:
    says = [dict(reason.says) for reason in decision.reasons]
    return decision.verdict, decision.codes, says, decision.notes, decision.obligations, decision.basis


def is_discriminator(model: type[BaseModel], name: str) -> bool:
    return name in ("kind", "confirms") and len(values(model.model_fields[name].annotation)) == 1
