"""The worker's answer to an act that a command wrote: waited for, printed, and turned into the exit code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from gatekeeper.cli.output import note
from gatekeeper.cli.usage import Number
from gatekeeper.ground.errors import UnavailableError
from gatekeeper.ground.settings import Settings
from gatekeeper.ground.texts import text
from gatekeeper.review.actions import sentence
from streams.client.fact_with_act import Pair
from streams.operations import outcomes
from streams.operations.outcomes import Outcome

WAIT_SECONDS = 30.0
Command = TypeVar("Command", bound=Callable[..., Any])


def wait_options(command: Command) -> Command:
    """Adds `--wait SECONDS` and `--no-wait`, which the command gets as `wait` and `no_wait`."""
    command = click.option("--no-wait", is_flag=True, help=text("cli.no_wait"))(command)
    seconds = click.option(
        "--wait", type=Number(min=0), default=WAIT_SECONDS, show_default=True, help=text("cli.answer_wait")
    )
    return seconds(command)


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one act; `outcome` is None where the command does not wait. `seconds`: how long it waited."""

    outcome: Outcome | None
    seconds: float

    @property
    def recorded(self) -> bool:
        """True if the worker recorded the act, on every partition of it."""
        return self.outcome is not None and not (self.outcome.refused or self.outcome.waiting)

    @property
    def refused(self) -> bool:
        """True if the worker refused the act."""
        return self.outcome is not None and self.outcome.refused is not None

    def plain(self) -> dict[str, Any]:
        """The answer for programs: `recorded`, `refused` with its code and sentence, or None = not known."""
        outcome = self.outcome
        if outcome is None or (outcome.waiting and not outcome.refused):
            return {"outcome": None, "code": None, "message": sentence(None, None)}
        if outcome.refused:
            return {"outcome": "refused", "code": outcome.refused, "message": sentence("refused", outcome.refused)}
        return {"outcome": outcomes.GOOD, "code": None, "message": sentence(outcomes.GOOD, None)}

    def conclude(self) -> None:
        """Ends the command for a refused act (exit 1), and for one without an answer in time: UnavailableError (3)."""
        outcome = self.outcome
        if outcome is None:
            return
        if outcome.refused:
            note("cli.act_refused", sentence=sentence("refused", outcome.refused))
            click.get_current_context().exit(1)
        if outcome.waiting:
            raise UnavailableError("error.act_unanswered", seconds=f"{self.seconds:g}", did=outcome.id)


class Question:
    """Begun before an act is written, and asked afterwards for its answer."""

    def __init__(self, settings: Settings, *, wait: float, no_wait: bool) -> None:
        self._settings, self._seconds, self._waits = settings, wait, not no_wait
        self._starts: Mapping[int, int] = outcomes.ends(settings) if self._waits else {}

    def answer(self, pair: Pair) -> Answer:
        """The answer to the act of an acknowledged pair."""
        if not self._waits:
            return Answer(None, 0.0)
        outcome = outcomes.of(self._settings, list(pair.acts), self._starts, seconds=self._seconds)
        return Answer(outcome, self._seconds)
