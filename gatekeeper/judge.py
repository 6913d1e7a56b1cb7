"""One record of `sends` in, all that it leads to out: outputs with their headers, and the audit record."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

from gatekeeper import memory as entries
from gatekeeper import spans
from gatekeeper.activation import Activations
from gatekeeper.answer import answer
from gatekeeper.audit import inquiry
from gatekeeper.audit import record as audit
from gatekeeper.audit.subject import Subject, Subjects
from gatekeeper.decide import Decision, decide, only
from gatekeeper.facts import FactStore
from gatekeeper.identity import Printed, Tokens, printed
from gatekeeper.known import Facts
from gatekeeper.memory import Entry, Memory
from gatekeeper.packs import Packs
from gatekeeper.partitioner import partition_of
from gatekeeper.reasons import Found
from gatekeeper.release import RELEASED
from gatekeeper.review import KEPT_MS
from gatekeeper.spans import instant
from schemas.audit import Mode
from schemas.codec import HEADER_BYTES, Unreadable, canonical, decode
from schemas.events import Send
from schemas.topics import logical_name

Headers = tuple[tuple[str, bytes], ...]

_OURS = ("ce_", "gate-")
INFORMATIONAL = ("DUPLICATE_SEND",)
"""A send withheld for this alone needs nobody: the piece went out already."""
_INVALID = {
    "controller": ("controller_unknown", "controller_id"),
    "purpose": ("purpose_unknown", "purpose"),
    "mail_date": ("mail_date_too_far", "mail_date"),
    "confirmation": ("confirmation_incomplete", "source_id"),
}
"""Fault and place of a send that can be read but not be judged."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record as it came. `topic` as the broker names it, `timestamp` in milliseconds."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()


@dataclass(frozen=True, slots=True)
class Output:
    """One record to write, to a topic of the registry."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of one record: its outputs, and the one audit record that every record gets.

    `verdict`: None where nothing was told, as of an act that only closes an item. `entries`: what is to be remembered.
    `misplaced`: Kafka's own partitioner would have put its recipient elsewhere. `failed`: a defect of ours withheld it.
    """

    outputs: tuple[Output, ...]
    audit: bytes
    did: str
    verdict: str | None
    codes: tuple[str, ...]
    dead: bool
    misplaced: bool
    failed: bool
    entries: tuple[Entry, ...] = ()


class Judge:
    """Judges records under the packs in use; `partitions` is how many `sends` has.

    In shadow mode nothing is cleared: what would be goes to `review`, marked as all else is.
    `tokens` make out whether the address printed is the one judged; without them a send that prints one is withheld.
    `subjects` name people in records; without them records name nobody.
    """

    def __init__(
        self,
        packs: Packs,
        partitions: int,
        mode: Mode = "live",
        *,
        tokens: Tokens | None = None,
        subjects: Subjects | None = None,
    ) -> None:
        self.packs = packs
        self.partitions = partitions
        self.mode = mode
        self.tokens = tokens
        self._subjects = subjects
        self._held: tuple[Activations, int, Packs] | None = None

    def holding(self, store: FactStore) -> Packs:
        """Returns the packs that hold by what the store knows: the same ones until it hears of a policy."""
        known = store.activations
        if self._held is None or self._held[0] is not known or self._held[1] != known.revision:
            self._held = known, known.revision, known.over(self.packs)
        return self._held[2]

    def subject(self, recipient_id: str, memory: Memory) -> tuple[Subject | None, tuple[Entry, ...]]:
        """Returns how records name a person, and what is to be remembered so that they name them alike."""
        return self._subjects.of(recipient_id, memory) if self._subjects else (None, ())

    def judge(
        self, record: Record, store: FactStore, at: int, *, as_of: int | None = None, memory: Memory | None = None
    ) -> Judged:
        """Returns what becomes of one record at that instant (milliseconds since the epoch). Never raises.

        `memory`: what was decided before; the entries of the result are put into it by whoever writes them.
        A defect of ours on this record withholds it as DECISION_FAILED; the others go on.
        """
        id_ = audit.did(record.topic, record.partition, record.offset, "intake")
        packs = self.holding(store)
        send, facts, who = None, None, None
        memory = memory or Memory()
        salt: tuple[Entry, ...] = ()
        try:
            if sum(len(name) + len(value or b"") for name, value in record.headers) > HEADER_BYTES:
                raise Unreadable("headers_too_long")
            send = decode(logical_name(record.topic), record.key, record.value)
            who, salt = self.subject(send.recipient_id, memory)
            at_point = printed(self.tokens, send)
            known = memory.about(send, at)
            facts = store.view(send, at_point, asks=known.asks, releases=known.releases, erased=known.erased)
            before = known.clearance.did if known.clearance else None
            decision = decide(send, facts, store.reference, packs, at, as_of=as_of, clearance=before)
            judged = self._judged(record, send, facts, decision, id_=id_, who=who, as_of=as_of, clearance=before)
            kept = remembered(send, record.value or b"", at_point, decision, id_=id_, src=origin(record), memory=memory)
            return replace(judged, entries=(*kept, *salt))
        except Unreadable as fault:
            return self._dead(record, only(packs.at(at), at, [invalid(fault)]), id_=id_)
        except Exception as error:
            decision = only(packs.at(at), at, [defect(error)])
            failed = self._failed(record, send, facts, decision, id_=id_, who=who, as_of=as_of)
            return replace(failed, entries=salt)

    def _failed(
        self,
        record: Record,
        send: Send | None,
        facts: Facts | None,
        decision: Decision,
        *,
        id_: str,
        who: Subject | None,
        as_of: int | None,
    ) -> Judged:
        """Withholds a record that a defect of ours could not judge; as a dead letter, if even that fails."""
        if send is not None:
            try:
                return self._judged(record, send, facts, decision, id_=id_, who=who, as_of=as_of, failed=True)
            except Exception as again:
                decision = only(decision.policy, decision.at, [defect(again)])
        return self._dead(record, decision, id_=id_, failed=True)

    def _judged(
        self,
        record: Record,
        send: Send,
        facts: Facts | None,
        decision: Decision,
        *,
        id_: str,
        who: Subject | None,
        as_of: int | None,
        clearance: str | None = None,
        failed: bool = False,
    ) -> Judged:
        proof = audit.record(
            decision,
            id_=id_,
            origin=origin(record),
            send=audit.judged_send(record.value or b""),
            snapshot=facts.snapshot if facts else None,
            as_of=as_of,
            clearance=clearance,
            mode=self.mode,
            normalised=facts is not None and facts.printed == "tokenised",
            subject=who,
            raw=record.value,
        )
        dead = decision.codes == ("EVENT_INVALID",)
        if dead:
            outputs = (self.dead_letter(record, id_, *_INVALID[decision.reasons[0].says["case"]]),)
        else:
            outputs = (self.told(record, send, decision, id_),)
        return Judged(
            outputs=outputs,
            audit=proof,
            did=id_,
            verdict=decision.verdict,
            codes=decision.codes,
            dead=dead,
            misplaced=partition_of(send.recipient_id.encode(), self.partitions) != record.partition,
            failed=failed,
        )

    def _dead(self, record: Record, decision: Decision, *, id_: str, failed: bool = False) -> Judged:
        """Returns what becomes of a record that could not even be read; its recipient is not known."""
        says = decision.reasons[0].says
        fault, _, place = says.get("fault", says.get("fingerprint", "")).partition(" at ")
        letter = self.dead_letter(record, id_, fault, place, decision.codes[0])
        proof = audit.record(decision, id_=id_, origin=origin(record), send=None, snapshot=None, mode=self.mode)
        return Judged(
            outputs=(letter,),
            audit=proof,
            did=id_,
            verdict=decision.verdict,
            codes=decision.codes,
            dead=True,
            misplaced=False,
            failed=failed,
        )

    def told(self, record: Record, send: Send, decision: Decision, id_: str) -> Output:
        """Returns the send, byte for byte, with the decision in its headers: on `cleared`, or on `review`.

        The headers are the platform's, then CloudEvents in binary mode, then the gate's own.
        """
        clear = decision.verdict == "clear" and self.mode == "live"
        outcome = "cleared" if clear else "withheld"
        if self.mode == "shadow":
            outcome = "shadowed"  # nobody may take it for a clearance
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
            *marked(self.mode),
        ]
        if decision.codes == INFORMATIONAL:
            headers.append(("gate-disposition", b"informational"))
        if clear:
            headers.append(("gate-inquiry", inquiry.make(id_).encode()))
        else:
            headers.append(("gate-decision", canonical(answer(decision, id_))))
        return Output("cleared" if clear else "review", send.recipient_id.encode(), record.value, tuple(headers))

    def dead_letter(self, record: Record, id_: str, fault: str, place: str, reason: str = "EVENT_INVALID") -> Output:
        """Returns a record as it came, set aside with what is wrong with it."""
        headers = (
            ("gate-reason", reason.encode()),
            ("gate-fault", fault.encode()),
            ("gate-place", place.encode()),
            ("gate-source", f"{logical_name(record.topic)}/{record.partition}/{record.offset}".encode()),
            ("gate-decision-id", id_.encode()),
            *marked(self.mode),
        )
        return Output("deadletter", record.key, record.value, headers)


def remembered(
    send: Send,
    value: bytes,
    at_point: Printed | None,
    decision: Decision,
    *,
    id_: str,
    src: dict[str, Any],
    memory: Memory,
) -> tuple[Entry, ...]:
    """Returns what a decision on a send adds to the memory, and what it takes out of it.

    `value`: the send's bytes. `at_point`: what its delivery comes to. `src`: the `origin` of what was judged.
    """
    if decision.verdict != "clear":
        return *superseded(send, decision, memory), *held(send, decision, id_=id_, memory=memory)
    policy = decision.policy
    until = decision.at + policy.dedupe_ms
    if send.mail_date:
        until = max(until, spans.span(send.mail_date, policy.timezone).last // 1000 + 1)
    return (
        entries.clearance(
            value,
            send,
            did=id_,
            at=decision.at,
            until=until,
            basis=decision.basis,
            released=RELEASED in decision.notes,
            src=src,
            printed=at_point,
        ),
    )


def held(send: Send, decision: Decision, *, id_: str, memory: Memory) -> tuple[Entry, ...]:
    """Returns what is remembered of a withheld send that may go out once its person says yes, up to its mail date.

    It is one whose person may be asked, or has been: then even what has another reason now.
    """
    if memory.review is None or decision.codes == INFORMATIONAL:
        return ()
    if decision.verdict != "confirm" and not memory.requests(send.recipient_id):
        return ()
    until = decision.at + KEPT_MS
    if send.mail_date:
        until = min(until, spans.span(send.mail_date, decision.policy.timezone).last // 1000 + 1)
    return (entries.held(send.recipient_id, id_, offset=memory.review, until=until),)


def superseded(send: Send, decision: Decision, memory: Memory) -> tuple[Entry, ...]:
    """Returns what takes out the releases of the send's key, where a hard fact ended them for good."""
    if "RELEASE_SUPERSEDED" not in decision.codes:
        return ()
    return tuple(Entry(key, None) for key in memory.releases(send))


def marked(mode: Mode) -> Headers:
    """Returns the header that tells what a shadow wrote; a live gate needs none."""
    return (("gate-mode", b"shadow"),) if mode == "shadow" else ()


def origin(record: Record) -> dict[str, Any]:
    """Returns where a record stands, as its audit record says it."""
    return {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": max(record.timestamp, 0),
    }


def invalid(fault: Unreadable) -> Found:
    """Returns the reason of a send that cannot be read."""
    return Found("EVENT_INVALID", (), {"case": "unreadable", "fault": str(fault)})


def defect(error: Exception) -> Found:
    """Returns the reason of a defect of ours: the error's type and where it arose, never its values."""
    return Found("DECISION_FAILED", (), {"type": type(error).__name__, "fingerprint": fingerprint(error)})


def fingerprint(error: Exception) -> str:
    """Returns twelve letters that stand for an error's type and where it arose, never for its values."""
    frames = traceback.extract_tb(error.__traceback__)
    trail = "|".join(f"{frame.filename.rsplit('/', 1)[-1]}:{frame.name}:{frame.lineno}" for frame in frames)
    return sha256(f"{type(error).__name__}|{trail}".encode()).hexdigest()[:12]
