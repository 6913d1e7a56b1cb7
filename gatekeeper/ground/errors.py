"""Every error the product raises on purpose, each with one exit code and one HTTP status.

    GatekeeperError
    ├── UsageError           2   400   the call, a setting or an input file is wrong
    ├── UnavailableError     3   503   broker, network, port or disk is not there
    ├── IntegrityError       4   500   what is stored contradicts itself, or cannot be verified
    ├── IncompleteError      5   504   the work could not be finished
    └── RestartError        70   503   stopped on purpose, to be started again by a supervisor

Exit 0 means right and 1 that a check found something; neither is an error. 130 is an interrupt,
141 an output that nobody reads any more.
"""

from __future__ import annotations

from typing import Any


class GatekeeperError(Exception):
    """Base of all errors: the catalogue key of a sentence and its values, never a name, address or contact value."""

    exit_code = 70
    http_status = 500

    def __init__(self, key: str, **values: Any) -> None:
        super().__init__(key, values)
        self.key = key
        self.values = values

    def __str__(self) -> str:
        from gatekeeper.ground.texts import text

        return text(self.key, **self.values)

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (type(self), self.key, self.values)  # to be sent from a process to another


class UsageError(GatekeeperError):
    """The call, a setting or an input file is wrong."""

    exit_code = 2
    http_status = 400


class UnavailableError(GatekeeperError):
    """The broker, the network, a port or the disk is not there."""

    exit_code = 3
    http_status = 503


class IntegrityError(GatekeeperError):
    """Stored data contradict each other, or cannot be verified."""

    exit_code = 4
    http_status = 500


class IncompleteError(GatekeeperError):
    """The work could not be finished."""

    exit_code = 5
    http_status = 504


class RestartError(GatekeeperError):
    """Stopped on purpose so that nothing uncertain is committed; a supervisor starts it again."""

    exit_code = 70
    http_status = 503


def _again(kind: type[GatekeeperError], key: str, values: dict[str, Any]) -> GatekeeperError:
    return kind(key, **values)
