"""The managers who signed the reference data of a decision, checked as `gatekeeper audit verify` checks acts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from hashlib import sha256
from typing import Any, NamedTuple

import orjson

from gatekeeper.audit.checks.trail import PersonLine
from gatekeeper.audit.records.record import FOREIGN
from gatekeeper.audit.verify.act_signatures import referred
from gatekeeper.ground.texts import Language, text
from gatekeeper.policy.packs import shipped
from gatekeeper.staff.endorsements import Endorsements, Referred
from gatekeeper.staff.message import timely


class Proof(NamedTuple):
    """A signer and the method: the own `key` or `passkey`, or `vouched` by the console."""

    by: str
    method: str


class ReferenceSigners:
    """The signers of the records of `reference` that a decision names.

    `lines`: of the trail, in their order. `origin`: the log for which people signed. `reference`: gives the bytes of a
    record of `reference`, or of the list of its versions, by SHA-256.
    """

    def __init__(self, lines: Iterable[PersonLine], origin: str, reference: Callable[[str], bytes | None]) -> None:
        self._origin, self._reference = origin, reference
        self._signers: dict[str, set[Proof]] = defaultdict(set)
        self._policies: list[tuple[str, Mapping[str, Any]]] = []
        people, signatures = Endorsements[None](origin), list[Referred[None]]()
        for line in lines:
            with suppress(*FOREIGN):  # a check reports it
                record = referred(line.plain)
                people.take(record)
                if record.said["kind"] == "signature":
                    signatures.append(record)
                elif record.said["kind"] == "policy":
                    self._policies.append((record.sha256, record.said))
        for signature in signatures:
            self._sign(signature, people)

    def of(self, record: Mapping[str, Any]) -> dict[str, tuple[Proof, ...] | None]:
        """The signers of the policy and of each reference record of an audit record, by name; () = nobody signed.

        None: the policy comes with a release, and nobody has to sign it. Records whose versions are unknown are left
        out. Of a record with several versions, all are signed or it counts as unsigned.
        """
        policy = record["policy"]
        signers: dict[str, tuple[Proof, ...] | None] = {
            f"policy/{policy['id']}@{policy['version']}": self._policy(policy)
        }
        for name, digest in (record["facts"] or {"refs": {}})["refs"].items():
            if digest and (versions := self._versions(digest)):
                signers[name] = self._all(versions)
        return signers

    def told(self, record: Mapping[str, Any], lang: Language | None = None) -> list[str]:
        """The same in words: one line for each set of signers, and one for what nobody signed."""
        names: dict[tuple[Proof, ...] | None, list[str]] = defaultdict(list)
        for name, signers in self.of(record).items():
            names[signers].append(name)
        return [_line(signers, names[signers], lang) for signers in sorted(names, key=_place)]

    def plain(self, record: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The same for programs. `signed`: null for a policy that comes with a release."""
        return [
            {"record": name, "signed": None if signers is None else [signer._asdict() for signer in signers]}
            for name, signers in self.of(record).items()
        ]

    def _sign(self, signature: Referred[None], people: Endorsements[None]) -> None:
        content, arrived = signature.said, signature.arrived
        with suppress(*FOREIGN):
            signer = people.roster.member(content["by"], arrived)
            fault = people.roster.fault(content, subject=content["of"], origin=self._origin, arrived=arrived)
            if fault is None and signer and "manager" in signer.roles and timely(content["at"], arrived):
                self._signers[content["sha256"]].add(Proof(content["by"], content["method"]))

    def _policy(self, named: Mapping[str, Any]) -> tuple[Proof, ...] | None:
        """The signers of the records that put this policy in force; any one of them is enough."""
        about = [digest for digest, content in self._policies if _is_policy(content, named)]
        if not about:
            ours = {policy.sha256 for versions in shipped().values() for policy in versions}
            return None if named["sha256"] in ours else ()
        return max((self._all([digest]) for digest in about), key=len)

    def _versions(self, digest: str) -> list[str]:
        """The hashes of all versions behind a hash of a snapshot; none if the list of versions is not known."""
        value = self._reference(digest)
        if value is None:
            return [digest] if digest in self._signers else []
        with suppress(*FOREIGN):
            listed = orjson.loads(value)
            if isinstance(listed, list):
                return [str(version[1]) for version in listed]
        return [digest]

    def _all(self, versions: Iterable[str]) -> tuple[Proof, ...]:
        signers = [self._signers.get(version, set()) for version in versions]
        return tuple(sorted(set().union(*signers))) if all(signers) else ()


def _place(signers: tuple[Proof, ...] | None) -> tuple[bool, bool, tuple[Proof, ...]]:
    """The order of lines: first the signed records, then those that nobody signed, then the policy of a release."""
    return signers is None, not signers, signers or ()


def _is_policy(content: Mapping[str, Any], named: Mapping[str, Any]) -> bool:
    toml = content.get("toml")
    same = toml is None or sha256(toml.encode()).hexdigest() == named["sha256"]
    return same and (content["id"], content["version"]) == (named["id"], named["version"])


def _line(signers: tuple[Proof, ...] | None, names: Iterable[str], lang: Language | None) -> str:
    shown = text("report.between", lang).join(names)
    if signers is None:
        return text("explanation.reference_shipped", lang, names=shown)
    if not signers:
        return text("explanation.reference_unsigned", lang, names=shown)
    people = (
        text("explanation.reference_by_console", lang, by=signer.by) if signer.method == "vouched" else signer.by
        for signer in signers
    )
    return text("explanation.reference_signed", lang, names=shown, by=text("report.between", lang).join(people))
