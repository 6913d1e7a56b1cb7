"""Folders that live as long as the process of a test."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from pathlib import Path


def kept(name: str) -> Path:
    """A new folder, which is gone after the process."""
    folder = Path(tempfile.mkdtemp(prefix=f"gatekeeper-{name}-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
