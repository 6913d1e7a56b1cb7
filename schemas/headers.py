"""The headers of each topic's records: those that the gate reads, and those that it writes.

A header's value is text in UTF-8. Names that begin with `ce_` or `gate-` are the gate's own. All others are the
platform's, and may hold any bytes.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, Json, StringConstraints

from schemas.decision import CodedDecision, DecisionId, Verdict
from schemas.events.acts import Seen
from schemas.events.staff import ActSignature
from schemas.values import Code, Digest, Id, Instant, Model

_Codes = Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9._\-]+(,[A-Za-z0-9._\-]+)*)?$")]
_Place = Annotated[str, StringConstraints(pattern=r"^[a-z]+/[0-9]+/[0-9]+$")]
_Arrival = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,16}(;last)?$")]
_TokenKeys = Annotated[
    str, StringConstraints(pattern=r"^t[0-9k]{1,12}=[0-9a-f]{16}(,t[0-9k]{1,12}=[0-9a-f]{16}){0,15}$")
]
_TRACE = r"^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$"
_Named = Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[1-9][0-9]*$")]


class SendHeaders(Model):
    """The platform's own headers of a send, 64 at most. They stay on `cleared` and `review`."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"maxProperties": 64})
    __pydantic_extra__: dict[str, str]


class FactHeaders(Model):
    """The headers of a fact.

    `gate-arrived`: on a copied fact, its first arrival in milliseconds, with `;last` on the last one of a partition.
    `gate-caller`: the program that stated the fact over HTTP, as the service recognised it. It decides nothing.
    `gate-token-key`: the fingerprints of the keys that made its tokens, by name. One that no worker holds is lacking.
    `gate-signature`: on the correction of an erasure, a manager's signature.
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, str]

    caller: Annotated[Id | None, Field(alias="gate-caller")] = None
    token_key: Annotated[_TokenKeys | None, Field(alias="gate-token-key")] = None
    arrived: Annotated[_Arrival | None, Field(alias="gate-arrived")] = None
    signature: Annotated[Json[ActSignature] | None, Field(alias="gate-signature")] = None


class ActHeaders(Model):
    """The headers of an act.

    `gate-signature`: the signature of the person in `by`; where two people act, there is one such header for each.
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, str]

    signature: Annotated[Json[ActSignature] | None, Field(alias="gate-signature")] = None


class DecidedHeaders(Model):
    """The headers of a decided send: the platform's own, CloudEvents in binary mode, and the gate's.

    `ce_specversion`, `ce_type`, `ce_time`: by CloudEvents. `ce_id`: the decision's id. `ce_source`: topic and partition
    of the send. `gate-decision-id`: the same at every retry; key of the audit record. Take each id once: after a
    restore it stands at another offset too. So does a lost record that is written again. `gate-verdict`: only a `clear`
    piece goes out. `gate-policy`: id@version. `gate-obligations`: the information that the piece must carry, separated
    by commas. `gate-mode`: `shadow`, where nothing goes out; a live gate writes none. `gate-disposition`:
    `informational` where the send is only a duplicate: nobody needs to look.
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, str]

    specversion: Annotated[Literal["1.0"], Field(alias="ce_specversion")]
    ce_id: DecisionId
    ce_source: Annotated[str, StringConstraints(pattern=r"^/[a-z0-9.\-]+/[0-9]+$")]
    ce_type: Literal["gatekeeper.send.cleared.v1", "gatekeeper.send.withheld.v1", "gatekeeper.send.shadowed.v1"]
    ce_time: Instant
    decision_id: Annotated[DecisionId, Field(alias="gate-decision-id")]
    verdict: Annotated[Verdict, Field(alias="gate-verdict")]
    policy: Annotated[_Named, Field(alias="gate-policy")]
    obligations: Annotated[_Codes, Field(alias="gate-obligations")]
    mode: Annotated[Literal["shadow"] | None, Field(alias="gate-mode")] = None
    disposition: Annotated[Literal["informational"] | None, Field(alias="gate-disposition")] = None


class ClearedHeaders(DecidedHeaders):
    """The headers of a cleared send.

    `gate-inquiry`: the code to print on the piece, with which the person can ask why it came.
    """

    inquiry: Annotated[str, Field(alias="gate-inquiry")]


class ReviewHeaders(DecidedHeaders):
    """The headers of a withheld send.

    `gate-decision`: the whole decision in codes and values, as JSON. `gate-seen`: by each reason that a reviewer may
    release, the digests of the facts that it points to, as JSON. A release repeats them. Older items have none.
    """

    decision: Annotated[Json[CodedDecision], Field(alias="gate-decision")]
    seen: Annotated[Json[Seen] | None, Field(alias="gate-seen")] = None


class CausedHeaders(Model):
    """The headers of a question and of a recall.

    `gate-decision-id`: the audit record of the act that caused it. A recall that a fact caused names its own record.
    """

    decision_id: Annotated[DecisionId, Field(alias="gate-decision-id")]


class ResultHeaders(Model):
    """The headers of a result.

    `gate-decision-id`: its audit record. `traceparent`: that of the send by W3C's trace context, if it is well-formed.
    Results of recalls and handoffs have none.
    """

    decision_id: Annotated[DecisionId, Field(alias="gate-decision-id")]
    traceparent: Annotated[str, StringConstraints(pattern=_TRACE)] | None = None


class ManifestHeaders(Model):
    """The headers of a manifest.

    `gate-sig`: the Ed25519 signature of the value in base64, by the key that its `kid` names.
    """

    sig: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/]{86}==$"), Field(alias="gate-sig")]


class DeadLetterHeaders(Model):
    """The headers of a record that could not be read, or that breaks the contract.

    `gate-reason`: the reason's code. `gate-fault`, `gate-place`: the fault, and its field; never a value.
    `gate-source`: the place of the record, as
    `consents/3/120`. `gate-decision-id`: of a send or an act. `gate-remedy`: the setting with
    which the platform avoids it. `gate-size`, `gate-sha256`: size and SHA-256 of its value, for every fact and for a
    record too large to be copied. At most 4 KiB of a fact are copied. The SHA-256 stands alone if the headers were
    refused, or the batch is not readable. Nothing of such a record is copied. `gate-managers`: of a fact, how many
    managers must resolve it: two if it may concern anybody. `gate-mode`: `shadow`, else absent.
    """

    reason: Annotated[Code, Field(alias="gate-reason")]
    fault: Annotated[str, Field(alias="gate-fault")]
    place: Annotated[str, Field(alias="gate-place")]
    source: Annotated[_Place, Field(alias="gate-source")]
    decision_id: Annotated[DecisionId | None, Field(alias="gate-decision-id")] = None
    remedy: Annotated[str | None, Field(alias="gate-remedy")] = None
    size: Annotated[str | None, StringConstraints(pattern=r"^[0-9]+$"), Field(alias="gate-size")] = None
    sha256: Annotated[Digest | None, Field(alias="gate-sha256")] = None
    managers: Annotated[Literal["1", "2"] | None, Field(alias="gate-managers")] = None
    mode: Annotated[Literal["shadow"] | None, Field(alias="gate-mode")] = None
