"""What is installed from a wheel is all that the sources hold."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

HOUSE = Path(__file__).parents[2]
PACKAGES = ("schemas", "gatekeeper", "streams")


def test_a_wheel_then_it_holds_every_file_of_the_packages_and_nothing_else(tmp_path: Path) -> None:
    away = shutil.ignore_patterns("__pycache__")
    for name in PACKAGES:
        shutil.copytree(HOUSE / name, tmp_path / name, ignore=away)
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(HOUSE / name, tmp_path)
    build = "from setuptools.build_meta import build_wheel; print(build_wheel('.'))"
    done = subprocess.run([sys.executable, "-c", build], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(tmp_path / done.stdout.splitlines()[-1]) as wheel:
        held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    files = (file for name in PACKAGES for file in (HOUSE / name).rglob("*") if file.is_file())
    assert held == {str(file.relative_to(HOUSE)) for file in files if "__pycache__" not in file.parts}
