"""Runs before all other imports: the check ends with 4, not 1, if it lacks its Python version or package."""

from __future__ import annotations

import importlib
import sys

OLDEST = (3, 11)
"""The oldest Python that runs the check. Python 3.8 can still read the file, and then reports this."""


def lacking() -> str | None:
    """The missing requirement of the check, in Japanese and English; None if nothing is missing."""
    version = ".".join(map(str, sys.version_info[:2]))
    if sys.version_info[:2] < OLDEST:
        return (
            f"検証を実行するには Python 3.11 以降が必要です(これは {version})。何も確かめていません。\n"
            f"This check needs Python 3.11 or later. This is Python {version}. Nothing was verified.\n"
        )
    try:
        importlib.import_module("cryptography.hazmat.primitives.asymmetric.ed25519")
    except ImportError:
        return (
            "検証に必要なパッケージ `cryptography` がありません。何も確かめていません。"
            "`python -m pip install cryptography` を実行してから、もう一度お試しください。\n"
            "This check needs the package `cryptography`. Nothing was verified. "
            "Run `python -m pip install cryptography`, then try again.\n"
        )
    return None


if __name__ == "__main__" and (lack := lacking()):
    sys.stderr.write(lack)
    sys.exit(4)
