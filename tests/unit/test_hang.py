"""A test that hangs is failed with the stacks of its processes; these are ended, and the run goes on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil

HANGS = """
import signal, subprocess, sys, threading

CODE = '''
import sys, threading
def in_the_child():
    print("here", flush=True)
    threading.Event().wait()
in_the_child()
'''

def wait_for_ever():
    threading.Event().wait()

def test_hangs():
    child = subprocess.Popen([sys.executable, "-c", CODE], stdout=subprocess.PIPE)
    child.stdout.readline()
    print("child", child.pid, file=open({told!r}, "w"))
    signal.setitimer(signal.ITIMER_REAL, 0.1)  # its limit of a minute is over
    wait_for_ever()

def test_after_it():
    pass
"""


def test_a_test_that_hangs_then_stacks_no_process_left_and_the_run_goes_on(tmp_path: Path) -> None:
    told = tmp_path / "told"
    (tmp_path / "test_hangs.py").write_text(HANGS.format(told=str(told)))
    words = ("-p", "tests.support.hang", "-o", "addopts=", "-o", "timeout=60", "-p", "no:cacheprovider")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words, "--rootdir", str(tmp_path), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 1, done.stdout + done.stderr
    for said in ("1 failed, 1 passed", "took longer than 60.0 s", "wait_for_ever", "in_the_child"):
        assert said in done.stdout, done.stdout
    assert not psutil.pid_exists(int(told.read_text().split()[1]))
