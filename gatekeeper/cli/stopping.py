"""How verbs that run until they are stopped are stopped."""

from __future__ import annotations

import signal
import sys
from typing import NoReturn


def stop_on_signals() -> None:
    """Ends the process in order, with SystemExit, at SIGTERM and SIGHUP."""

    def stop(number: int, frame: object) -> NoReturn:
        sys.exit(0)

    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup asks us to stay
            signal.signal(number, stop)
