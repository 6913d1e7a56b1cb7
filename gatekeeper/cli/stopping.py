"""How verbs that run until they are stopped are stopped."""

from __future__ import annotations

import signal

from gatekeeper import interruption


def stop_on_signals() -> None:
    """Ends the process in order, with SystemExit, at SIGTERM and SIGHUP."""
    interruption.listen((signal.SIGTERM, signal.SIGHUP), SystemExit)
