"""Events of `suppressions`: stops of mail to a person or a token (domain rule 6.1)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from schemas.events.sends import CARRIED, Match
from schemas.values import (
    Any_,
    Channels,
    Code,
    Id,
    Many,
    Model,
    PointId,
    RecipientId,
    Speaker,
    Time,
    Token,
    Version,
)


class Scope(Model):
    """The scope of a suppression. A field that is absent covers everything."""

    controller: Id | Any_ | None = None
    group: Id | Any_ | None = None
    purpose: Code | Any_ | None = None
    channels: Channels = ()
    contact_point: PointId | Any_ | None = None


SuppressionKind = Literal[
    "objection", "cessation", "erasure", "refusal_returned", "deceased", "undeliverable", "external"
]


class Suppression(Model):
    """A stop: of a person, or of a token (a normalised name, address or number under the project's key).

    `readings`: the tokens of less exact spellings, which a send may print. A correction of the stop names them again. A
    score of 1000 is the same value under another token key. `expressed_by`: the speaker; absent = unknown.
    """

    v: Version
    kind: SuppressionKind
    suppression_id: Id
    received_at: Time
    token: Token | None = None
    recipient_id: RecipientId | None = None
    readings: Annotated[Many[Match], Field(max_length=CARRIED)] = ()
    scope: Scope = Scope()
    effective_at: Time | None = None
    state: Literal["active", "corrected", "open", "upheld", "rejected"] | None = None
    register_id: Id | None = None
    expressed_by: Speaker | None = None

    @model_validator(mode="after")
    def _names_someone(self) -> Suppression:
        if (self.token is None) == (self.recipient_id is None):
            raise ValueError("a suppression names exactly one of token and recipient_id")
        if self.readings and self.token is None:
            raise ValueError("readings are of a token, and a person has none")
        return self
