"""The script `gatekeeper` before any verb: terminals of little, and signals at any moment."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from gatekeeper.ground.settings import Settings
from gatekeeper.keys import Keys
from tests.support.forked import Command

HOUSE = Path(__file__).parents[2]
ENTRY = [sys.executable, "-m", "gatekeeper"]


def test_a_terminal_without_japanese_then_it_is_escaped_and_the_command_works(tmp_path: Path) -> None:
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "GATEKEEPER_LANG": "ja"}
    environment = os.environ | plain | {"GATEKEEPER_KEYS": str(tmp_path / "keys")}
    for words in (("keys", "init"), ("keys", "list")):
        done = subprocess.run([*ENTRY, *words], cwd=HOUSE, env=environment, capture_output=True, text=True, timeout=60)
        assert (done.returncode, "Traceback" in done.stderr, "\\u" in done.stdout) == (0, False, True), done


SIGNALLED = [
    (("audit", "seal"), signal.SIGTERM, 0),
    (("audit", "seal"), signal.SIGINT, 130),
    (("tail", "review"), signal.SIGINT, 130),
    (("topics", "verify"), signal.SIGINT, 130),
]


def test_signals_while_kafka_is_waited_for_then_their_exit_codes_and_no_words(tmp_path: Path) -> None:
    with ExitStack() as stack:
        silent = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        silent.settimeout(60)
        running: list[Command] = []
        for number, (verb, signalled, _) in enumerate(SIGNALLED):
            Keys(keys := tmp_path / f"keys{number}").make("log", Settings().group)
            places = {"KEYS": str(keys), "LOG": str(tmp_path / f"log{number}")}
            ours = {"BROKER": f"127.0.0.1:{silent.getsockname()[1]}", "LANG": "en", **places}
            settings = {f"GATEKEEPER_{name}": value for name, value in ours.items()}
            one = stack.enter_context(Command(*verb, env=os.environ | settings, cwd=tmp_path))
            running.append(one)
            asking, _ = silent.accept()
            asking.settimeout(60)
            stack.enter_context(asking).recv(1)  # it has asked, and waits for the answer
            one.send_signal(signalled)
        for one, (verb, _, code) in zip(running, SIGNALLED, strict=True):
            out, err = one.communicate(timeout=30)
            assert (one.returncode, out, err.strip()) == (code, "", ""), verb  # click ends the line of ^C
