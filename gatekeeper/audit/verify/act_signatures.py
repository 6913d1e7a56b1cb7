"""Checks who signed the acts: each signature in an audit record against the people in force when the act arrived."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from gatekeeper.audit.verify.findings import Report
from gatekeeper.audit.verify.input_files import read_object
from gatekeeper.staff.endorsements import Endorsements, Referred

STAFF = "staff.ndjson"
"""The records `staff` and `signature` of `reference` in an export, in their order, one a line."""


class Signers:
    """The people of an export, and the count of acts by how they were signed."""

    def __init__(self, report: Report, origin: str) -> None:
        """`origin`: the log for which people signed."""
        self._report, self._people = report, Endorsements[None](origin)
        self._origin = origin
        self._signed = self._vouched = self._unsigned = 0

    def learn(self, content: bytes) -> None:
        """Takes the people; raises Trouble for content of another form."""
        for line in content.splitlines():
            one = read_object(line, STAFF)
            try:
                value = one["value"].encode()
                place = int(one["partition"]), int(one["offset"])
                said = json.loads(value)
                name = f"{said['kind']}/{said['id']}"
                record = Referred(place, int(one["timestamp"]), name, sha256(value).hexdigest(), said, None)
                self._people.take(record)
            except (ValueError, LookupError, TypeError, AttributeError):
                self._report.add("staff_line")

    def take(self, record: bytes, place: tuple[int, int]) -> None:
        """Checks the act in an audit record, if it has one of a person. `place`: of its manifest."""
        try:
            said = json.loads(record)
            act, arrived = said["act"], said["src"]["timestamp"]
            signed = act.get("signed")
            if signed is None:
                self._unsigned += act["outcome"] not in ("refused", "unreadable")
                return
            for one in signed:
                self._check(act, one, arrived, place)
        except (ValueError, LookupError, TypeError, AttributeError):
            self._report.add("act_signature", place)

    def say(self) -> None:
        """Adds the counts to the report; nothing if nobody acted."""
        if self._signed or self._vouched:
            self._report.say("acts_signed", count=self._signed, vouched=self._vouched)
        if self._unsigned:
            self._report.say("acts_unsigned", count=self._unsigned)

    def _check(self, act: Mapping[str, Any], one: Mapping[str, Any], arrived: int, place: tuple[int, int]) -> None:
        kind, _, about = one["subject"].partition("/")
        whole = one["by"] == act["by"] and kind == act["kind"] and act["item"] in (None, about)
        said = {**one, "id": act["act_id"], "origin": self._origin}
        fault = self._people.roster.fault(said, subject=one["subject"], origin=self._origin, arrived=arrived)
        if fault == "not_staff":
            self._report.add("signer_unknown", place, by=one["by"])
        elif fault or not whole:
            self._report.add("act_signature", place)
        elif one["method"] == "vouched":
            self._vouched += 1
        else:
            self._signed += 1
