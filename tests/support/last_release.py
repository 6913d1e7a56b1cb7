"""The last release, in the history of the source: `python -m tests.support.last_release` prints its commit."""

from __future__ import annotations

import io
import subprocess
import tarfile
import tomllib
from pathlib import Path

HOUSE = Path(__file__).parents[2]


def commit() -> str | None:
    """Returns the last commit before the version of `pyproject.toml` began; None where the history is not here."""
    began = _git("log", "--format=%H", f'-Sversion = "{_version()}"', "--", "pyproject.toml").split()
    before = _git("rev-parse", "--verify", "--quiet", f"{began[0].decode()}^") if began else b""
    return before.decode().strip() or None


def of_our_minor() -> bool:
    """Tells whether the last release is here and has our minor number, so that it decides beside us."""
    return commit() is not None and not _version().endswith(".0")


def _version() -> str:
    return str(tomllib.loads((HOUSE / "pyproject.toml").read_text("utf-8"))["project"]["version"])


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
