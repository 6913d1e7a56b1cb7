"""Branches that a person chose, by the sealed leaves of the kind `branch`, and the manifests that do not count."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from gatekeeper.audit.tlog.branch_statement import Statement, read_statement, statement_subject
from gatekeeper.audit.tlog.canonical_json import MALFORMED
from gatekeeper.audit.tlog.notes import Vkey
from gatekeeper.audit.verify.act_signatures import Signers
from gatekeeper.audit.verify.findings import MAX_FINDINGS, Report


class SealedBranches:
    """The choices in a log. `abandoned`: leaf hashes of the sealed manifests that they left, with leaf numbers."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._keys: Collection[Vkey] = ()
        self._origin = ""
        self.abandoned: dict[bytes, int] = {}
        self._forks: list[dict[str, Any]] = []
        self._choices: list[tuple[Statement, dict[str, Any]]] = []
        self._open: dict[int, tuple[int, str]] = {}
        """Partition to the leaf of its newest choice and the chosen manifest, until that manifest comes."""

    def under(self, keys: Collection[Vkey], origin: str) -> None:
        """Takes the log's public keys, under which each choice stands, and the log's name."""
        self._keys, self._origin = keys, origin

    def fork(self, index: int, content: Mapping[str, Any]) -> None:
        """Takes a leaf of the kind `fork`; raises one of MALFORMED for another form."""
        self._forks.append({"leaf": index, **{name: content[name] for name in ("partition", "offset", "at")}})

    def choice(self, index: int, content: Mapping[str, Any], sealed: dict[bytes, int]) -> None:
        """Takes a leaf of the kind `branch`; raises one of MALFORMED for another form.

        `sealed`: the partition's manifests so far; those after the one from which the branch goes on are taken out.
        """
        last = -1 if content["after"] is None else content["leaf"]
        left = {hash_: leaf for hash_, leaf in sealed.items() if leaf > last}
        for hash_ in left:
            del sealed[hash_]
        self.abandoned |= left
        where = {"leaf": index, "partition": content["partition"]}
        try:
            statement = read_statement(content["statement"], self._keys, origin=self._origin)
            if statement.partition != content["partition"]:
                raise ValueError("of another partition")
        except MALFORMED:
            self._report.add("statement", **where)
            return
        self._open[statement.partition] = index, statement.sha256
        self._choices.append((statement, {**where, "at": content["at"], "count": len(left)}))

    def sealed(self, partition: int, hash_: str) -> None:
        """Takes a manifest that was sealed, by its SHA-256 (hex)."""
        if partition in self._open and hash_ == self._open[partition][1]:
            del self._open[partition]

    def say(self, signers: Signers) -> None:
        """Adds to the report who chose, why, and what was left; and each choice whose manifest never came."""
        for fork in self._forks[:MAX_FINDINGS]:
            self._report.say("forked", **fork)
        for statement, values in self._choices[:MAX_FINDINGS]:
            self._report.say("branched", **values, by=statement.by, reason=statement.reason)
            if statement.signed is None:
                self._report.say("branched_unsigned", leaf=values["leaf"], by=statement.by)
            else:
                signers.take_choice(
                    statement, statement_subject(statement.partition), leaf=values["leaf"], at=values["at"]
                )
        for partition, (index, _) in sorted(self._open.items()):
            self._report.add("branch_open", leaf=index, partition=partition)
