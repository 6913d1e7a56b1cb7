"""The effective consent: which of a person's consents and refusals apply to a scope (domain rules 6.3, 7.1)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from gatekeeper.deciding.arrival import WILL_KINDS
from gatekeeper.deciding.case import Case
from gatekeeper.deciding.children import minor
from gatekeeper.deciding.consent_proof import AS_CHILD, EVIDENCE, EXPIRED, Proof, speaks, unauthorised
from gatekeeper.deciding.facts import GUARDIAN, HeldConsent, HeldSuppression
from gatekeeper.deciding.redacted import changed
from gatekeeper.deciding.refusals import Lifter, Lifting, No, bound, covers_send, lifting, no_of, reads_wide, stop_of
from gatekeeper.deciding.scope import ANOTHER_ID, READ_WIDE, is_known
from gatekeeper.deciding.statutory_exception import excepted
from gatekeeper.deciding.stops import is_open
from gatekeeper.ground.times import BEFORE_ALL, LONG_AGO, day
from gatekeeper.policy.methods import METHODS
from gatekeeper.policy.reasons import WORST, Found
from schemas.events import Source

_ALSO_OF_SOURCES = ("CONTROLLER_MISMATCH", "PURPOSE_NOT_COVERED", "CONTACT_POINT_NOT_COVERED", "CONSENT_INVALIDATED")


UNCOUNTED = {
    EVIDENCE: "unproven",
    "CONSENT_BY_OTHER": "other",
    "CONSENT_UNCONFIRMED": "unfinished",
    "CONSENT_NOT_YET_VALID": "early",
    "CONSENT_INVALIDATED": "void",
    EXPIRED: "over",
    AS_CHILD: "child",
}
"""The cause why a consent does not count, in one word, by its fault."""


class ConsentState(NamedTuple):
    """A person's consent events, evaluated for one send.

    `nos`: withdrawals and refusals that are not lifted; if there is one, no consent applies. `stands`: the proven
    consents that are later than every refusal in scope, the latest first. `lacks`: why there is none: faults, near
    misses, or CONSENT_MISSING. `after`: the end of the latest refusal in scope, lifted or not, in microseconds. A
    consent counts only if it is later (rule 7.1.1). `guardian`: a guardian's consent stands. `dated_back`: as of
    `Lifting`.
    """

    nos: tuple[No, ...]
    stands: tuple[HeldConsent, ...]
    lacks: tuple[Found, ...]
    after: int
    notes: frozenset[str]
    guardian: bool
    dated_back: tuple[tuple[No, int], ...] = ()


class Consents:
    """The consent events of one case; `standing` evaluates them for some parties."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.proof = Proof(case)
        self.excepted = excepted(case, self.proof.nos)
        """True if the law asks no consent for this send (rule 8.3.55)."""
        self._standing: dict[tuple[str, ...], ConsentState] = {}
        self._given_to: dict[tuple[str, ...], list[HeldConsent]] = {}
        self._lifting: dict[tuple[tuple[str, ...], int], list[Lifter]] = {}
        self._stopped: dict[int, Lifting] = {}
        self._of_will: list[tuple[HeldSuppression, No]] | None = None

    def standing(self, parties: tuple[str, ...]) -> ConsentState:
        """The consents for the purpose, channel and contact point of the send, given to one of `parties`."""
        state = self._standing.get(parties)
        if state is None:
            state = self._standing[parties] = self._stands(parties)
        return state

    def stop(self, stop: HeldSuppression) -> Lifting:
        """The refusal that a suppression of the will means for the send. Nothing is left out of scope, or once lifted.

        A cessation that nobody has decided is not lifted.
        """
        reading = self._stopped.get(id(stop))
        if reading is None:
            reading = self._stopped[id(stop)] = self._read_stop(stop)
        return reading

    def _read_stop(self, stop: HeldSuppression) -> Lifting:
        if stop.kind not in WILL_KINDS or (parties := bound(self.case, stop)) is None:
            return Lifting(())
        wide = frozenset((READ_WIDE,)) if reads_wide(self.case, stop) else frozenset[str]()
        wide |= {ANOTHER_ID} if stop.of_another else frozenset[str]()
        no = stop_of(self.case, stop)
        if is_open(stop):
            return Lifting((no,), wide)
        nos = [*self._nos(parties), *(refusal for _, refusal in self._stops()), no]
        lifted = lifting(self.case, (no,), self._lifters(parties, _end(nos)))
        return lifted._replace(notes=lifted.notes | wide)

    def is_wide(self, no: No) -> bool:
        """True if a refusal covers the send only because it is read wide (rule 7.1.5)."""
        event, parties = no.event, (self.case.send.controller_id, *([no.controller] if no.controller else ()))
        if event is None:
            return False
        return self.proof.is_wide(event, parties) if event.kind == "consent" else reads_wide(self.case, event)

    def uncounted(self, no: No) -> dict[str, str]:
        """The latest yes after a refusal that does not lift it, with the cause, for its sentence; {} without one.

        `yes`: the id of the consent. `not_counted`: a word of UNCOUNTED, `import` or `child` (rule 8.2.47).
        """
        proof, parties = self.proof, (self.case.send.controller_id, *([no.controller] if no.controller else ()))
        later = (event for event in self._givens(parties) if proof.when(event).first > no.said.last)
        if (yes := next(later, None)) is None:
            return {}
        cause = next((UNCOUNTED[fault] for fault in proof.faults(yes) if fault in UNCOUNTED), "import")
        if proof.lifts(yes, BEFORE_ALL):
            cause = "child" if no.guarded and minor(self.case, yes, proof.when(yes)) else "over"
        return {"yes": yes.record_id, "not_counted": cause}

    def refused(self, nos: Sequence[No]) -> Lifting:
        """The refusals among `nos` that no consent to the sender lifts, whatever their scope (rule 7.1.11).

        They bind the send like one in its scope, so they end what was begun before them (rule 7.1.1).
        """
        sender = (self.case.send.controller_id,)
        return lifting(self.case, nos, self._lifters(sender, max(self.standing(sender).after, _end(nos))))

    def agreed(self, request_id: str) -> bool:
        """True if the person's own consent answers an ask, and no refusal in scope came after it (rule 7.1.1)."""
        answers = [event for event in self.proof.yeses if event.answers == request_id and speaks(event)]
        if not answers:
            return False
        after = self.standing((self.case.send.controller_id,)).after
        return any(self.proof.when(event).first > after for event in answers)

    def _stands(self, parties: tuple[str, ...]) -> ConsentState:
        case, proof = self.case, self.proof
        due = case.policy.needs_consent(case.send.channel) and not self.excepted
        if not proof.yeses and not proof.nos and not case.stops:
            return ConsentState((), (), (_missing(case),) if due else (), BEFORE_ALL, frozenset(), False)
        nos = self._nos(parties)
        after = _end([*nos, *self._lifted()])
        givens = self._givens(parties)
        left, notes, back = lifting(case, nos, self._lifters(parties, after)) if nos else Lifting(())
        stands: tuple[HeldConsent, ...] = ()
        if not left:
            unended = self._unended(givens)
            stands = tuple(yes for yes in unended if proof.when(yes).first > after and not proof.faults(yes, after))
            if not any(yes.expressed_by == GUARDIAN and not proof.as_child(yes) for yes in stands):
                stands = tuple(yes for yes in stands if not proof.as_child(yes))
        lacks: tuple[Found, ...] = ()
        if due and not stands:
            latest, faults = self._latest(givens, after)
            if left:
                if latest and proof.when(latest).first > _end(left):
                    lacks = self._found(faults, latest)
            elif latest:
                if AS_CHILD not in faults and proof.as_child(latest):  # no guardian's consent stands beside it
                    faults = (*faults, AS_CHILD)
                lacks = self._found(faults or (EXPIRED,), latest)
            else:
                lacks = self._near_miss(parties, after) or (_missing(case),)
        if proof.reads_wide(parties):
            notes |= {READ_WIDE}
        guardian = any(event.expressed_by == GUARDIAN for event in stands)
        return ConsentState(left, stands, lacks, after, notes, guardian, back)

    def _nos(self, parties: tuple[str, ...]) -> list[No]:
        """The withdrawals and refusals in scope, lifted or not.

        Those of another id are stops; here are only the ones that name another party than the sender (rule 8.1.36).
        """
        case = self.case
        nos = [no_of(case, event) for event in self.proof.nos if covers_send(case, event, parties)]
        if len(parties) > 1:
            for hit in case.stops:
                stop, sure = hit.stop, hit.score >= case.policy.match_floor
                if stop.word and sure and stop.scope.controller in parties[1:]:
                    wide = changed(stop, scope=changed(stop.scope, controller="*"))
                    nos += [stop_of(case, stop)] if bound(case, wide) is not None else []
        return nos

    def _givens(self, parties: tuple[str, ...]) -> list[HeldConsent]:
        """The consents in scope, the latest first, a day by its end (rules 3.3, 6.3.5)."""
        givens = self._given_to.get(parties)
        if givens is None:
            givens = [event for event in self.proof.yeses if not _differs(self.proof, event, parties)]
            if len(givens) > 1:
                givens.sort(key=self._order, reverse=True)
            self._given_to[parties] = givens
        return givens

    def _order(self, yes: HeldConsent) -> tuple[int, bool, int]:
        """The place of a consent by its time. Of equal times the expired one is later, then the one recorded last."""
        return self.proof.when(yes).last, EXPIRED in self.proof.faults(yes), self.case.span(yes.recorded_at).last

    def _latest(self, givens: Sequence[HeldConsent], after: int) -> tuple[HeldConsent | None, tuple[str, ...]]:
        """The latest consent, with its faults; of equal ones that with the gravest, then the most."""
        told = [(yes, self.proof.faults(yes, after)) for yes in givens if self._order(yes) == self._order(givens[0])]
        return max(
            told,
            key=lambda one: (_gravity(one[1]), len(one[1]), sorted(one[1]), self.proof.when(one[0]).first),
            default=(None, ()),
        )

    def _lifters(self, parties: tuple[str, ...], after: int) -> list[Lifter]:
        proof, lifters = self.proof, self._lifting.get((parties, after))
        if lifters is None:
            lifters = self._lifting[parties, after] = [
                Lifter(event.controller_id, proof.when(event), minor(self.case, event, proof.when(event)))
                for event in self._unended(self._givens(parties))
                if proof.lifts(event, after)
            ]
        return lifters

    def _stops(self) -> list[tuple[HeldSuppression, No]]:
        """The suppressions of the will in scope, lifted or not; a match below the policy's floor ends nothing."""
        if self._of_will is None:
            case, floor = self.case, self.case.policy.match_floor
            hits = [hit.stop for hit in case.stops if hit.score >= floor and hit.stop.kind in WILL_KINDS]
            self._of_will = [(stop, stop_of(case, stop)) for stop in hits if bound(case, stop) is not None]
        return self._of_will

    def _lifted(self) -> list[No]:
        """The suppressions of the will in scope that a consent lifted; others are reported by their own reasons."""
        return [no for stop, no in self._stops() if not self.stop(stop).left]

    def _unended(self, givens: Sequence[HeldConsent]) -> Sequence[HeldConsent]:
        """The consents that no expired one among them ended (rule 7.1.9).

        A consent that an event or its age ended ends what is not certainly later. One past its own end has limited
        the earlier ones on its notice, or without a notice as itself.
        """
        if len(givens) < 2:
            return givens
        proof = self.proof
        ends = max((proof.when(event).last for event in givens if proof.expired(event)), default=BEFORE_ALL)
        limits: dict[str | None, int] = {}
        for event in givens:
            if proof.over(event):
                limits[event.notice_id] = max(proof.when(event).last, limits.get(event.notice_id, BEFORE_ALL))
        return [yes for yes in givens if proof.when(yes).first > max(ends, limits.get(yes.notice_id, BEFORE_ALL))]

    def _near_miss(self, parties: tuple[str, ...], after: int) -> tuple[Found, ...]:
        """The differences of the nearest proven consent that no refusal covers (rule 6.3.7); () if there is none."""
        if not self.proof.yeses:
            return ()
        others = {party for source in self.case.facts.sources for party in handed_by(source)}.difference(parties)
        candidates = [
            event
            for event in self.proof.yeses
            if event.controller_id not in others
            and is_known(self.case, event)
            and not self.proof.faults(event, after)
            and not any(self.proof.taken_back(event, no) for no in self.proof.nos)
        ]
        if not candidates:
            return ()
        told = [(event, _differs(self.proof, event, parties)) for event in candidates]
        nearest, differs = max(told, key=lambda one: (-len(one[1]), self._order(one[0]), sorted(one[1])))
        return self._found(differs, nearest)

    def _found(self, codes: Iterable[str], event: HeldConsent) -> tuple[Found, ...]:
        return tuple(Found(code, (event.record_id,), self._says(code, event)) for code in codes)

    def _says(self, code: str, event: HeldConsent) -> dict[str, str]:
        """The values for the sentence that explains why a consent is not proven, or not for this send."""
        says, case = {"consent": event.record_id}, self.case
        if code in _ALSO_OF_SOURCES:
            says["case"] = "consent"
        if code == "CONTROLLER_MISMATCH":
            says["collector"] = case.party(event.controller_id)
        elif code == "CHANNEL_NOT_CONSENTED":
            says["channels"] = " ".join(sorted(event.channels))
        elif code == AS_CHILD:
            says["age"] = str(case.policy.minor_age_on(day(self.proof.when(event).first, case.policy.timezone)))
        elif code == EXPIRED and event.effective_to and self.proof.over(event):
            says |= {"case": "until", "date": case.day(event.effective_to)}
        elif code == EVIDENCE and event.event_time and unauthorised(event):
            says["case"] = str(event.expressed_by)
        elif code == EVIDENCE and event.event_time and (form := self.proof.early(event)):
            says |= {"case": "early", "form": form.name or form.id, "date": case.day(str(form.valid_from))}
        elif code == "CONSENT_NOT_YET_VALID":
            starts = [text for text in (event.event_time, event.effective_from) if text]
            starts_last = max(starts, key=lambda text: case.span(text).last)
            says["date"] = case.day(starts_last)
            if case.span(starts_last).first <= case.at:
                says["case"] = "today"
        return says


def handed_by(source: Source) -> Iterable[str]:
    """Yields the parties that had the data before the sender: the collector, the predecessor, the entruster."""
    if "collector" in METHODS[source.method].yes_to:
        yield source.collected_by
    if source.succession:
        yield source.succession.predecessor
    if source.entrustment:
        yield source.entrustment.entruster


def _differs(proof: Proof, event: HeldConsent, parties: tuple[str, ...]) -> tuple[str, ...]:
    """The differences between a consent and the send, each as its reason code; () = in scope."""
    case, send = proof.case, proof.case.send
    differs = []
    if event.controller_id not in parties:
        differs.append("CONTROLLER_MISMATCH")
    if not case.covered_by((str(event.purpose),), proof.said(event)):
        differs.append("PURPOSE_NOT_COVERED")
    if send.channel not in event.channels:
        differs.append("CHANNEL_NOT_CONSENTED")
    if not case.was_here(event.contact_point_id, case.span(event.event_time) if event.event_time else LONG_AGO):
        differs.append("CONTACT_POINT_NOT_COVERED")
    return tuple(differs)


def _gravity(codes: Iterable[str]) -> int:
    return max((WORST[code] for code in codes), default=0)


def _end(nos: Iterable[No]) -> int:
    """The end of the latest refusal, in microseconds; long ago without one."""
    return max((no.said.last for no in nos), default=BEFORE_ALL)


def _missing(case: Case) -> Found:
    says = {"controller": case.sender, "purpose": case.send.purpose, "channel": case.send.channel}
    return Found("CONSENT_MISSING", (), says)
