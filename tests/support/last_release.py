"""The last release, in the history of the source: `python -m tests.support.last_release` prints its commit."""

from __future__ import annotations

import io
import re
import subprocess
import tarfile
import tomllib
from pathlib import Path

HOUSE = Path(__file__).parents[2]
RELEASED = re.compile(r"(?m)^## ([0-9.]+) \(\d")


def commit() -> str | None:
    """Returns the last commit with the version of the last release; None where the history is not here."""
    changed = _git("log", "--format=%H", f'-Sversion = "{version()}"', "--", "pyproject.toml").split()
    last = _git("rev-parse", "--verify", "--quiet", f"{changed[0].decode()}^") if len(changed) > 1 else b""
    return last.decode().strip() or None


def of_our_minor() -> bool:
    """Tells whether the last release has our minor number, so that it decides beside us."""
    ours = str(tomllib.loads((HOUSE / "pyproject.toml").read_text("utf-8"))["project"]["version"])
    return version().split(".")[:2] == ours.split(".")[:2]


def version() -> str:
    """Returns the version of the last release, by the changes: the present one is not released."""
    return RELEASED.findall((HOUSE / "CHANGELOG.md").read_text("utf-8"))[0]


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
