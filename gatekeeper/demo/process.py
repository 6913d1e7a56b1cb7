"""The processes that the demo starts and stops."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from gatekeeper.ground import ROOT
from gatekeeper.ground.errors import IncompleteError, UnavailableError

STOP_SECONDS = 15.0
TAIL_LINES = 12
_ENTRY = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from gatekeeper.cli import main; main()"


class Process:
    """Process that runs a `gatekeeper` command with additional environment variables and writes its output to a log."""

    def __init__(self, log: Path, environment: Mapping[str, str], *words: str) -> None:
        self.log = log
        self._environment, self._words = environment, words
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts the process; raises UnavailableError (3) where its log cannot be written."""
        try:
            log = self.log.open("wb")
        except OSError as error:
            raise UnavailableError("error.disk", path=self.log, detail=error) from None
        with log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _ENTRY, *self._words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **self._environment},
                start_new_session=True,  # Ctrl-C reaches only the demo, which then stops the process in order
            )

    def check(self) -> None:
        """Raises IncompleteError (5), with the end of the log, when the process has ended."""
        if self._process is not None and self._process.poll() is not None:
            lines = self.log.read_text("utf-8", "replace").splitlines()
            tail = "\n".join(f"    {line}" for line in lines[-TAIL_LINES:])
            verb, code = " ".join(self._words[:2]), self._process.returncode
            raise IncompleteError("demo.process_ended", verb=verb, code=code, log=self.log, tail=tail)

    def stop(self) -> None:
        """Terminates the process, kills it after STOP_SECONDS, and waits until it has ended, so long at most again."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(STOP_SECONDS)
