"""The state file of a long run, from which the same call goes on where it stopped."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from hashlib import sha256
from pathlib import Path
from stat import S_ISREG
from typing import Any, TypeVar

import click
from pydantic import BaseModel, ValidationError

from gatekeeper.cli.output import note, whole
from gatekeeper.ground.errors import UnavailableError, UsageError
from gatekeeper.ground.texts import text
from schemas.codec import canonical
from schemas.values import Digest, Model

SAVE_SECONDS = 2.0
"""Seconds between two writes of a state, or more if SHARE demands. A kill loses the work since then."""
SHARE = 10
"""Writing takes at most one part in SHARE of the time, as a state may be large."""
RESUMABLE = (KeyboardInterrupt, UnavailableError, OSError, SystemExit)
"""Interruptions after which a run can go on. The last two come from a full output, or one that nobody reads."""


class State(Model):
    """Common content of all state files. `of`: SHA-256 of the call, with everything that its result depends on."""

    of: Digest


class _Of(BaseModel):
    of: Digest


S = TypeVar("S", bound=State)


def state_option(help_key: str = "state.option") -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Adds --state FILE to a command, as `state`. `help_key`: of the sentence on the file's content."""
    return click.option("--state", type=click.Path(path_type=Path, dir_okay=False), help=text(help_key))


def of(command: str, **about: Any) -> str:
    """The digest of a call: the command, and the data, mode and limits of its reading (as JSON values)."""
    return sha256(canonical({"command": command, **about})).hexdigest()


def begun(file: Path | None, kind: type[S], of: str) -> S | None:
    """The state that an earlier call left in a file, None without one.

    Raises UsageError (2) if the file is no such state, belongs to another call, or is writable by others.
    Raises UnavailableError (3) if the disk does not give it.
    """
    if file is None or (content := _read(file)) is None:
        return None
    try:
        if _Of.model_validate_json(content).of != of:
            raise UsageError("error.state_of_another", file=file)
        return kind.model_validate_json(content)
    except ValidationError:
        raise UsageError("error.state_unreadable", file=file) from None


def _read(file: Path) -> bytes | None:
    try:
        with open(os.open(file, os.O_RDONLY | os.O_NONBLOCK), "rb") as handle:  # never waits for a pipe
            stat = os.fstat(handle.fileno())
            if not S_ISREG(stat.st_mode):
                raise UsageError("error.state_unreadable", file=file)
            if stat.st_uid != os.geteuid() or stat.st_mode & 0o022:
                raise UsageError("error.state_open", file=file, owner=stat.st_uid, mode=f"{stat.st_mode & 0o777:03o}")
            return handle.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UnavailableError("error.disk_unread", path=file, detail=error) from None


class Keeper:
    """Writer of a state file: atomic, and for its owner alone."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._next = time.monotonic() + SAVE_SECONDS

    def due(self) -> bool:
        """Tells whether it is time to write the state down."""
        return self._file is not None and time.monotonic() >= self._next

    def write(self, state: State | None) -> None:
        """Writes this state into the file; None removes the file, as there is nothing to go on with.

        Raises UnavailableError (3) if the disk refuses.
        """
        if self._file is None:
            return
        began = time.monotonic()
        if state is None:
            self._remove(self._file)
        else:
            with whole(self._file) as handle:
                handle.write(state.model_dump_json())
        ended = time.monotonic()
        self._next = ended + max(SAVE_SECONDS, (SHARE - 1) * (ended - began))

    def _remove(self, file: Path) -> None:
        try:
            file.resolve().unlink(missing_ok=True)
        except OSError as error:
            raise UnavailableError("error.disk", path=file, detail=error) from None


Step = Callable[[], AbstractContextManager[None]]


@contextmanager
def kept(file: Path | None, now: Callable[[bool], State | None]) -> Iterator[Step]:
    """Yields a context manager for each step of a run; writes the state at once, and when due between steps.

    The state is also written at the end, however the run ends. An interrupted step does not count, and the state before
    it stays. A run is complete when all its output is written, that of the block too. `now`: gives the current state;
    its argument tells whether the run is complete.
    """
    keeper, between = Keeper(file), True
    keeper.write(now(False))

    @contextmanager
    def step() -> Iterator[None]:
        nonlocal between
        between = False
        yield
        between = True
        if keeper.due():
            keeper.write(now(False))

    try:
        yield step
        if sys.stdout is not None:
            sys.stdout.flush()
    except BaseException as error:
        try:
            if between:
                keeper.write(now(False))
        except UnavailableError as fault:
            if str(fault) != str(error):
                note("cli.error", message=fault)
        if isinstance(error, RESUMABLE) and file is not None:
            note("state.interrupted", file=file)
        raise
    keeper.write(now(True))
