"""Checks who signed the acts: each signature in an audit record against the people in force when the act arrived."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any

from gatekeeper.audit.tlog.branch_statement import Statement
from gatekeeper.audit.tlog.canonical_json import MALFORMED, with_keys
from gatekeeper.audit.verify.findings import Report, Said
from gatekeeper.staff.endorsements import Endorsements, Referred
from gatekeeper.staff.message import digest, milliseconds, own_row, row_of

STAFF = "staff.ndjson"
"""The file of an export with the records of `reference` that show who acted, in their order, one a line."""
TREES_UNTIL = 6
"""The last version of the rules whose records may have a signature with `tree`, which shows no table."""
NOTHING_DONE = ("refused", "unreadable")
_OF_ACTS = re.compile(r"(^|\.)acts(\.v1)?$")
"""The name of the topic of people's acts, bare or as on a broker."""
METHODS = {"key": "act_by_key", "passkey": "act_by_passkey", "vouched": "act_by_vouched"}
"""The methods of a signature, each with its sentence: own key, own passkey, or the console's word."""


def of_person(stage: str, topic: str) -> bool:
    """Tells whether the record of this stage and input holds a person's act, not the gate's act or a piece."""
    return stage in ("act", "release") and _OF_ACTS.search(topic) is not None


def referred(line: Any) -> Referred[None]:
    """The record of `reference` in a line of STAFF; raises one of MALFORMED for anything else."""
    fields = with_keys(line, "offset", "partition", "timestamp", "value")
    value = fields["value"].encode()
    place = int(fields["partition"]), int(fields["offset"])
    content = json.loads(value)
    name = f"{content['kind']}/{content['id']}"
    return Referred(place, int(fields["timestamp"]), name, sha256(value).hexdigest(), content, None)


class Signers:
    """The people of an export or a proof, and the count of acts by how they were signed."""

    def __init__(self, report: Report, origin: str) -> None:
        """`origin`: the log for which people signed."""
        self._report, self._people = report, Endorsements[None](origin)
        self._origin = origin
        self._methods = Counter[str]()
        self._unsigned = 0

    def learn(self, lines: Iterable[Any]) -> None:
        """Takes the people, each line as an export or a proof holds it. A line of another form is a finding."""
        for line in lines:
            try:
                self._people.take(referred(line))
            except MALFORMED:
                self._report.add("staff_line")

    def take(self, record: bytes, place: tuple[int, int]) -> list[Said]:
        """Checks the act of a person in an audit record; the result says who did it. `place`: of its manifest."""
        try:
            content = json.loads(record)
            act, arrived = content["act"], content["src"]["timestamp"]
            if (signed := act.get("signed")) is not None:
                if not signed:
                    raise ValueError("no signature")
                return [who for sig in signed for who in self._checked(content, act, sig, arrived, place)]
            if act["outcome"] in NOTHING_DONE:
                return [("act_of_nobody", {})]
            self._unsigned += 1
            return [("act_unsigned", {"by": act["by"]})]
        except MALFORMED:
            self._report.add("act_signature", place)
            return []

    @property
    def founder(self) -> list[Said]:
        """The first person, on whose record all others stand, if anybody signed; only the company can confirm it."""
        roster = self._people.roster
        if not self._methods or roster.first is None or roster.began is None:
            return []
        first = roster.member(roster.first, roster.began)
        public = [key["public"] for key in first.keys.values()] if first else []
        return [("founder", {"by": roster.first, "public": public[0] if public else None})]

    def take_choice(self, statement: Statement, subject: str, *, leaf: int, at: str) -> None:
        """Checks the signature of a person who chose a branch. `leaf`, `at`: number and time of the sealed choice."""
        try:
            sig = dict(statement.signed or {})
            whole = (sig["by"], sig["sha256"], sig["origin"]) == (statement.by, digest(statement.choice), self._origin)
            fault = self._people.roster.fault(sig, subject=subject, origin=self._origin, arrived=milliseconds(at))
        except MALFORMED:
            whole, fault = False, None
        if fault == "not_staff":
            self._report.add("signer_unknown", by=statement.by)
        elif fault or not whole:
            self._report.add("choice_signature", leaf=leaf)

    def say(self) -> None:
        """Adds the counts to the report; nothing if nobody acted."""
        if self._methods:
            self._report.say("acts_signed", **{f"by_{method}": self._methods[method] for method in METHODS})
            for code, values in self.founder:
                self._report.say(code, **values)
        if self._unsigned:
            self._report.say("acts_unsigned", count=self._unsigned)

    def _checked(
        self,
        record: Mapping[str, Any],
        act: Mapping[str, Any],
        sig: Mapping[str, Any],
        arrived: int,
        place: tuple[int, int],
    ) -> list[Said]:
        kind, _, about = sig["subject"].partition("/")
        whole = sig["by"] == act["by"] and kind == act["kind"] and act["item"] in (None, about)
        whole = whole and _of_its_row(record, act, sig)
        fields = {**sig, "id": act["act_id"], "origin": self._origin}
        fault = self._people.roster.fault(fields, subject=sig["subject"], origin=self._origin, arrived=arrived)
        if fault == "not_staff":
            self._report.add("signer_unknown", place, by=sig["by"])
        elif fault or not whole:
            self._report.add("act_signature", place)
        else:
            self._methods[sig["method"]] += 1
            return [(METHODS[sig["method"]], {name: sig.get(name) for name in ("by", "key", "console", "signin")})]
        return []


def _of_its_row(record: Mapping[str, Any], act: Mapping[str, Any], sig: Mapping[str, Any]) -> bool:
    """Tells whether an act is what the person saw in the table that they signed, or was signed alone.

    A refused act may name another campaign than its item.
    """
    if sig.get("tree"):
        return int(record["engine"]["rules"]) <= TREES_UNTIL
    if not (table := sig.get("table")):
        return True
    kind, campaign = row_of(own_row(table))
    named = record["campaign"] if act["item"] else None
    return kind == act["kind"] and (act["outcome"] in NOTHING_DONE or campaign == (named or "-"))
