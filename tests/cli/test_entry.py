"""The script `gatekeeper` before any verb: terminals of little, and Ctrl-C at once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HOUSE = Path(__file__).parents[2]
ENTRY = [sys.executable, "-m", "gatekeeper"]


def test_a_terminal_that_has_no_japanese_then_it_is_escaped_and_the_command_does_its_work(tmp_path: Path) -> None:
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "GATEKEEPER_LANG": "ja"}
    environment = os.environ | plain | {"GATEKEEPER_KEYS": str(tmp_path / "keys")}
    for words in (("keys", "init"), ("keys", "list")):
        done = subprocess.run([*ENTRY, *words], cwd=HOUSE, env=environment, capture_output=True, text=True, timeout=60)
        assert (done.returncode, "Traceback" in done.stderr, "\\u" in done.stdout) == (0, False, True), done


def test_interrupted_while_it_is_loaded_then_it_ends_with_130_without_a_word(tmp_path: Path) -> None:
    (tmp_path / "click.py").write_text("raise KeyboardInterrupt")
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run([*ENTRY, "keys", "list"], cwd=HOUSE, env=environment, capture_output=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")
