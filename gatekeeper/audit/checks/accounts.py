"""Accounts of a partition: each input that a manifest claims has one audit record, and each record its output."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import orjson

from gatekeeper.audit.checks.coverage_report import Covered, ForkedBranch
from gatekeeper.audit.checks.pairing import Outgoing, Placed, Records
from gatekeeper.audit.records.record import FOREIGN
from gatekeeper.audit.records.record import did as derived
from gatekeeper.audit.tlog import merkle
from gatekeeper.audit.tlog.log_faults import Fault
from schemas.decision import DID_PATTERN
from schemas.topics import logical_name

OWN = {"sends": ("intake",), "acts": ("act", "release")}
"""Stages of the one audit record that each input record has, by input topic."""
InputKey = tuple[str, int, int]
"""An input by topic (registry name), era and offset."""
OUTPUTS = ("cleared", "review", "confirmations", "recalls", "deadletter", "results")


def put_out(said: Mapping[str, Any]) -> tuple[str, str] | None:
    """The output record that an audit record leads to: its topic and decision id; None without one."""
    act, did, live = said.get("act") or {}, said["did"], said.get("mode", "live") == "live"
    topic = "cleared" if said["verdict"] == "clear" and live else "review"
    if said["stage"] == "intake":
        dead = said["send"] is None or [reason["code"] for reason in said["reasons"]] == ["EVENT_INVALID"]
        return ("deadletter" if dead else topic), did
    outcome = act.get("outcome")
    if outcome == "reemitted":
        return "cleared", act["item"]
    if outcome in ("cleared", "withheld"):
        return topic, did
    if outcome == "recalled" or said["stage"] == "recall":
        return "recalls", did
    if outcome == "asked" and act["code"] != "waits_along":
        return "confirmations", did
    return ("deadletter", did) if outcome == "unreadable" else None


def resulted(said: Mapping[str, Any]) -> bool:
    """Tells whether an audit record has a record of `results`, under its own id: the outcome of a send changed."""
    act = said.get("act") or {}
    if said["stage"] in ("intake", "recall") or act.get("outcome") in ("cleared", "withheld", "recalled"):
        return True
    return act.get("outcome") == "handed" and act["code"] is None


class Accounts:
    """The records of a partition, in their order, against the inputs that manifests claim and the outputs.

    `told`: ranges of inputs that a finding already covers: topic, era (None for any), from, to. `acts`: the acts that
    resume a refused partition, by offset on `acts`.
    """

    def __init__(self, found: Covered, records: Records, outputs: Mapping[str, Outgoing], *, cut: bool) -> None:
        """`found`: takes the findings. `cut`: the broker no longer keeps all manifests."""
        self._found, self._records, self._outputs = found, records, outputs
        self._cut = cut or records.start > 0
        self.told: list[tuple[str, int | None, int, int]] = []
        self.acts: dict[int, dict[str, Any]] = {}
        self._waiting: dict[InputKey, int | None] = {}
        """Inputs of a range that have no audit record yet, with their manifest; None if no record is demanded."""
        self._surplus: dict[InputKey, list[int]] = {}
        """Inputs outside every range, or with an audit record already; offsets of the surplus audit records."""
        self._forks: defaultdict[str, list[tuple[int, str, ForkedBranch]]] = defaultdict(list)
        """Records of manifests that do not count, by the first decision id: number, root and branch."""
        self._loose = False
        """True while the next records may be left over from a torn transaction."""
        self._claiming = False
        self._counted = True
        """False while the manifests taken count no results: a release without them wrote these."""
        self._oldest: str | None = None

    def claim(self, input_: InputKey, manifest: int | None) -> None:
        """Registers an input that needs a record. `manifest`: its offset, None if the record is not demanded."""
        if self._surplus.pop(input_, None) is None:
            self._waiting[input_] = manifest

    def fork(self, said: Mapping[str, Any], branch: ForkedBranch) -> None:
        """Registers the records of a manifest that does not count; they are no finding of their own.

        A manifest that counts and claims the same records has them.
        """
        if said["audit"]["n"]:
            self._forks[said["audit"]["from_id"]].append((said["audit"]["n"], said["root"], branch))

    def take(self, offset: int, said: Mapping[str, Any], *, joined: bool, demanded: bool) -> None:
        """Takes the records of a manifest at this offset, and the records before them.

        `joined`: the manifest follows the one before. `demanded`: all of its records must be there.
        """
        n = said["audit"]["n"]
        ranges = [(logical_name(span["topic"]), span.get("era", 0), span["from"], span["to"]) for span in said["in"]]
        if not n:
            return
        self._counted = "result" in said["out"]
        strays, taken = list[Placed](), list[Placed]()
        while self._drops_fork(said):
            pass
        while (before := self._records.before(said["audit"]["from_id"])) is not None:
            strays += before
            if not self._drops_fork(said):
                taken = self._records.take(n)
                break
        self._leftover(strays, joined=joined, demanded=demanded)
        if merkle.root([record.value for record in taken]).hex() != said["root"]:
            if demanded:
                self._found.find("torn_transaction", "manifests", offset, f"{n} records")
            self.told += ranges
            self._records.put_back(taken[1:])  # records of the next manifest may be among them
            taken = taken[:1]
            self._loose = True
        for record in taken:
            self._record(record, demanded=demanded)
        self._claiming = True

    def _leftover(self, records: list[Placed], *, joined: bool, demanded: bool) -> None:
        """Takes records without a manifest: before those of a manifest, or after those of the last one."""
        records = self._without_forks(records)
        expired = self._cut and not self._claiming
        if records and not (self._loose or expired) and joined:
            self._found.find("stray_record", "audit", records[0].offset, f"{len(records)} without manifest")
            self._loose = True
        for record in records:
            self._record(record, demanded=demanded, counted=not (expired or self._loose) or not joined)
        self._loose = False

    def _drops_fork(self, said: Mapping[str, Any]) -> bool:
        """Takes the next records if they are those of a manifest that does not count; tells whether it did.

        `said`: the manifest that counts and comes next; its own records stay.
        """
        if not self._forks or self._are_next(said["audit"]["n"], said["root"]):
            return False
        (first,) = self._records.ahead(1) or (None,)
        for n, root, branch in self._forks.get(_did(first.value), ()) if first else ():
            if self._are_next(n, root):
                branch.records += len(self._records.take(n))
                return True
        return False

    def _are_next(self, n: int, root: str) -> bool:
        return merkle.root([record.value for record in self._records.ahead(n)]).hex() == root

    def _without_forks(self, records: list[Placed]) -> list[Placed]:
        """The same records, without those of manifests that do not count."""
        if not self._forks:
            return records
        kept, rest = list[Placed](), records
        while rest:
            for n, root, branch in self._forks.get(_did(rest[0].value), ()):
                if merkle.root([record.value for record in rest[:n]]).hex() == root:
                    branch.records += n
                    rest = rest[n:]
                    break
            else:
                kept.append(rest[0])
                rest = rest[1:]
        return kept

    def _record(self, record: Placed, *, demanded: bool, counted: bool = True) -> None:
        try:
            content = orjson.loads(record.value)
            src, stage, at = content["src"], content["stage"], str(content["at"])
            topic, place = logical_name(src["topic"]), (src["topic"], int(src["partition"]), int(src["offset"]))
            out, again = put_out(content), (content.get("act") or {}).get("kind") == "reemit"
            era = int(src.get("era", 0))
            id_ = derived(*place, stage, content["clearance"] if stage == "handoff" else "", era)
        except FOREIGN:
            self._found.find("unreadable_record", "audit", record.offset)
            return
        self._found.records += 1
        if topic == "acts" and (content.get("act") or {}).get("kind") == "resume_partition":
            self.acts[place[2]] = content["act"]
        if self._oldest is None and self._cut:
            self._oldest = at
        if stage in OWN.get(topic, ()) or again:
            if place[1] != self._found.partition or content["did"] != id_:
                self._found.find("foreign_record", "audit", record.offset, f"{topic}/{place[1]}/{place[2]}")
                return
            if self._waiting.pop((topic, era, place[2]), False) is False and counted:
                self._surplus.setdefault((topic, era, place[2]), []).append(record.offset)
        if out is not None and again:
            self._outputs[out[0]].allow(str(out[1]))
        elif out is not None and out[0] in self._outputs:
            self._outputs[out[0]].expect(str(out[1]), record.offset, at, demanded=demanded)
        if self._counted and resulted(content) and "results" in self._outputs:
            self._outputs["results"].expect(str(content["did"]), record.offset, at, demanded=demanded)

    def end(self, *, joined: bool) -> None:
        """Takes the records after the last manifest, and reports all that is missing or too much.

        `joined`: the last manifest is the one that the ledger's head names.
        """
        self._leftover([*self._records.rest()], joined=joined, demanded=True)

    def unaccounted(self) -> None:
        """Reports the inputs without a record or with two, and the outputs without a record."""
        for (topic, era, offset), manifest in self._waiting.items():
            if manifest is not None and not self._is_told(topic, era, offset):
                self._found.find("omitted_record", topic, offset, f"manifests/{manifest}")
        for (topic, era, offset), places in self._surplus.items():
            claimed = self._found.claimed.get(topic)
            inside = claimed is not None and claimed.start <= offset < claimed.to
            if not self._is_told(topic, era, offset):
                for place in places:
                    fault: Fault = "doubled_record" if inside else "foreign_record"
                    self._found.find(fault, "audit", place, f"{topic}/{offset}")
        for topic, outgoing in self._outputs.items():
            missing, unknown = outgoing.ended()
            for did, place in missing:
                self._found.find("missing_output", "audit", place, f"{topic} {_id(did)}".strip())
            for put in unknown:
                if self._oldest is None or not put.before(self._oldest):
                    self._found.find("output_without_record", topic, put.offset, _id(put.did))
            if outgoing.expired:
                self._found.expired[topic] = outgoing.expired

    def _is_told(self, topic: str, era: int, offset: int) -> bool:
        return any(name == topic and of in (None, era) and start <= offset < to for name, of, start, to in self.told)


def _did(value: bytes) -> str:
    try:
        return str(orjson.loads(value)["did"])
    except FOREIGN:
        return ""


def _id(did: object) -> str:
    """The decision id, or '' if malformed, as a forger may have written anything."""
    return did if isinstance(did, str) and re.fullmatch(DID_PATTERN, did) else ""
