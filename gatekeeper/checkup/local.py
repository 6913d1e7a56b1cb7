"""The checks of this machine, each a function of one list. They need no broker."""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from time import time

from gatekeeper.checkup import folders, machine, measures
from gatekeeper.checkup.finding import Finding, failed, ok, refused
from gatekeeper.ground.errors import GatekeeperError, UnavailableError, UsageError
from gatekeeper.ground.settings import Settings
from gatekeeper.keys import Keys
from gatekeeper.policy import packs
from gatekeeper.store.file_system import demand_local
from schemas.topics import Part


def findings(settings: Settings, part: Part | None) -> Iterator[Finding]:
    """Yields the finding of each check of this machine. `part`: what runs here, None if nobody said it."""
    for name, check in CHECKS.items():
        try:
            yield check(settings, part)
        except GatekeeperError as error:
            yield failed(name, "wrong" if isinstance(error, UsageError) else "unknown", error)
        except OSError as error:
            yield refused(name, error)


def _python(_: Settings, __: Part | None) -> Finding:
    return machine.python(sys.version_info[:3])


def _time_zones(settings: Settings, _: Part | None) -> Finding:
    zone = packs.load(settings.policy).at(int(time() * 1000)).timezone
    return machine.time_zones(zone, known=measures.knows(zone))


def _characters(_: Settings, __: Part | None) -> Finding:
    return machine.characters(sys.stdout.encoding or "", unicodedata.unidata_version)


def _open_files(_: Settings, __: Part | None) -> Finding:
    return machine.open_files(measures.open_files())


def _memory(_: Settings, part: Part | None) -> Finding:
    return machine.memory(measures.memory(), part)


def _keys(settings: Settings, part: Part | None) -> Finding:
    keys = Keys(settings.key_folder)
    known = keys.known()
    faults = [fault for fault in (keys.open_folder(), *(fault for key in known for fault in key.faults)) if fault]
    return folders.keys(part, known, faults, days=measures.oldest_days(keys))


def _data_disk(settings: Settings, _: Part | None) -> Finding:
    if not settings.data:
        return ok("data_disk", "memory")
    demand_local(Path(settings.data))
    return folders.disk("data_disk", _space(settings.data))


def _log_disk(settings: Settings, _: Part | None) -> Finding:
    return folders.disk("log_disk", _space(settings.log))


def _service_certificate(settings: Settings, _: Part | None) -> Finding:
    if not settings.serve_certificate:
        return ok("service_certificate", "none")
    ends = {settings.serve_certificate: measures.certificate_ends(Path(settings.serve_certificate))}
    return folders.certificate("service_certificate", ends, now=time())


def _space(folder: str) -> folders.Space:
    try:
        return measures.space(Path(folder))
    except OSError as error:
        raise UnavailableError("error.disk_unread", path=folder, detail=error) from None


CHECKS: Mapping[str, Callable[[Settings, Part | None], Finding]] = {
    "python": _python,
    "time_zones": _time_zones,
    "characters": _characters,
    "open_files": _open_files,
    "memory": _memory,
    "keys": _keys,
    "data_disk": _data_disk,
    "log_disk": _log_disk,
    "service_certificate": _service_certificate,
}
"""The checks by name, in the order in which they are told."""
