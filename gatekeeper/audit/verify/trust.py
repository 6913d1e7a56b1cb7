"""Checks a checkpoint against what the caller demands: which log, which witness, how many leaves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from gatekeeper.audit.tlog.notes import COSIGNATURE, Checkpoint, Vkey, of_another_log, parse_vkey
from gatekeeper.audit.verify.findings import Report, Said, Trouble
from gatekeeper.audit.verify.input_files import read_file


@dataclass(frozen=True)
class Demands:
    """The caller's demands on the log; the folder under check must not answer them itself.

    `witness`: a witness's key. `min_size`: the least number of leaves. `log`: the log's name. `require_witness`: a
    missing `witness` is a finding.
    """

    witness: Vkey | None = None
    min_size: int | None = None
    log: str | None = None
    require_witness: bool = False

    def __bool__(self) -> bool:
        return self != Demands()


def read_witness(text: str) -> Vkey:
    """Reads a witness's key as the option gives it: the key itself, or a file with the key; raises Trouble."""
    try:
        try:
            key = parse_vkey(text)
        except ValueError:
            path = Path(text)
            key = parse_vkey(read_file(path.parent, path.name).decode("ascii"))
    except (Trouble, ValueError):
        raise Trouble("witness_key") from None
    if key.kind != COSIGNATURE:
        raise Trouble("witness_key")
    return key


def trusted(checkpoint: Checkpoint, logs: Iterable[Vkey], report: Report, demands: Demands) -> Said:
    """Checks a checkpoint's signature and size. The result tells whether a cut-off end or a new history is excluded.

    Raises Trouble for a log or a witness other than the demanded one. It also does for an unknown key of the log.
    """
    note, size, witness, min_size = checkpoint.note, checkpoint.size, demands.witness, demands.min_size
    report.log = checkpoint.origin
    if demands.log not in (None, checkpoint.origin):
        raise Trouble("unwanted_log", origin=checkpoint.origin, wanted_log=demands.log)
    if witness is not None and of_another_log(witness.name, checkpoint.origin):
        raise Trouble("other_witness", kid=witness.kid, origin=checkpoint.origin)
    signed = [note.signed(key) for key in logs if key.name == checkpoint.origin]
    if all(result is None for result in signed):
        raise Trouble("unknown_log", origin=checkpoint.origin)
    if True not in signed:
        report.add("checkpoint_signature")
    report.leaves, report.root = size, checkpoint.root.hex()
    if min_size is not None and size < min_size:
        report.add("too_small", size=size, wanted=min_size)
    if demands.require_witness and witness is None:
        report.add("witness_required")
    if witness is not None:
        if cosigned := note.signed(witness):
            at = datetime.fromtimestamp(note.cosigned_at(witness), UTC).isoformat(timespec="seconds")
            return "witnessed", {"kid": witness.kid, "size": size, "at": at.replace("+00:00", "Z")}
        report.add("not_cosigned" if cosigned is None else "cosignature", kid=witness.kid)
    if min_size is not None and size >= min_size:
        return "long_enough", {"size": size, "wanted": min_size}
    return "not_excluded", {"size": size}
