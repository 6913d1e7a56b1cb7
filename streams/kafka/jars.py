"""The jars of Kafka: locked by SHA-256, fetched once, verified at every start.

`kafka-jars.lock` holds one line per jar: SHA-256, size in bytes, path in a Maven repository.
`scripts/lock-kafka` writes it; nothing else decides which jars are fetched, and nothing unverified is ever run.

Two variables of the machine, not of the product, choose the source and the folder of jars:

* MAVEN_MIRROR_URL (default: the address that jgo of the extra `broker` knows)
* GATEKEEPER_JARS (default: ~/.cache/gatekeeper/jars)
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from importlib.resources import files
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event, Thread
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import urlopen

from gatekeeper.ground.errors import IntegrityError, UnavailableError, UsageError

CONNECTIONS = 8
ATTEMPTS = 3
TIMEOUT = 30.0
"""Seconds to wait for one silent connection."""
SILENT_SECONDS = 600.0
"""Seconds in which one jar at least must arrive."""

MIRROR = re.compile(r"https?://(\[[0-9A-Fa-f:]+\]|[^\s/@:\[\]]+)(:\d{1,5})?(/\S*)?")

Progress = Callable[[int, int], None]
"""Called with the bytes fetched so far and the bytes to fetch; not called if nothing has to be fetched."""


@dataclass(frozen=True, slots=True)
class Jar:
    """One line of the lock."""

    sha256: str
    size: int
    path: str

    @property
    def name(self) -> str:
        """The file name."""
        return self.path.rpartition("/")[2]

    def accepts(self, data: bytes) -> bool:
        """True if `data` is this jar, byte for byte."""
        return len(data) == self.size and hashlib.sha256(data).hexdigest() == self.sha256

    def stands_in(self, folder: Path) -> bool:
        """True if `folder` holds this jar, whole and undamaged."""
        try:
            return self.accepts((folder / self.name).read_bytes())
        except OSError:
            return False


def locked() -> tuple[Jar, ...]:
    """The jars of the lock, in its order."""
    lines = files("streams.kafka").joinpath("kafka-jars.lock").read_text("utf-8").splitlines()
    rows = (line.split() for line in lines if line and not line.startswith("#"))
    return tuple(Jar(sha256, int(size), path) for sha256, size, path in rows)


def cache() -> Path:
    """The folder of the jars."""
    return Path(os.environ.get("GATEKEEPER_JARS") or "~/.cache/gatekeeper/jars").expanduser()


def repository() -> str:
    """The base address for missing jars.

    Raises UsageError (2) for an invalid mirror address, UnavailableError (3) without a mirror and without jgo.
    """
    if mirror := os.environ.get("MAVEN_MIRROR_URL"):
        if not MIRROR.fullmatch(mirror):
            raise UsageError("error.mirror_invalid")  # not shown: it may hold a password
        return mirror.rstrip("/")
    try:
        from jgo.constants import MAVEN_CENTRAL_URL  # 0.2 s, and only a cold cache needs it
    except ImportError:
        raise UnavailableError("error.jars_address") from None
    return str(MAVEN_CENTRAL_URL).rstrip("/")


def fetch(*, progress: Progress | None = None) -> tuple[Path, ...]:
    """The paths of all jars, each verified now; missing and damaged jars are fetched first.

    Raises UsageError (2) if MAVEN_MIRROR_URL is no address. Raises UnavailableError (3) if a jar cannot be fetched, no
    address is known, or the folder cannot be written. Raises IntegrityError (4) if the repository serves a file that
    differs from the lock. Each jar is written atomically.
    """
    folder, jars = cache(), locked()
    wanted = [jar for jar in jars if not jar.stands_in(folder)]
    if wanted:
        _make(folder)
        done, total = 0, sum(jar.size for jar in wanted)
        for jar, data in _download(wanted, repository()):
            _write(folder / jar.name, data)
            done += jar.size
            if progress is not None:
                progress(done, total)
    return tuple(folder / jar.name for jar in jars)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnavailableError("error.disk", path=folder, detail=error) from None


def _write(target: Path, data: bytes) -> None:
    part: Path | None = None
    try:
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part")
        part = Path(name)
        with os.fdopen(handle, "wb") as out:
            out.write(data)
        part.replace(target)
    except OSError as error:
        raise UnavailableError("error.disk", path=target.parent, detail=error) from None
    finally:
        if part is not None:
            part.unlink(missing_ok=True)


def _download(jars: Sequence[Jar], base: str) -> Iterator[tuple[Jar, bytes]]:
    """Yields each jar with its verified bytes, as they arrive over eight connections; raises the first failure.

    The connections belong to daemon threads that touch no disk: an interrupt ends at once and leaves nothing behind.
    """
    todo: SimpleQueue[Jar] = SimpleQueue()
    arrived: SimpleQueue[tuple[Jar, bytes] | Exception] = SimpleQueue()
    over = Event()
    for jar in sorted(jars, key=lambda jar: -jar.size):  # the largest first, so that none is left for the end
        todo.put(jar)

    def carry() -> None:
        while not over.is_set():
            try:
                jar = todo.get_nowait()
            except Empty:
                return
            try:
                arrived.put((jar, _get(jar, base, over)))
            except Exception as error:  # raised where the jars are awaited
                arrived.put(error)

    for _ in range(min(CONNECTIONS, len(jars))):
        Thread(target=carry, daemon=True).start()
    try:
        for _ in jars:
            try:
                result = arrived.get(timeout=SILENT_SECONDS)
            except Empty:
                host, why = urlsplit(base).hostname, f"nothing arrived for {SILENT_SECONDS:.0f} s"
                raise UnavailableError("error.jar_unreachable", jar="Kafka", host=host, detail=why) from None
            if isinstance(result, Exception):
                raise result
            yield result
    finally:
        over.set()


def _get(jar: Jar, base: str, over: Event) -> bytes:
    """The verified bytes of one jar; a bad or broken answer is requested again, twice."""
    attempt = 1
    while True:
        failure: UnavailableError | IntegrityError
        try:
            with urlopen(f"{base}/{jar.path}", timeout=TIMEOUT) as answer:  # noqa: S310 - see repository()
                data: bytes = answer.read(jar.size + 1)
        except (OSError, HTTPException, ValueError) as error:
            failure = UnavailableError(
                "error.jar_unreachable", jar=jar.name, host=urlsplit(base).hostname, detail=_why(error)
            )
        else:
            if jar.accepts(data):
                return data
            failure = IntegrityError("error.jar_differs", jar=jar.name, host=urlsplit(base).hostname)
        if attempt == ATTEMPTS or over.wait(2.0**attempt / 4):
            raise failure
        attempt += 1


def _why(error: Exception) -> object:
    if isinstance(error, HTTPError):
        return f"HTTP {error.code}"
    cause = getattr(error, "reason", error)
    return cause if isinstance(cause, OSError) else str(cause) or type(cause).__name__
