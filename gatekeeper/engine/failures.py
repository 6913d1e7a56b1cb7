"""Reasons for a record that nobody could judge: the record cannot be read, or our own code raised on it."""

from __future__ import annotations

import traceback
from hashlib import sha256

from gatekeeper.policy.reasons import Found
from schemas.codec import Unreadable


def invalid(fault: Unreadable) -> Found:
    """The reason of a send that cannot be read."""
    return Found("EVENT_INVALID", (), {"case": "unreadable", "fault": str(fault)})


def defect(error: Exception) -> Found:
    """The reason of a defect of ours: the error's type and its place in the code, never its values."""
    return Found("DECISION_FAILED", (), {"type": type(error).__name__, "fingerprint": fingerprint(error)})


def frames(error: BaseException) -> list[str]:
    """The last places in the code that an error came through, never its values."""
    trail = traceback.extract_tb(error.__traceback__)[-8:]
    return [f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno} {frame.name}" for frame in trail]


def fingerprint(error: Exception) -> str:
    """Twelve hex digits that identify an error's type and its place in the code, never its values."""
    frames = traceback.extract_tb(error.__traceback__)
    trail = "|".join(f"{frame.filename.rsplit('/', 1)[-1]}:{frame.name}:{frame.lineno}" for frame in frames)
    return sha256(f"{type(error).__name__}|{trail}".encode()).hexdigest()[:12]
