"""One record of `sends` in, all that it leads to out: outputs with their headers, and the audit record."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from gatekeeper import times
from gatekeeper.audit.records import record as audit
from gatekeeper.audit.records.pseudonym import Subject, Subjects
from gatekeeper.deciding.decide import Decision, decide, only
from gatekeeper.deciding.facts import Facts
from gatekeeper.deciding.release import RELEASED
from gatekeeper.engine.failures import defect, invalid
from gatekeeper.engine.outputs import INFORMATIONAL, dead_letter, origin, told
from gatekeeper.engine.rejudging import acted_on_until, rejudged_until
from gatekeeper.identity import Printed, Tokens, printed
from gatekeeper.knowledge.store import FactStore
from gatekeeper.ledger import entries
from gatekeeper.ledger.entries import Entry
from gatekeeper.ledger.memory import Memory
from gatekeeper.partitioner import partition_of
from gatekeeper.policy.activation import Activations
from gatekeeper.policy.packs import Packs
from schemas.audit import Mode
from schemas.codec import Unreadable, read
from schemas.events import Send
from schemas.record import Output, Record

INVALID = {
    "controller": ("controller_unknown", "controller_id"),
    "purpose": ("purpose_unknown", "purpose"),
    "mail_date": ("mail_date_too_far", "mail_date"),
    "confirmation": ("confirmation_incomplete", "source_id"),
}
"""Fault and place of a send that can be read but not be judged."""
PARTITION_WRONG = "partition_wrong"


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

    `judge_misplaced`: judge a send on another partition than Kafka's own partitioner gives its recipient, too.
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
        judge_misplaced: bool = False,
    ) -> None:
        self.packs = packs
        self.partitions = partitions
        self.mode = mode
        self.tokens = tokens
        self.judge_misplaced = judge_misplaced
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
            send = taken(record, None if self.judge_misplaced else self.partitions)
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
            outputs = (dead_letter(record, id_, *INVALID[decision.reasons[0].says["case"]], mode=self.mode),)
        else:
            outputs = (told(record, send, decision, id_, mode=self.mode),)
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
        letter = dead_letter(record, id_, fault, place, decision.codes[0], mode=self.mode)
        proof = audit.record(decision, id_=id_, origin=origin(record), send=None, snapshot=None, mode=self.mode)
        return Judged(
            outputs=(letter,),
            audit=proof,
            did=id_,
            verdict=decision.verdict,
            codes=decision.codes,
            dead=True,
            misplaced=fault == PARTITION_WRONG,
            failed=failed,
        )


def taken(record: Record, partitions: int | None) -> Send:
    """Reads one record of `sends`; raises Unreadable for one that is not to be judged.

    `partitions`: how many the topic has. A send on another one than Kafka's own partitioner gives its recipient is
    refused, as its duplicates are not known there (domain rule 7.4.20); None judges it wherever it stands.
    """
    send: Send = read(record)
    if partitions is not None and partition_of(send.recipient_id.encode(), partitions) != record.partition:
        raise Unreadable(PARTITION_WRONG, "key")
    return send


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
        until = max(until, times.span(send.mail_date, policy.timezone).last // 1000 + 1)
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
    """Returns what is remembered of a withheld send that the gate itself may clear later, up to its mail date.

    It is one whose person may be asked, or has been: then even what has another reason now. And it is one that was
    withheld because facts were late or unreadable.
    """
    if memory.review is None or decision.codes == INFORMATIONAL:
        return ()
    rejudge, until = rejudged_until(send, decision), acted_on_until(send, decision)
    if decision.verdict != "confirm" and not memory.requests(send.recipient_id):
        if rejudge is None:
            return ()
        until = rejudge
    return (entries.held(send.recipient_id, id_, offset=memory.review, until=until, rejudge=rejudge),)


def superseded(send: Send, decision: Decision, memory: Memory) -> tuple[Entry, ...]:
    """Returns what takes out the releases of the send's key, where a hard fact ended them for good."""
    if "RELEASE_SUPERSEDED" not in decision.codes:
        return ()
    return tuple(Entry(key, None) for key in memory.releases(send))
