"""The result of one check of an installation: how grave it is, what was found, and what to do next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from gatekeeper.ground.errors import GatekeeperError
from gatekeeper.ground.texts import catalogue, text

Level = Literal["ok", "warning", "wrong", "unknown"]
"""`unknown`: the check could not be made. That is never taken for ok."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of the check `check`. `key`: of the sentence that tells what was found, which `values` fill.

    The sentence at `KEY_next`, if there is one, says what to do next. An error's sentence says that itself.
    """

    check: str
    level: Level
    key: str
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def found(self) -> str:
        """The sentence that tells what was found, in the reader's language."""
        return text(self.key, **self.values)

    @property
    def next(self) -> str:
        """The sentence that says what to do next, '' where there is nothing to do or the error has said it."""
        following = f"{self.key}_next"
        return text(following, **self.values) if following in catalogue() else ""


def ok(check: str, case: str = "ok", /, **values: Any) -> Finding:
    """All is well."""
    return Finding(check, "ok", f"doctor.{check}_{case}", values)


def warning(check: str, case: str, /, **values: Any) -> Finding:
    """It works, and somebody should know or change this."""
    return Finding(check, "warning", f"doctor.{check}_{case}", values)


def wrong(check: str, case: str, /, **values: Any) -> Finding:
    """It does not work, or a guarantee does not hold."""
    return Finding(check, "wrong", f"doctor.{check}_{case}", values)


def unknown(check: str, case: str, /, **values: Any) -> Finding:
    """Nobody can tell from here."""
    return Finding(check, "unknown", f"doctor.{check}_{case}", values)


def refused(check: str, error: OSError) -> Finding:
    """The system did not let the check be made."""
    return Finding(check, "unknown", "doctor.refused", {"path": error.filename or "-", "detail": error})


def failed(check: str, level: Level, error: GatekeeperError) -> Finding:
    """An error that was met during the check."""
    return Finding(check, level, error.key, error.values)
