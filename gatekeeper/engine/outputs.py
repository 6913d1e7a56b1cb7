"""Outputs: a send with the decision in its headers, or a dead letter."""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import sha256

from gatekeeper.audit.records import inquiry
from gatekeeper.deciding.answer import coded
from gatekeeper.deciding.decide import Decision
from gatekeeper.ground.times import instant
from schemas.audit import Mode
from schemas.codec import canonical, headers_fault
from schemas.events import Send
from schemas.record import Headers, Output, Record
from schemas.topics import logical_name

_OURS = ("ce_", "gate-")
TRACE = "traceparent"
SEEN = "gate-seen"
"""The header of a withheld send with the digests of the facts that its reasons point to."""
_TRACED = re.compile(rb"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
REMEDIES = {"partition_wrong": b"partitioner=murmur2_random"}
"""By fault, the producer setting in librdkafka's terms that prevents the fault."""
INFORMATIONAL = ("DUPLICATE_SEND",)
"""A send withheld for this reason alone needs no review: the piece has gone out already."""


def told(record: Record, send: Send, decision: Decision, id_: str, *, mode: Mode) -> Output:
    """The send, byte for byte, with the decision in its headers: on `cleared`, or on `review`.

    The headers are the platform's, then CloudEvents in binary mode, then the gate's own. `id_`: the decision's.
    `mode`: in shadow nothing is cleared; a send that would be cleared goes to `review`.
    """
    clear = decision.verdict == "clear" and mode == "live"
    outcome = "cleared" if clear else "withheld"
    if mode == "shadow":
        outcome = "shadowed"  # nobody may mistake it for a clearance
    headers = [
        *((name, value) for name, value in record.headers if not name.lower().startswith(_OURS)),
        ("ce_specversion", b"1.0"),
        ("ce_id", id_.encode()),
        ("ce_source", f"/{record.topic}/{record.partition}".encode()),
        ("ce_type", f"gatekeeper.send.{outcome}.v1".encode()),
        ("ce_time", instant(decision.at).encode()),
        ("gate-decision-id", id_.encode()),
        ("gate-verdict", decision.verdict.encode()),
        ("gate-policy", decision.policy.name.encode()),
        ("gate-obligations", ",".join(decision.obligations).encode()),
        *marked(mode),
    ]
    if decision.codes == INFORMATIONAL:
        headers.append(("gate-disposition", b"informational"))
    if clear:
        headers.append(("gate-inquiry", inquiry.make(id_).encode()))
    else:
        headers.append(("gate-decision", canonical(coded(decision, send.channel, id_))))
        if decision.seen:
            headers.append(("gate-seen", canonical(dict(decision.seen))))
    return Output("cleared" if clear else "review", send.recipient_id.encode(), record.value, tuple(headers))


def dead_letter(
    record: Record, id_: str, fault: str, place: str, reason: str = "EVENT_INVALID", *, mode: Mode
) -> Output:
    """A record as it arrived, set aside with a description of its fault.

    `id_`: that of the decision about the record. `fault`, `place`: as in `Unreadable`. `reason`: a code.
    The platform's headers are not copied. For a record refused for its headers, or before it was read, the dead letter
    holds only place and SHA-256.
    """
    headers = (
        ("gate-reason", reason.encode()),
        ("gate-fault", fault.encode()),
        ("gate-place", place.encode()),
        ("gate-source", f"{logical_name(record.topic)}/{record.partition}/{record.offset}".encode()),
        ("gate-decision-id", id_.encode()),
        *((("gate-remedy", REMEDIES[fault]),) if fault in REMEDIES else ()),
        *marked(mode),
    )
    if record.refused or headers_fault(record.headers):
        digest = record.refused.sha256 if record.refused else sha256(record.value or b"").hexdigest()
        return Output("deadletter", None, None, (*headers, ("gate-sha256", digest.encode())))
    return Output("deadletter", record.key, record.value, headers)


def traced(headers: Sequence[tuple[str, bytes]]) -> Headers:
    """The one header `traceparent` among these, by W3C's trace context; none if it is not well-formed, or not alone.

    It has 55 bytes. Its ids are 24 of the platform's own choice, in hexadecimal digits, and nobody can check them.
    """
    values = [value for name, value in headers if name == TRACE]
    return ((TRACE, values[0]),) if len(values) == 1 and _TRACED.fullmatch(values[0] or b"") else ()


def marked(mode: Mode) -> Headers:
    """The header that marks the output of a shadow; a live gate adds none."""
    return (("gate-mode", b"shadow"),) if mode == "shadow" else ()
