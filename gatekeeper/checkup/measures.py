"""Measures of this machine: the space of a folder, limits, memory, and the end of a certificate."""

from __future__ import annotations

import os
import resource
from pathlib import Path
from time import time
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cryptography import x509

from gatekeeper.checkup.folders import Space
from gatekeeper.keys import Keys

_MEMINFO = Path("/proc/meminfo")
_LIMIT, _USED = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")


def space(folder: Path) -> Space:
    """The space on the disk of a folder, or of the nearest folder above it. Raises OSError without an answer."""
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    disk = os.statvfs(there)
    inodes = disk.f_favail if disk.f_files else None
    return Space(str(folder), disk.f_bavail * disk.f_frsize, inodes, _used(folder))


def open_files() -> int | None:
    """The number of files that a process may have open; None without a limit."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else soft


def memory(meminfo: Path = _MEMINFO, limit: Path = _LIMIT, used: Path = _USED) -> int | None:
    """The bytes of memory that are available to this process, also within a container; None if Linux does not say."""
    try:
        lines = dict(line.split(":", 1) for line in meminfo.read_text("ascii").splitlines())
        free = int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, ValueError, LookupError):
        return None
    try:
        return min(free, int(limit.read_text("ascii")) - int(used.read_text("ascii")))
    except (OSError, ValueError):  # no container, or one without a limit
        return free


def knows(zone: str) -> bool:
    """Tells whether this machine has the data of a time zone."""
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, OSError, ValueError):
        return False
    return True


def oldest_days(keys: Keys) -> int | None:
    """The age of the oldest secret key in days, None without one."""
    made = [file.stat().st_mtime for file in keys.folder.glob("*.key")] if keys.folder.is_dir() else []
    return int(max(0.0, time() - min(made)) // 86_400) if made else None


def certificate_ends(path: Path) -> float | None:
    """The end of the first certificate in a PEM file, in seconds since the epoch; None if it has none."""
    try:
        return x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc.timestamp()
    except (OSError, ValueError):
        return None


def _used(folder: Path) -> int:
    return sum(_bytes(Path(root) / name) for root, _, names in os.walk(folder) for name in names)


def _bytes(file: Path) -> int:
    try:
        return file.lstat().st_blocks * 512
    except FileNotFoundError:  # somebody works in the folder
        return 0
