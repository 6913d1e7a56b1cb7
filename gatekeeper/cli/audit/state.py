"""The state file of a long work: how far it came, so that the same call goes on where it stopped."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

import click
from pydantic import BaseModel, ValidationError

from gatekeeper.cli.output import note, whole
from gatekeeper.errors import UsageError
from gatekeeper.texts import text
from schemas.audit import Digest
from schemas.codec import canonical
from schemas.values import Model

SAVE_SECONDS = 2.0
"""So often a state is written down; what is lost is never more than that."""
SHARE = 10
"""Of the time, writing down takes one part in so many at the most: a state may be large."""


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
    """Returns the digest of a call: the command, and what is read, how, and up to where (as JSON takes it)."""
    return sha256(canonical({"command": command, **about})).hexdigest()


def begun(file: Path | None, kind: type[S], of: str) -> S | None:
    """Returns what an earlier call left in a file, None where there is none.

    Raises UsageError (2) for what cannot be read as such, or is of another call.
    """
    if file is None or not file.exists():
        return None
    try:
        content = file.read_bytes()
        if _Of.model_validate_json(content).of != of:
            raise UsageError("error.state_of_another", file=file)
        return kind.model_validate_json(content)
    except (OSError, ValidationError):
        raise UsageError("error.state_unreadable", file=file) from None


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
            self._file.resolve().unlink(missing_ok=True)
        else:
            with whole(self._file) as handle:
                handle.write(state.model_dump_json())
        ended = time.monotonic()
        self._next = ended + max(SAVE_SECONDS, (SHARE - 1) * (ended - began))


Step = Callable[[], AbstractContextManager[None]]


@contextmanager
def kept(file: Path | None, now: Callable[[bool], State | None]) -> Iterator[Step]:
    """Yields what each step of a work is done in, and writes the state down at once, and now and then between steps.

    However the work ends, the state is written at the end; but a step that was cut off counts for nothing, and what
    was written before it stays. `now`: the state of this moment, by whether the work has come to its end.
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
    except BaseException as error:
        if between:
            keeper.write(now(False))
        if isinstance(error, KeyboardInterrupt) and file is not None:
            note("state.interrupted", file=file)
        raise
    keeper.write(now(True))
