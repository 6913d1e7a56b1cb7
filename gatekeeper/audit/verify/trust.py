"""Checks the signatures of a checkpoint: by the log, and by a witness that the caller names."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from gatekeeper.audit.tlog.notes import COSIGNATURE, Checkpoint, Vkey, parse_vkey
from gatekeeper.audit.verify.findings import Report, Said, Trouble
from gatekeeper.audit.verify.input_files import read_file


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


def trusted(
    checkpoint: Checkpoint, logs: Iterable[Vkey], report: Report, witness: Vkey | None, min_size: int | None
) -> Said:
    """Checks a checkpoint's signature and size. The result tells whether a cut-off end or a new history is excluded."""
    note, size = checkpoint.note, checkpoint.size
    signed = [note.signed(key) for key in logs if key.name == checkpoint.origin]
    if all(one is None for one in signed):
        raise Trouble("unknown_log", origin=checkpoint.origin)
    if True not in signed:
        report.add("checkpoint_signature")
    report.leaves = size
    if min_size is not None and size < min_size:
        report.add("too_small", size=size, wanted=min_size)
    if witness is not None:
        if cosigned := note.signed(witness):
            at = datetime.fromtimestamp(note.cosigned_at(witness), UTC).isoformat(timespec="seconds")
            return "witnessed", {"kid": witness.kid, "size": size, "at": at.replace("+00:00", "Z")}
        report.add("not_cosigned" if cosigned is None else "cosignature", kid=witness.kid)
    if min_size is not None and size >= min_size:
        return "long_enough", {"size": size, "wanted": min_size}
    return "not_excluded", {"size": size}
