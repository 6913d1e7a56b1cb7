"""Writes signed notes of C2SP: checkpoints of a log, signed by the log and cosigned by witnesses.

A note is its text, an empty line, and one line `— NAME BASE64(hash ‖ signature)` for each signature. The text of a
checkpoint has three lines: the log's origin, the number of its leaves, and their root. A witness signs the time
with the text.
"""

from __future__ import annotations

import base64
from typing import Protocol


class Signing(Protocol):
    """A key that signs, such as `gatekeeper.ground.signing_key.SigningKey`."""

    @property
    def name(self) -> str:
        """The key's name in a signature line."""

    @property
    def hash(self) -> bytes:
        """Four bytes that stand for name, kind and key."""

    def sign(self, message: bytes) -> bytes:
        """The 64 bytes of a signature."""


def checkpoint(origin: str, size: int, root: bytes) -> str:
    """The text of a checkpoint, to be signed."""
    return f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"


def signed(text: str, signer: Signing) -> str:
    """A note: the text, and the signer's line."""
    return f"{text}\n{_line(signer, signer.sign(text.encode()))}"


def cosignature(text: str, signer: Signing, *, time: int) -> str:
    """The line of a witness that saw the text at this time, in seconds since the epoch."""
    signature = signer.sign(f"cosignature/v1\ntime {time}\n{text}".encode())
    return _line(signer, time.to_bytes(8, "big") + signature)


def _line(signer: Signing, payload: bytes) -> str:
    return f"— {signer.name} {base64.b64encode(signer.hash + payload).decode()}\n"
