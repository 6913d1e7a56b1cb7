"""Checks one decision's proof: record, manifest, checkpoint, the hashes that connect them, and who signed an act."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from gatekeeper.audit.tlog.canonical_json import MALFORMED, is_place, read_json_once, with_keys
from gatekeeper.audit.tlog.manifest_chain import signature_fault
from gatekeeper.audit.tlog.merkle import leaf_hash, root_from_inclusion
from gatekeeper.audit.tlog.notes import Vkey, open_checkpoint, parse_vkey
from gatekeeper.audit.verify.act_signatures import Signers, of_person
from gatekeeper.audit.verify.findings import Report, Said, Trouble
from gatekeeper.audit.verify.input_files import read_file, read_object
from gatekeeper.audit.verify.sentences import INCOMPLETE
from gatekeeper.audit.verify.trust import Demands, trusted

_PARTS: dict[int, tuple[str, ...]] = {1: (), 2: ("people",)}
"""The parts of a proof that came with each version of its form. `people`: as in the file STAFF of an export."""


def check_proof(
    file: Path,
    *,
    witness: Vkey | None = None,
    min_size: int | None = None,
    log: str | None = None,
    require_witness: bool = False,
) -> Report:
    """Checks the proof of one decision: record, manifest, checkpoint, the hashes between them, and who signed an act.

    The other arguments are those of `verify`.
    """
    try:
        content = read_file(file.parent, file.name)
    except Trouble:
        content = b""
    return check_content(content, file.name, Demands(witness, min_size, log, require_witness))


def check_content(content: bytes, name: str, demands: Demands | None = None) -> Report:
    """Checks the content of a proof's file, as `check_proof` does. `name`: the name of the file."""
    report = Report(proof=True)
    try:
        _check_one(read_json_once(content.decode()), report, demands or Demands())
    except Trouble as trouble:
        report.give_up(trouble)
    except MALFORMED:
        report.give_up(Trouble("proof", file=name))
    return report


def _check_one(proof: dict[str, Any], report: Report, demands: Demands) -> None:
    """Adds the faults of a proof to a report. Raises Trouble, or one of MALFORMED if the value is no proof."""
    if type(proof["v"]) is not int:
        raise ValueError("a version is a number")
    if proof["v"] not in _PARTS:
        raise Trouble("version", v=proof["v"])
    proof = with_keys(proof, "did", "keys", "log", "manifest", "path", "record", "v", *_PARTS[proof["v"]])
    keys = {key.kid: key for key in map(parse_vkey, proof["keys"])}
    report.did, record = proof["did"], proof["record"].encode()
    log = proof["log"] if proof["log"] is None else with_keys(proof["log"], "checkpoint", "hashes", "index")
    manifest, path = with_keys(proof["manifest"], "offset", "sig", "value"), with_keys(proof["path"], "hashes", "index")
    value = manifest["value"].encode()
    content = read_object(value, "manifest")
    place, kid = (content["partition"], manifest["offset"]), content["kid"]
    if not all(map(is_place, (*place, path["index"], 0 if log is None else log["index"]))):
        raise ValueError("a place is a number")
    about = read_object(record, "record")
    if about["did"] != proof["did"]:
        report.add("other_record", place)
    root = root_from_inclusion(leaf_hash(record), path["index"], content["audit"]["n"], _hashes(path))
    if root is None or root.hex() != content["root"]:
        report.add("not_in_manifest", place)
    if kid not in keys:
        report.add("unknown_key", place, kid=kid)
    elif fault := signature_fault(value, base64.b64decode(manifest["sig"], validate=True), keys[kid]):
        report.add(fault, place, kid=kid)
    report.manifests = report.records = 1
    signers = Signers(report, str(kid).partition("/")[0])
    signers.learn(proof.get("people", ()))
    source = about["src"]
    who = signers.take(record, place) if of_person(about["stage"], source["topic"]) else []
    who += signers.founder
    if log is None:
        report.unsealed = 1
        report.add("unsealed_one", place)
        if demands.require_witness or demands.log is not None:
            raise Trouble("no_checkpoint")
        _say_who(who, report)
        report.exclude(("not_excluded", {"size": 0}))
        return
    checkpoint = open_checkpoint(log["checkpoint"])
    excluded = trusted(checkpoint, keys.values(), report, demands)
    if root_from_inclusion(leaf_hash(value), log["index"], checkpoint.size, _hashes(log)) != checkpoint.root:
        report.add("not_in_log", place, leaf=log["index"])
    if not report.found:
        report.say("proven", did=proof["did"], leaf=log["index"], size=checkpoint.size)
    _say_who(who, report)
    report.exclude(excluded)


def _say_who(who: Iterable[Said], report: Report) -> None:
    """Adds who did the act; nothing if something was changed or cannot be verified."""
    if report.exit_code in (0, INCOMPLETE):
        for code, values in who:
            report.say(code, **values)


def _hashes(path: dict[str, Any]) -> list[bytes]:
    return [bytes.fromhex(hash_) for hash_ in path["hashes"]]
