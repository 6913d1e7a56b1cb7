"""The shared inputs of all evaluations of a process."""

from __future__ import annotations

from gatekeeper.audit.records.pseudonym import Subject, Subjects
from gatekeeper.deciding.plan import Plans
from gatekeeper.identity import Printed, Tokens, printed
from gatekeeper.knowledge.known_facts import KnownFacts
from gatekeeper.ledger.entries import Entry
from gatekeeper.ledger.state import LedgerState
from gatekeeper.policy.activation import Activations
from gatekeeper.policy.packs import Packs
from schemas.audit import Acts, Mode
from schemas.events import Send


class Evaluator:
    """The policy packs in use, the mode, and the keys, by which a process evaluates sends.

    In shadow mode nothing is cleared: a send that would be cleared goes to `review`, marked like all shadow output.
    `tokens` compare the printed address with the judged one; without them a send that prints an address is withheld.
    `trusting`: as of `identity.printed`; only for commands that let nothing go out.
    `subjects` give people their pseudonyms in records; without them records name nobody.
    `acts`: whether acts need a signature while nobody is registered.
    """

    def __init__(
        self,
        packs: Packs,
        mode: Mode = "live",
        *,
        tokens: Tokens | None = None,
        trusting: bool = False,
        subjects: Subjects | None = None,
        acts: Acts = "signed",
    ) -> None:
        self.packs = packs
        self.mode = mode
        self.acts = acts
        self.tokens = tokens
        self._trusting = trusting
        self._subjects = subjects
        self._held: tuple[Activations, int, Packs] | None = None
        self._plans: Plans | None = None

    def holding(self, store: KnownFacts) -> Packs:
        """The packs in force according to the store; the same object until the store receives a policy record."""
        activations = store.activations
        if self._held is None or self._held[0] is not activations or self._held[1] != activations.revision:
            self._held = activations, activations.revision, activations.over(self.packs)
        return self._held[2]

    def plans(self, store: KnownFacts, at: int) -> Plans:
        """The plans of an instant (milliseconds) according to the store; the same until either changes."""
        packs, plans = self.holding(store), self._plans
        if plans is None or not plans.serve(store.reference, packs, at):
            plans = self._plans = Plans(store.reference, packs, at)
        return plans

    def printed(self, send: Send) -> Printed | None:
        """The result of comparing the printed address of a send."""
        return printed(self.tokens, send, trusting=self._trusting)

    def subject(self, recipient_id: str, ledger: LedgerState) -> tuple[Subject | None, tuple[Entry, ...]]:
        """The pseudonym of a person for records, and the ledger entries that keep the pseudonym the same."""
        return self._subjects.of(recipient_id, ledger) if self._subjects else (None, ())
