"""Events of `suppressions`: stops of mail to a person or a token (domain rule 6.1)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, model_validator

from schemas.events.sends import Match
from schemas.values import (
    Any_,
    Authors,
    Channels,
    Code,
    Day,
    Id,
    Many,
    Model,
    PointId,
    RecipientId,
    Speaker,
    Surrogate,
    Time,
    Token,
    Version,
    absent,
    given,
)


class Scope(Model):
    """The scope of a suppression. A field that is absent, or `*`, covers everything.

    `controller`: one entity. `group`: all entities of a group. `purpose`: with those below it. `channels`: an unknown
    one is read as all. `contact_point`: one contact point.
    """

    controller: Id | Any_ | None = None
    group: Id | Any_ | None = None
    purpose: Code | Any_ | None = None
    channels: Channels = ()
    contact_point: PointId | Any_ | None = None


SuppressionKind = Literal[
    "objection", "cessation", "erasure", "refusal_returned", "deceased", "undeliverable", "external"
]


_REJECTED: dict[str, Any] = {"required": ["row"], "properties": {"row": {"const": "rejected"}}}
_NO_READINGS: dict[str, Any] = {"not": {"required": ["readings"], "properties": {"readings": {"minItems": 1}}}}
BOUND = 2048
"""Readings that a stop may carry, enough for a row under six token keys."""
Row = Literal["certain", "wide", "rejected"]
Lack = Literal[
    "letter_unknown",
    "name_in_kana",
    "name_short",
    "names_unclear",
    "address_unaccounted",
    "prefecture_missing",
    "former_place",
    "town_unknown",
    "name_missing",
    "place_unknown",
    "number_missing",
    "number_unclear",
    "too_many",
    "unreadable",
]


class Suppression(Model):
    """A stop of a person, or of a token: a normalised name, address or number (APPI 35, J.10).

    `kind`: why; `external` is a register of people who want no mail. From a topic another code counts as an objection,
    and `gatekeeper status` names it. `suppression_id`: the CRM's id of the stop; a correction has the same.
    `received_at`: when it came in. `token`: stops whoever has this name, address or number. `recipient_id`: stops this
    person. `scope`: the mail that it stops. `effective_at`: it counts from this time, if that is before `received_at`.
    `state`: of a cessation `open`, `upheld` or `rejected`, else `active` or `corrected`. `register_id`: the register in
    which it was found.
    `readings`: the tokens of less exact spellings, which a send may print. A correction of the stop names them again. A
    score of 1000 is the same value under another token key. `expressed_by`: the speaker; absent = unknown.
    `whole_address`: the token is of an address without a name, and stops everybody there. `effective_until`: the last
    day on which an objection counts. `recorded_at`: when it was entered; absent = at its arrival. A date of more than
    31 days before needs a look where a yes lies between.
    `by`: the managers who stand for a whole address. Two of them stop the rooms behind it as surely. Or who corrects or
    rejects the stop: two managers where it certainly names the person. `evidence_ref`: where the proof is kept. They
    sign what takes it away; else the stop stands.
    `row`: how surely a row of a list names the person. A `rejected` one binds its id, or as written, or nobody. It
    stays a duty until a later row of its id is right, or a manager corrects it. `lacks`: what a row lacks to be
    certain. The gate alone sets both; import, HTTP and publish refuse a value that has one.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "if": {"allOf": [_REJECTED, absent("token"), absent("recipient_id")]},
            "then": _NO_READINGS,
            "else": {
                "if": given("token"),
                "then": absent("recipient_id"),
                "else": {**given("recipient_id"), **_NO_READINGS},
            },
            "allOf": [
                {
                    "if": {"required": ["whole_address"], "properties": {"whole_address": {"const": True}}},
                    "then": given("token"),
                },
                {"if": given("effective_until"), "then": {"properties": {"kind": {"const": "objection"}}}},
            ],
        }
    )

    v: Version
    kind: SuppressionKind
    suppression_id: Id
    received_at: Time
    token: Token | None = None
    recipient_id: RecipientId | None = None
    readings: Annotated[Many[Match], Field(max_length=BOUND)] = ()
    scope: Scope = Scope()
    effective_at: Time | None = None
    state: Literal["active", "corrected", "open", "upheld", "rejected"] | None = None
    register_id: Id | None = None
    expressed_by: Speaker | None = None
    whole_address: bool | None = None
    effective_until: Day | None = None
    recorded_at: Time | None = None
    by: Authors | None = None
    evidence_ref: Surrogate | None = None
    row: Row | None = None
    lacks: Lack | None = None

    @model_validator(mode="after")
    def _names_someone(self) -> Suppression:
        if self.row == "rejected" and not (self.token or self.recipient_id or self.readings):
            return self
        if (self.token is None) == (self.recipient_id is None):
            raise ValueError("a suppression names exactly one of token and recipient_id")
        if self.readings and self.token is None:
            raise ValueError("readings are of a token, and a person has none")
        if self.whole_address and self.token is None:
            raise ValueError("a whole address has a token, and is no person")
        return self

    @model_validator(mode="after")
    def _ends_after_it_came_in(self) -> Suppression:
        if self.effective_until is None:
            return self
        if self.kind != "objection":
            raise ValueError("only an objection takes effective_until")
        if self.effective_until < self.received_at[:10]:
            raise ValueError("effective_until is not before received_at")
        return self
