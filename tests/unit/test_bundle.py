"""The one file that checks an export lacks no name, and says where it cannot run; tests/exports runs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gatekeeper.audit.export.bundle import bundle


def test_the_one_file_then_no_name_is_missing_and_no_import_is_unused() -> None:
    ruff = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "F", "--output-format", "concise", "-"]
    done = subprocess.run(ruff, input=bundle(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


OLD = "import runpy, sys; sys.version_info = (3, 8, 18); runpy.run_path(sys.argv[1], run_name='__main__')"


@pytest.mark.parametrize(("run", "says"), [(["-c", OLD], "needs Python 3.11"), (["-S"], "needs the package")])
def test_a_python_that_cannot_run_it_then_it_says_so_and_verifies_nothing(
    tmp_path: Path, run: list[str], says: str
) -> None:
    (tmp_path / "verify.py").write_text(bundle(), "utf-8")
    command = [sys.executable, "-I", *run, str(tmp_path / "verify.py"), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={"LANG": "C.UTF-8"})
    assert (done.returncode, done.stdout) == (4, "")
    assert says in done.stderr
    assert "Nothing was verified" in done.stderr


def test_files_beside_the_check_that_are_named_like_modules_then_they_are_not_run(tmp_path: Path) -> None:
    (tmp_path / "verify.py").write_text(bundle())
    for name in ("json", "cryptography", "hashlib", "argparse"):
        (tmp_path / f"{name}.py").write_text("print('planted')\n")
    for options, planted in (["-I"], False), ([], True):
        words = [sys.executable, *options, "verify.py", "--help"]
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert ("planted" in done.stdout, planted or done.returncode) == (planted, planted)
