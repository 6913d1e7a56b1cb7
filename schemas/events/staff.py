"""Staff and signatures: who may act, with which keys, and what a person signed."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from schemas.values import Id, Many, Model, Surrogate, Version, ZonedTime, absent, given

StaffRole = Literal["viewer", "reviewer", "approver", "manager", "auditor", "console"]
"""`console` is the role of the console as a part of the system; the others are roles of people."""
Base64 = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/]{4,4096}={0,2}$", max_length=4096)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
LogOrigin = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$")]
WebOrigin = Annotated[str, StringConstraints(pattern=r"^https?://[a-z0-9.\-]{1,200}(:[0-9]{1,5})?$")]
SignedKind = Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,32}/[A-Za-z0-9][A-Za-z0-9._:\-]{0,63}$")]
SignIn = Literal["password", "oidc", "none"]
TwoManagers = Annotated[tuple[Id, Id], Field(strict=False)]
"""The ids of the two managers who stand for a record. Equal ids after casefold are one manager."""
_VOUCHED, _PASSKEY = given("console", "signin"), given("authenticator", "client")
MAX_TREE = 2**20
"""Messages of one row that one signature covers, at most."""
MAX_ROWS = 64
"""Rows of the table that one signature covers, at most."""


def two_managers(by: tuple[str, ...] | None) -> bool:
    """True if two different people are named; equal ids after casefold are one person."""
    return by is not None and len({manager.casefold() for manager in by}) > 1


class RelyingParty(Model):
    """The console for which a passkey was made: its id (a host name) and the origins of its pages."""

    id: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.\-]{0,199}$")]
    origins: Annotated[Many[WebOrigin], Field(min_length=1, max_length=8)]


class StaffKey(Model):
    """One public key of a person, or of the console.

    `method`: `key` is a person's Ed25519 key, `passkey` a WebAuthn key, `console` the console's own Ed25519 key. `id`:
    of the key. `public`: SubjectPublicKeyInfo (DER) in base64. `rp`, `credential`: only of a passkey; the browser finds
    the key by its credential id, in base64.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "if": {"properties": {"method": {"const": "passkey"}}},
            "then": given("rp"),
            "else": absent("rp", "credential"),
        }
    )

    id: Id
    method: Literal["key", "passkey", "console"]
    public: Base64
    rp: RelyingParty | None = None
    credential: Base64 | None = None

    @model_validator(mode="after")
    def _a_passkey_names_its_pages(self) -> Self:
        if (self.method == "passkey") != (self.rp is not None) or (self.credential and self.rp is None):
            raise ValueError("a passkey has `rp`, and no other key has it or a `credential`")
        return self


class Staff(Model):
    """One person who acts, or the console: roles, keys, and the time in which both count.

    The newest record in force about an id counts alone; a key that it leaves out has ended. `id`: of the person.
    `roles`: what the person may do. `keys`: the public keys. `controllers`: the
    entities for which the person acts, None = all. `from`, `until`: compared with the arrival of an act, never with a
    typed time. A date alone is its first moment in UTC.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "if": {"properties": {"roles": {"contains": {"const": "console"}}}},
            "then": {
                "properties": {
                    "roles": {"maxItems": 1},
                    "keys": {"items": {"properties": {"method": {"const": "console"}}}},
                }
            },
            "else": {"properties": {"keys": {"items": {"properties": {"method": {"not": {"const": "console"}}}}}}},
        }
    )

    v: Version
    kind: Literal["staff"]
    id: Surrogate
    roles: Annotated[Many[StaffRole], Field(max_length=6)]
    controllers: Annotated[Many[Id], Field(min_length=1, max_length=64)] | None = None
    keys: Annotated[Many[StaffKey], Field(max_length=16)] = ()
    from_: Annotated[ZonedTime | None, Field(alias="from")] = None
    until: ZonedTime | None = None

    @model_validator(mode="after")
    def _the_console_is_nobody_else(self) -> Self:
        if "console" in self.roles and len(self.roles) > 1:
            raise ValueError("the console has no other role")
        if any((key.method == "console") != ("console" in self.roles) for key in self.keys):
            raise ValueError("a console key belongs to the console alone")
        if len({key.id for key in self.keys}) < len(self.keys):
            raise ValueError("two keys have one id")
        return self


class TableRow(Model):
    """One row of the table that a passkey touch signed: the acts of one kind for one campaign.

    `campaign`: None for acts that name none. `count`: number of acts. `root`: SHA-256 (hex) of the Merkle tree
    (RFC 6962) of their texts.
    """

    kind: Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,32}$")]
    campaign: Id | None = None
    count: Annotated[int, Field(ge=1, le=MAX_TREE)]
    root: Sha256


class TablePlace(Model):
    """The place of an act in the table that one passkey touch signed.

    `rows`: the whole table; no two rows have one kind and campaign. `row`: the act's, from 0. `index`: of the act in
    this row's tree, from 0. `path`: the inclusion proof in hex, the leaf's end first.
    """

    rows: Annotated[Many[TableRow], Field(min_length=1, max_length=MAX_ROWS)]
    row: Annotated[int, Field(ge=0, lt=MAX_ROWS)]
    index: Annotated[int, Field(ge=0, lt=MAX_TREE)]
    path: Annotated[Many[Sha256], Field(max_length=20)]

    @model_validator(mode="after")
    def _its_row_is_there(self) -> Self:
        if self.row >= len(self.rows):
            raise ValueError("the table has no such row")
        return self

    @property
    def own(self) -> TableRow:
        """The row of the act."""
        return self.rows[self.row]


class TreePlace(Model):
    """The place of a message among those that one passkey touch signed up to release 0.3.0. New acts use `table`.

    `index`: from 0. `size`: number of messages. `path`: the inclusion proof in hex, the leaf's end first.
    """

    index: Annotated[int, Field(ge=0, lt=MAX_TREE)]
    size: Annotated[int, Field(ge=1, le=MAX_TREE)]
    path: Annotated[Many[Sha256], Field(max_length=20)]


class SignatureFields(Model):
    """The fields that a signature has wherever it stands.

    `id`: of the signature, or of the act. `sha256`: of the exact bytes that were signed. `sig`: the signature in
    base64. `by`: the person who acts. `key`: the id of the key. `at`: when it
    was signed. `origin`: the name of the log for which it was signed. `method`: `vouched` if the console signed for the
    person. `console`: then its staff id. `signin`: then how the person signed in. `authenticator`, `client`:
    authenticatorData and clientDataJSON of a passkey (WebAuthn), in base64. `table`: only of an act that it signed with
    others. `tree`: the same up to release 0.3.0; an act with it is refused.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "if": {"properties": {"method": {"const": "vouched"}}},
            "then": _VOUCHED,
            "else": {"not": _VOUCHED},
            "dependentRequired": {"table": ["authenticator", "client"]},
            "allOf": [
                {
                    "if": {"properties": {"method": {"const": "passkey"}}},
                    "then": _PASSKEY,
                    "else": {"not": _PASSKEY, **absent("tree")},
                }
            ],
        }
    )

    v: Version
    id: Id
    sha256: Sha256
    by: Surrogate
    key: Id
    method: Literal["key", "passkey", "vouched"]
    at: ZonedTime
    origin: LogOrigin
    sig: Base64
    console: Id | None = None
    signin: SignIn | None = None
    authenticator: Base64 | None = None
    client: Base64 | None = None
    table: TablePlace | None = None
    tree: TreePlace | None = None

    @model_validator(mode="after")
    def _has_what_its_method_needs(self) -> Self:
        if (self.method == "vouched") != (self.console is not None and self.signin is not None):
            raise ValueError("the console's word names the console and the sign-in, and no other signature does")
        if (self.method == "passkey") != (self.authenticator is not None and self.client is not None):
            raise ValueError("a passkey's signature has `authenticator` and `client`, and no other has them")
        if (self.tree is not None or self.table is not None) and self.method != "passkey":
            raise ValueError("only a passkey signs many at once")
        return self


class Signature(SignatureFields):
    """A signature of one record of `reference`, which stands before it.

    `of`: kind/id of the record. It endorses the nearest earlier record with that key and that SHA-256.
    """

    kind: Literal["signature"]
    of: SignedKind


class ActSignature(SignatureFields):
    """A signature of one act, in a header `gate-signature` of the act's record; `id` is the act's id.

    `blind`: 16 random bytes in hex, hashed before the act's value. They never reach the audit record, so nobody can
    find the person by trying recipient ids.
    """

    blind: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
