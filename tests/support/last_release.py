"""The releases, as docs/releases.md names them: `python -m tests.support.last_release` prints the last one's commit."""

from __future__ import annotations

import io
import re
import subprocess
import tarfile
import tomllib
from pathlib import Path
from typing import NamedTuple

HOUSE = Path(__file__).parents[2]
ROW = re.compile(r"(?m)^\| ([0-9.]+) \| (\d{4}-\d\d-\d\d) \| `([0-9a-f]{40})` \|$")


class NamedRelease(NamedTuple):
    """A release that is out: its version, its day, and its commit."""

    version: str
    day: str
    commit: str


def releases() -> list[NamedRelease]:
    """Returns all releases, the last one first."""
    return [NamedRelease(*row) for row in ROW.findall((HOUSE / "docs" / "releases.md").read_text("utf-8"))]


def commit() -> str | None:
    """Returns the commit of the last release; None where the history is not here."""
    last = releases()[0].commit
    return last if _git("rev-parse", "--verify", "--quiet", f"{last}^{{commit}}") else None


def of_our_minor() -> bool:
    """Tells whether the last release has our minor number, so that it decides beside us."""
    ours = str(tomllib.loads((HOUSE / "pyproject.toml").read_text("utf-8"))["project"]["version"])
    return version().split(".")[:2] == ours.split(".")[:2]


def version() -> str:
    """Returns the version of the last release."""
    return releases()[0].version


def unpack(commit: str, folder: Path) -> Path:
    """Unpacks the source of a commit into a folder, and returns it."""
    with tarfile.open(fileobj=io.BytesIO(_git("archive", commit, "gatekeeper", "schemas", "streams"))) as archive:
        archive.extractall(folder, filter="data")
    return folder


def file(commit: str, path: str) -> bytes:
    """Returns the bytes of a file at a commit."""
    return _git("show", f"{commit}:{path}")


def _git(*words: str) -> bytes:
    """Returns what git says, nothing where this is no clone or git is not here."""
    try:
        return subprocess.run(["git", "-C", HOUSE, *words], capture_output=True, check=False).stdout
    except FileNotFoundError:
        return b""


if __name__ == "__main__":
    print(commit() or "")
