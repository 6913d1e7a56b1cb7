"""The token key, which turns a normalised value into a token: 32 bytes that only the operator has."""

from __future__ import annotations

from pathlib import Path
from stat import S_IMODE, S_ISREG

from gatekeeper.errors import UsageError

SETTING = "GATEKEEPER_TOKEN_KEY"
"""Setting with the path of the key file; never the key itself, which process lists and container data would show."""

KEY_BYTES = 32


def read_key(path: Path) -> bytes:
    """The 32 bytes of the key file.

    Raises UsageError (2) if the file cannot be read, is not a regular file, is open to others than its owner, or is
    not exactly 32 bytes long. The message explains how to make a key, and never shows a byte of one.
    """
    try:
        status = path.stat()
        if not S_ISREG(status.st_mode):
            raise UsageError("error.token_key_kind", path=path, setting=SETTING)
        if mode := S_IMODE(status.st_mode) & 0o077:
            raise UsageError("error.token_key_open", path=path, setting=SETTING, mode=f"{mode:03o}")
        with path.open("rb") as file:
            key = file.read(KEY_BYTES + 1)
    except OSError as error:
        raise UsageError("error.token_key_missing", path=path, setting=SETTING, detail=error, size=KEY_BYTES) from None
    if len(key) != KEY_BYTES:
        raise UsageError("error.token_key_size", path=path, setting=SETTING, size=KEY_BYTES)
    return key
