"""Weighs the signature of an act: who signed it, or why it is the act of nobody."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple

from pydantic import ValidationError

from gatekeeper.staff import roles
from gatekeeper.staff.act_kinds import ACT_KINDS, DESK, ActKind
from gatekeeper.staff.message import CORRECT, act_subject, digest, row_of, timely
from gatekeeper.staff.roster import Roster
from gatekeeper.staff.signatures import HEADER
from schemas.events import PersonEvent, Suppression
from schemas.events.staff import ActSignature
from schemas.record import Record

Refused = Literal[
    "unsigned",
    "not_staff",
    "role",
    "origin",
    "seen_before",
    "too_old",
    "bad_signature",
    "old_form",
    "row_differs",
    "two_people",
    "vouched_not_enough",
]
"""Codes of an act that is refused for its signature."""
READMIT, ERASURE = "readmit", "erasure"
"""The act by which a manager takes an erasure back, and the kind of its stops."""
RESOLVING = ("identity_resolved", "undeliverable_resolved")
"""Events of a person that take a no, or a returned piece, away."""
REQUEST = "request_received"
"""The event that a person asked for a right."""
PRINT_ACCEPTED = "print_accepted"
"""The event by which one of the staff accepts further text that is printed."""
VOUCHED_FOR = (*RESOLVING, REQUEST, PRINT_ACCEPTED)
"""Events of a person that count by those who stand for them."""
TAKING_BACK = ("corrected", "rejected")
"""States of a suppression that take it away."""
CORRECTION = ActKind("person", DESK)
MAX_SIGNATURES = 8
"""Signatures of one act that are read."""
_KEPT = ("by", "key", "method", "at", "sha256", "sig", "console", "signin", "authenticator", "client", "table")


class Signer(NamedTuple):
    """The person behind an act. `controllers`: those for whom this person acts, None = all.

    `number`: of acts in its row of the table that the person signed, 1 if it was signed alone.
    `kept`: the fields of `schemas.audit.SignedBy`, with which anybody can check the signature offline.
    """

    by: str
    controllers: frozenset[str] | None
    vouched: bool
    kept: Mapping[str, Any]
    number: int = 1

    def acts_for(self, controller: str | None) -> bool:
        """Tells whether the person may act for this controller; None = for every one."""
        return self.controllers is None or controller in self.controllers


def signatures(headers: Iterable[tuple[str, bytes]]) -> list[ActSignature]:
    """The readable signatures among a record's headers; others are passed over."""
    readable = list[ActSignature]()
    for name, value in headers:
        if name == HEADER and len(readable) < MAX_SIGNATURES:
            try:
                readable.append(ActSignature.model_validate_json(value))
            except ValidationError:
                continue
    return readable


def weigh(record: Record, act: Mapping[str, Any], *, roster: Roster, origin: str) -> Signer | Refused:
    """The person who signed an act, or the code of its refusal.

    `record`: the act's. `act`: the JSON of its value. The signer must be the act's `by`. Signature and act must be
    dated within 10 minutes of the arrival.
    """
    kind = ACT_KINDS.get(act["kind"])
    own = [
        signature for signature in signatures(record.headers) if roles.person(signature.by) == roles.person(act["by"])
    ]
    if not own or kind is None:
        return "unsigned"
    codes = [_weighed(record, act, signature, kind, roster=roster, origin=origin) for signature in own]
    return next((code for code in codes if isinstance(code, Signer)), codes[0])


class Correctors(NamedTuple):
    """The people who stand for an event that takes a no away, as `roles.person` folds them. Managers are staff, too."""

    staff: frozenset[str] = frozenset()
    managers: frozenset[str] = frozenset()

    def __or__(self, other: Correctors) -> Correctors:
        return Correctors(self.staff | other.staff, self.managers | other.managers)


def takes_away(event: object) -> bool:
    """True for an event that takes a no, or a returned piece, away."""
    if isinstance(event, Suppression):
        return event.state in TAKING_BACK
    return isinstance(event, PersonEvent) and event.kind in RESOLVING


def needs_signature(event: object) -> bool:
    """True for an event that counts only by those who sign it."""
    return takes_away(event) or (isinstance(event, PersonEvent) and event.kind in VOUCHED_FOR)


def correctors(record: Record, said: Mapping[str, Any], *, roster: Roster, origin: str) -> Correctors:
    """Those in `by` who signed such an event; nobody takes a no away without evidence (rules 8.1.40, 8.3.50).

    `record`: of a suppression or an event of a person. `said`: the JSON of its value. A signature has the id of the
    event, and the form of an act `correct` about a person. An erasure's correction has the form of an act `readmit`.
    The console's word makes nobody a manager. In a file, which has no `origin`, nobody can sign. Then the named stand
    for themselves, and two of them are managers. In a log a record of before the first
    staff is nobody's. Two managers stand for it anew (`NosResolution`).
    """
    named = roles.wanted(said)
    if not named or not (said.get("evidence_ref") or said["kind"] == REQUEST):
        return Correctors()
    if roster.began is None:
        return Correctors() if origin else Correctors(named, named if len(named) > 1 else frozenset())
    id_, at = said.get("suppression_id") or said.get("record_id"), said.get("received_at") or said.get("at")
    request, kind = said["kind"] == REQUEST, READMIT if said["kind"] == ERASURE else CORRECT
    row = ACT_KINDS.get(kind, CORRECTION)
    fact = {"kind": kind, "act_id": id_, "at": at}
    controller = (said.get("scope") or {}).get("controller")
    staff, managers = set[str](), set[str]()
    for signed in signatures(record.headers):
        fact |= {"at": signed.at} if request else {}  # it came in before anybody entered it
        signer = _weighed(record, fact, signed, row, roster=roster, origin=origin) if id_ and at else None
        if not isinstance(signer, Signer) or roles.person(signer.by) not in named or not signer.acts_for(controller):
            continue
        staff.add(roles.person(signer.by))
        member = roster.member(signer.by, record.timestamp)
        if member and "manager" in member.roles and not signer.vouched:
            managers.add(roles.person(signer.by))
    return Correctors(frozenset(staff), frozenset(managers))


def _weighed(
    record: Record, act: Mapping[str, Any], signed: ActSignature, kind: ActKind, *, roster: Roster, origin: str
) -> Signer | Refused:
    fields, arrived = signed.model_dump(mode="json", exclude_none=True), record.timestamp
    subject = act_subject(act)
    if signed.origin != origin:
        return "origin"
    if not (timely(signed.at, arrived) and timely(str(act["at"]), arrived)):
        return "too_old"
    if signed.tree is not None:
        return "old_form"
    if signed.id != act["act_id"] or signed.sha256 != digest(record.value or b"", signed.blind):
        return "bad_signature"
    if fault := roster.fault(fields, subject=subject, origin=origin, arrived=arrived):
        return "not_staff" if fault == "not_staff" else "bad_signature"
    row = signed.table.own if signed.table else None
    if row is not None and row_of(row.model_dump()) != row_of(act):
        return "row_differs"
    person = roster.member(signed.by, arrived)
    if person is None or not person.roles & kind.roles:
        return "role"
    vouched = signed.method == "vouched"
    if vouched and not kind.vouched:
        return "vouched_not_enough"
    kept = {**{name: fields[name] for name in _KEPT if name in fields}, "subject": subject}
    return Signer(signed.by, person.controllers, vouched, kept, row.count if row else 1)
