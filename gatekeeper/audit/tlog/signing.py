"""Writes signed notes of C2SP: checkpoints of a log, signed by it and cosigned by witnesses.

A note is its text, an empty line, and a line `— NAME BASE64(hash ‖ signature)` a signature. The text of a checkpoint
is the log's origin, the number of its leaves and the root over them, a line each. A witness signs the time with it.
"""

from __future__ import annotations

import base64
from typing import Protocol


class Signing(Protocol):
    """A key that signs, as `gatekeeper.keys.Signer` is."""

    @property
    def name(self) -> str:
        """What a signature calls itself by."""

    @property
    def hash(self) -> bytes:
        """Four bytes that stand for name, kind and key."""

    def sign(self, message: bytes) -> bytes:
        """The 64 bytes of a signature."""


def checkpoint(origin: str, size: int, root: bytes) -> str:
    """The text of a checkpoint, which is what is signed."""
    return f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"


def signed(text: str, signer: Signing) -> str:
    """A note: the text, and the signer's line."""
    return f"{text}\n{_line(signer, signer.sign(text.encode()))}"


def cosignature(text: str, signer: Signing, *, time: int) -> str:
    """The line by which a witness says that it has seen the text at this time, in seconds since the epoch."""
    signature = signer.sign(f"cosignature/v1\ntime {time}\n{text}".encode())
    return _line(signer, time.to_bytes(8, "big") + signature)


def _line(signer: Signing, payload: bytes) -> str:
    return f"— {signer.name} {base64.b64encode(signer.hash + payload).decode()}\n"
