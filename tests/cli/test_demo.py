"""The demo as people run it: its own Kafka and worker, the counted result, and no process left however it ends."""

from __future__ import annotations

import json
import re
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path

import httpx
import psutil
import pytest

from tests.support import forked
from tests.support.world import until

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-c", "from gatekeeper.cli import main; main()", "demo", "--people", "60", "--sends", "50"]
GONE_SECONDS, LIMIT_SECONDS = 30, 120

pytestmark = pytest.mark.timeout(150)


class Demo:
    """A running demo with its output, line by line."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.said: list[str] = []

    def until(self, pattern: str) -> str:
        """Returns the first line from here on in which the pattern is found."""
        assert self.process.stdout
        for line in self.process.stdout:
            self.said.append(line)
            if re.search(pattern, line):
                return line
        raise AssertionError(f"the demo ended without {pattern!r}:\n{''.join(self.said)}")

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def end(self) -> int:
        """Waits for the end; returns the exit code."""
        assert self.process.stdout
        self.said += list(self.process.stdout)
        return self.process.wait(GONE_SECONDS)


@contextmanager
def _demo(*arguments: str, tmp_path: Path, lang: str = "en") -> Iterator[Demo]:
    environment = {**psutil.Process().environ(), "GATEKEEPER_LANG": lang, "TMPDIR": str(tmp_path)}
    environment["PYTHONPATH"] = str(ROOT)
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
        cwd=ROOT,
        preexec_fn=partial(signal.signal, signal.SIGHUP, signal.SIG_DFL),  # these tests may run under nohup
    )
    limit = threading.Timer(LIMIT_SECONDS, process.kill)  # whoever reads its output waits no longer
    limit.start()
    try:
        yield Demo(process)
    finally:
        limit.cancel()
        process.terminate()
        process.communicate(timeout=GONE_SECONDS)


def _gone(processes: list[psutil.Process]) -> bool:
    assert processes
    return not psutil.wait_procs(processes, timeout=GONE_SECONDS)[1]


@pytest.mark.main
def test_given_once_then_every_send_has_one_decision_and_nothing_is_left(tmp_path: Path) -> None:
    with _demo("--once", "--json", tmp_path=tmp_path) as demo:
        demo.until(r"\[4/5\]")
        children = demo.children()
        summary = json.loads(demo.until(r"^\{"))
        assert demo.end() == 0
    assert _gone(children)
    assert list(tmp_path.iterdir()) == []
    assert (summary["sends"], summary["audit"], summary["missing"], summary["wrong"]) == (50, 50, 0, 0)
    assert summary["sealed"] >= 8
    assert summary["colleagues"]["taro"] == ["manager"]
    assert summary["console"] is None, "what ends with the result opens nothing"
    assert sum(summary["outputs"].values()) == sum(summary["verdicts"].values()) == 50
    assert summary["outputs"]["cleared"] == summary["verdicts"]["clear"] > 0
    assert {verdict: told["verdict"] for verdict, told in summary["cast"].items()} == {
        verdict: verdict for verdict in ("clear", "confirm", "review", "block")
    }


def test_a_withdrawal_elsewhere_then_withheld_and_a_dead_worker_ends_the_demo(
    tmp_path: Path,
) -> None:
    with _demo(tmp_path=tmp_path, lang="ja") as demo:
        assert "50" in demo.until("監査記録 50 ")
        queue = demo.until(r"http://127\.0\.0\.1:\d+/").strip()
        exports = shlex.split(demo.until(r"^  export GATEKEEPER_"))[1:]
        told = dict(word.split("=", 1) for word in exports) | {"PYTHONPATH": str(ROOT)}
        environment = {name: value for name, value in psutil.Process().environ().items() if name[:11] != "GATEKEEPER_"}

        def run(*words: str) -> str:
            """Runs a command of `gatekeeper` as another terminal does that has taken the exports over."""
            done = forked.run(*words, env=environment | told, cwd=tmp_path)
            assert done.returncode == 0, done
            return done.stdout

        command = shlex.split(demo.until(r"withdraw --by demo R"))
        children = demo.children()
        demo.until(r"R000001  clear .*送れます")
        until(lambda: "CONSENT_MISSING" in httpx.get(queue).text, "the queue in a browser, filled")
        assert Path(command[0]).name == "gatekeeper"
        assert json.loads(run("status", "--json"))["worker"]["ready"]
        found = [json.loads(line) for line in run("doctor", "--json").splitlines()]
        assert [one for one in found if one["level"] == "wrong"] == []
        run(*command[1:])
        acknowledged = f"{datetime.now():%H:%M:%S}"
        while "clear" in (line := demo.until(r"R000001  (clear|block) ")):
            assert line[:8] <= acknowledged  # told now, decided before
        assert "撤回" in line
        next(child for child in children if "worker" in child.cmdline()).kill()
        assert demo.end() == 5
    assert _gone(children)
    said = "".join(demo.said)
    assert "Traceback" not in said
    assert "-9" in said[said.rindex("R000001") :], "that the worker died"
    assert '"logger": "streams.' in said, "and the end of its log"
