"""Verdicts about the machine: Python, time zones, characters, files and memory."""

from __future__ import annotations

from gatekeeper.checkup.finding import Finding, ok, unknown, warning, wrong
from schemas.topics import Part

OLDEST, NEWEST = (3, 11), (3, 13)
"""Versions of Python on which the tests run; the package asks for the same."""
FILES = 1_024
"""Open files that a process needs at least. A worker has some for each partition and broker, a server for each call."""
MIB = 1 << 20
MEMORY = {"worker": 1_024 * MIB, "serve": 1_024 * MIB}
"""Bytes of memory that a part should find free. Decoded people and addresses alone take up to 640 MB."""
SMALL = 256 * MIB
"""Bytes that any other part should find free."""


def python(version: tuple[int, int, int]) -> Finding:
    """Tells whether the tests run on this version of Python."""
    dotted = ".".join(map(str, version))
    if not OLDEST <= version[:2] <= NEWEST:
        return wrong("python", "other", version=dotted)
    return ok("python", version=dotted)


def time_zones(zone: str, *, known: bool) -> Finding:
    """Tells whether this machine knows the time zone in which the policy counts days."""
    return ok("time_zones", zone=zone) if known else wrong("time_zones", "missing", zone=zone)


def characters(encoding: str, unicode: str) -> Finding:
    """Tells whether Japanese can be printed. `encoding`: of stdout. `unicode`: the version of Python's tables."""
    if encoding.lower().replace("-", "") not in ("utf8", "utf8sig"):
        return warning("characters", "escaped", encoding=encoding, unicode=unicode)
    return ok("characters", encoding=encoding, unicode=unicode)


def open_files(most: int | None) -> Finding:
    """Tells whether a process may open enough files; None: any number."""
    if most is not None and most < FILES:
        return warning("open_files", "few", most=most, needed=FILES)
    return ok("open_files", most="∞" if most is None else f"{most:,}")


def memory(available: int | None, part: Part | None) -> Finding:
    """Tells whether the part finds enough memory. `available`: bytes; None if the system does not tell."""
    if available is None:
        return unknown("memory", "untold")
    needed = MEMORY.get(part or "", SMALL)
    values = {"available": f"{available // MIB:,}", "needed": f"{needed // MIB:,}"}
    return warning("memory", "short", **values) if available < needed else ok("memory", **values)
