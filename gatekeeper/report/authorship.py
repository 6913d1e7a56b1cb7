"""The people who acted in a period and their proof. Counted are kinds of acts, signatures, and causes of refusals."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gatekeeper.audit.checks.trail import PersonLine
from gatekeeper.audit.verify.act_signatures import METHODS, Signers, of_person
from gatekeeper.audit.verify.findings import Report

PROOFS = (*METHODS, "unsigned")
"""The proofs of an act that was done, the strongest first."""


@dataclass(slots=True)
class _Kind:
    """The acts of one kind: the number and the people by proof, and the refused ones by cause."""

    acts: Counter[str] = field(default_factory=Counter)
    people: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    causes: Counter[str] = field(default_factory=Counter)

    def told(self) -> dict[str, Any]:
        done = {proof: {"acts": self.acts[proof], "by": sorted(self.people[proof])} for proof in PROOFS}
        return {**done, "refused": {"acts": self.causes.total(), "causes": dict(sorted(self.causes.items()))}}


class Authorship:
    """The acts of people by kind. Each signature is checked as `gatekeeper audit verify` does.

    `people`: the records of people and signatures. `group`: the name of the log for which people signed.
    """

    def __init__(self, people: Iterable[PersonLine], group: str) -> None:
        self._kinds: dict[str, _Kind] = defaultdict(_Kind)
        self._faults = Report()
        self._signers = Signers(self._faults, group)
        self._signers.learn(line.plain for line in people)

    def take(self, record: Mapping[str, Any], value: bytes, place: tuple[int, int]) -> None:
        """Adds an audit record. `value`: its bytes. `place`: partition and offset of its manifest."""
        act = record.get("act")
        if not act or act["kind"] is None or not of_person(record["stage"], record["src"]["topic"]):
            return
        self._signers.take(value, place)
        kind = self._kinds[act["kind"]]
        if act["outcome"] == "refused":
            kind.causes[act["code"] or "-"] += 1
            return
        signed = act.get("signed") or ()
        proof = signed[0]["method"] if signed else "unsigned"
        kind.acts[proof] += 1
        named = (act["by"],) if isinstance(act["by"], str) else act["by"] or ()
        kind.people[proof].update([signature["by"] for signature in signed] or named)

    def told(self) -> dict[str, Any]:
        """The members `signed` and `unproven` of the report's section `acts`."""
        kinds = [{"kind": name, **kind.told()} for name, kind in sorted(self._kinds.items())]
        return {"signed": kinds, "unproven": self._faults.found}
