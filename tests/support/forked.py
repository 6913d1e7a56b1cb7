"""Processes of `gatekeeper`, forked from one that has imported what they need: they start in a tenth of the time."""

from __future__ import annotations

import json
import os
import runpy
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from multiprocessing import get_context
from multiprocessing.context import ForkServerContext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

CONTEXT: ForkServerContext = get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.support.warm", __name__])


def worker(log: Path, environment: dict[str, str], script: Path | None, words: tuple[str, ...] = ()) -> None:
    """Runs `gatekeeper worker WORDS`, or a script that does, with no other environment; its log is added to `log`."""
    out = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    for number in (1, 2):
        os.dup2(out, number)
    os.environ.clear()
    os.environ.update(environment)
    if script is not None:
        runpy.run_path(str(script), run_name="__main__")
        return
    _gatekeeper("worker", *words)


def run(
    *words: str | Path, env: Mapping[str, str] | None = None, cwd: Path | None = None, timeout: float = 120.0
) -> subprocess.CompletedProcess[str]:
    """Runs `gatekeeper WORDS` to its end as subprocess.run does: `env` is its whole environment, `cwd` its folder."""
    with Command(*words, env=env, cwd=cwd) as command:
        out, err = command.communicate(timeout)
    return subprocess.CompletedProcess([*map(str, words)], command.returncode, out, err)


class Command:
    """`gatekeeper WORDS` beside the test, with the methods of a Popen; it is ended by force where it still runs."""

    def __init__(self, *words: str | Path, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> None:
        self._folder = TemporaryDirectory(prefix="gatekeeper-command-")
        self._said = [Path(self._folder.name, name) for name in ("out", "err")]
        environment = dict(os.environ if env is None else env)
        self._read = 0
        self._process = CONTEXT.Process(
            target=_command, args=(tuple(map(str, words)), environment, cwd or Path.cwd(), self._said)
        )
        self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid
        return self._process.pid

    @property
    def returncode(self) -> int:
        code = self.poll()
        assert code is not None, "it still runs"
        return code

    def poll(self) -> int | None:
        return self._process.exitcode

    def line(self, timeout: float = 120.0) -> str:
        """Waits for its next line on stdout, and returns it; nothing where it has ended without one."""
        end, said = time.monotonic() + timeout, self._said[0]
        while True:
            ended = self.poll() is not None
            data = said.read_bytes()[self._read :] if said.exists() else b""
            if b"\n" in data or ended:
                found = data[: data.find(b"\n") + 1] or data
                self._read += len(found)
                return found.decode()
            assert time.monotonic() < end, f"no line within {timeout} s"
            time.sleep(0.02)

    def events(self, name: str) -> list[dict[str, Any]]:
        """Returns what its log on stderr says under that event so far; lines that are no JSON are passed over."""
        said = self._said[1].read_text().splitlines() if self._said[1].exists() else []
        found = [json.loads(line) for line in said if line.startswith("{") and line.endswith("}")]
        return [event for event in found if event["event"] == name]

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def wait(self, timeout: float = 120.0) -> int:
        self._process.join(timeout)
        return self.returncode

    def communicate(self, timeout: float = 120.0) -> tuple[str, str]:
        """Waits for the end, and returns what it said."""
        self.wait(timeout)
        out, err = (file.read_text() if file.exists() else "" for file in self._said)
        return out, err

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.poll() is None:
            self._process.kill()
            self._process.join()
        self._folder.cleanup()


def _command(words: tuple[str, ...], environment: dict[str, str], folder: Path, said: list[Path]) -> None:
    for number, file in enumerate(said, 1):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT), number)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    _gatekeeper(*words)


def _gatekeeper(*words: str) -> None:
    from gatekeeper.cli import main  # not imported before: it asks for the language

    sys.argv = ["gatekeeper", *words]
    main()
