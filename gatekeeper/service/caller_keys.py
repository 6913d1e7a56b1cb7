"""Scopes and bearer keys of programs that call the service."""

from __future__ import annotations

import secrets
from hashlib import sha256
from typing import Literal

Scope = Literal["sends", "facts", "access", "results"]
"""`sends`: publish sends. `facts`: state facts, withdrawals included. `access`: ask for an evaluation.

`results`: read what became of sends.
"""
SCOPES: tuple[Scope, ...] = ("sends", "facts", "access", "results")
KEY_PREFIX = "gk_"


def new_key() -> str:
    """A new bearer key: 32 random bytes. The file of callers holds its `digest` alone."""
    return KEY_PREFIX + secrets.token_urlsafe(32)


def digest(key: str) -> str:
    """SHA-256 (hex) of a bearer key. The key is random, so nobody finds it from its hash."""
    return sha256(key.encode()).hexdigest()
