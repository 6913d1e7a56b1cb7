"""The kind of file system that a folder is on."""

from __future__ import annotations

import re
from pathlib import Path

from gatekeeper.ground.errors import UsageError

NETWORK = frozenset(
    (
        *("9p", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "gfs2", "glusterfs", "gpfs", "lustre", "ncpfs"),
        *("nfs", "nfs4", "ocfs2", "orangefs", "smb2", "smb3", "smbfs", "virtiofs"),
        *("fuse.ceph", "fuse.glusterfs", "fuse.s3fs", "fuse.sshfs"),
    )
)
"""Kinds on which two machines may map a file, or on which a map is not the file."""
_MOUNTS = Path("/proc/self/mountinfo")
_ESCAPED = re.compile(r"\\([0-7]{3})")


def demand_local(folder: Path, mounts: str | None = None) -> None:
    """Raises UsageError (2) if a folder is on a network file system.

    `mounts`: the content of /proc/self/mountinfo, by default as it is. Without it no folder is refused.
    """
    if (kind := _kind(folder.resolve(), mounts)) in NETWORK:
        raise UsageError("error.facts_on_network", folder=folder, kind=kind)


def _kind(folder: Path, mounts: str | None) -> str:
    """The kind of the file system that is mounted nearest above a folder, of several the last."""
    try:
        text = _MOUNTS.read_text("utf-8", "replace") if mounts is None else mounts
    except OSError:
        return ""
    depth, kind = -1, ""
    for line in text.splitlines():
        mount, _, source = line.partition(" - ")
        at = Path(_ESCAPED.sub(lambda code: chr(int(code[1], 8)), mount.split(" ")[4]))
        if folder.is_relative_to(at) and len(at.parts) >= depth:
            depth, kind = len(at.parts), source.split(" ")[0]
    return kind
