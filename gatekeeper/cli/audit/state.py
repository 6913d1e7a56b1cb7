"""The state file of a long work: how far it came, so that the same call goes on where it stopped."""

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
from gatekeeper.errors import UnavailableError, UsageError
from gatekeeper.texts import text
from schemas.audit import Digest
from schemas.codec import canonical
from schemas.values import Model

SAVE_SECONDS = 2.0
"""So often a state is written down, or more seldom where SHARE wants it; a kill loses what was done since."""
SHARE = 10
"""Of the time, writing down takes one part in so many at the most: a state may be large."""
RESUMABLE = (KeyboardInterrupt, UnavailableError, OSError, SystemExit)
"""What cuts off a work that can go on; the last two come of an output that takes no more, or that nobody reads."""


class State(Model):
    """What every state file holds; `of`: SHA-256 of the call, that is of all that its result follows from."""

    of: Digest


class _Of(BaseModel):
    of: Digest


S = TypeVar("S", bound=State)


def state_option(help_key: str = "state.option") -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Adds --state FILE to a command, as `state`; `help_key`: of the sentence that says what it keeps."""
    return click.option("--state", type=click.Path(path_type=Path, dir_okay=False), help=text(help_key))


def of(command: str, **about: Any) -> str:
    """The digest of a call: the command, and what is read, how, and up to where (as JSON takes it)."""
    return sha256(canonical({"command": command, **about})).hexdigest()


def begun(file: Path | None, kind: type[S], of: str) -> S | None:
    """Returns what an earlier call left in a file, None where there is none.

    Raises UsageError (2) for what is no such state, is of another call, or that others could have written;
    UnavailableError (3) where the disk does not give it.
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
        with open(os.open(file, os.O_RDONLY | os.O_NONBLOCK), "rb") as handle:  # nothing waits for a pipe
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
    """Writes a state file: whole or not at all, for its owner alone."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._next = time.monotonic() + SAVE_SECONDS

    def due(self) -> bool:
        """Tells whether it is time to write the state down."""
        return self._file is not None and time.monotonic() >= self._next

    def write(self, state: State | None) -> None:
        """Puts this state into the file; None: there is nothing to go on with, and no file any more.

        Raises UnavailableError (3) where the disk refuses.
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
    """Yields what each step of a work is done in, and writes the state down at once, and now and then between steps.

    However the work ends, the state is written at the end; but a step that was cut off counts for nothing, and what
    was written before it stays. It has come to its end when all that it prints, in the block too, is out.
    `now`: the state of this moment, by whether the work has come to its end.
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
