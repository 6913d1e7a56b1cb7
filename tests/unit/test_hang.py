"""A test that hangs is failed with the stacks of its processes; these are ended, and the run goes on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil

HANGS = """
import subprocess, sys, threading
import pytest

def wait_for_ever():
    threading.Event().wait()

@pytest.mark.timeout(3)
def test_hangs():
    code = "import threading\\ndef in_the_child():\\n  threading.Event().wait()\\nin_the_child()"
    child = subprocess.Popen([sys.executable, "-c", code])
    print("child", child.pid, file=open({told!r}, "w"))
    wait_for_ever()

def test_after_it():
    pass
"""


def test_a_test_that_hangs_then_stacks_no_process_left_and_the_run_goes_on(tmp_path: Path) -> None:
    told = tmp_path / "told"
    (tmp_path / "test_hangs.py").write_text(HANGS.format(told=str(told)))
    words = ("-p", "tests.support.hang", "-o", "addopts=", "-p", "no:cacheprovider", "--rootdir", tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *map(str, words), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 1, done.stdout
    assert "1 failed, 1 passed" in done.stdout
    assert "wait_for_ever" in done.stdout
    assert "in_the_child" in done.stdout, done.stdout
    assert not psutil.pid_exists(int(told.read_text().split()[1]))
