"""Passwords as scrypt hashes, which take 128 MiB and some tenths of a second to make or check."""

from __future__ import annotations

import hmac
from base64 import b64decode, b64encode
from hashlib import scrypt
from secrets import token_bytes

from gatekeeper.ground.errors import UsageError

LENGTH = 12
"""The number of characters that a password must have at least."""
LOG_N = 17
"""Cost of a new hash, as the power of 2; older hashes of a lower cost are still checked."""
PATTERN = r"^scrypt\$1[0-7]\$8\$1\$[A-Za-z0-9+/=]+\$[A-Za-z0-9+/=]+$"
_R, _P = 8, 1


def hashed(password: str) -> str:
    """The hash of a password as the user file stores it; raises UsageError (2) for a password below LENGTH."""
    if len(password) < LENGTH:
        raise UsageError("error.password_short", length=LENGTH)
    salt = token_bytes(16)
    digest = _scrypt(password, salt, LOG_N)
    return f"scrypt${LOG_N}${_R}${_P}${b64encode(salt).decode()}${b64encode(digest).decode()}"


def right(kept: str, password: str) -> bool:
    """True when the hash is that of this password."""
    _, log_n, _, _, salt, digest = kept.split("$")
    return hmac.compare_digest(_scrypt(password, b64decode(salt), int(log_n)), b64decode(digest))


def outdated(kept: str) -> bool:
    """True for a hash of a lower cost than that of new ones."""
    return int(kept.split("$")[1]) < LOG_N


def _scrypt(password: str, salt: bytes, log_n: int) -> bytes:
    needed = 128 * _R * (2**log_n + _P)
    return scrypt(password.encode(), salt=salt, n=2**log_n, r=_R, p=_P, maxmem=needed + 1024 * 1024, dklen=32)
