"""A copy of the source tree in which a change is tried, so that pages that say how to change it are tested."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

TREE = Path(__file__).parents[2]
ROOMS = ("gatekeeper", "schemas", "streams", "tests", "docs", "deploy", "scripts", "benchmarks", "requirements")


class Change(NamedTuple):
    """Lines that go into a file before `before`, or in the place of `instead`; either stands there once.

    Without both the file is new, and `of` is the file of the example in whose place it stands.
    """

    file: str
    lines: str
    before: str = ""
    instead: str = ""
    of: str = ""


class ChangedCopy:
    """The tree, copied into a folder. Compiled files stay good, as the copies keep their times."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for room in ROOMS:
            shutil.copytree(TREE / room, folder / room)
        for page in TREE.iterdir():
            if page.is_file() and not page.name.startswith("."):
                shutil.copy2(page, folder)

    def change(self, changes: Iterable[Change]) -> None:
        """Makes changes; raises AssertionError where the place of one is not there, or more than once."""
        for one in changes:
            path, place = self.folder / one.file, one.before or one.instead
            content = path.read_text("utf-8") if path.exists() else ""
            assert content.count(place) == 1 if place else not content, (one.file, place)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content.replace(place, one.lines + one.before) if place else one.lines, "utf-8")

    def run(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Runs a Python program of the copy."""
        outside = os.environ | {"PYTHONPATH": str(self.folder), "PYTHONDONTWRITEBYTECODE": "1"} | environment
        return subprocess.run(
            [sys.executable, *words], cwd=self.folder, env=outside, capture_output=True, text=True, check=False
        )

    def tested(self, *tests: str) -> dict[str, str]:
        """Runs tests of the copy. Returns by file and name of each what is wrong, '' if nothing is."""
        report = self.folder / "report.xml"
        done = self.run("-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", *tests)
        assert done.returncode in (0, 1), done.stdout[-4000:] + done.stderr[-2000:]
        found = {}
        for case in ET.parse(report).iter("testcase"):
            wrong = next((one for one in case if one.tag in ("failure", "error")), None)
            file = case.get("classname", "").replace(".", "/")
            found[f"{file}.py::{case.get('name')}"] = "" if wrong is None else str(wrong.text)
        return found
