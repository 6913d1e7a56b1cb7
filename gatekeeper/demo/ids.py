"""Ids that tell nobody whom they are about, as the product asks of every system that makes some."""

from __future__ import annotations

from hashlib import blake2b


class Ids:
    """Makes the ids of what belongs to one person: the same for the same seed and person, and telling neither.

    The seed stands for the secret that a company would key such a hash with.
    """

    def __init__(self, seed: int, recipient_id: str) -> None:
        self._key = blake2b(f"{seed}/{recipient_id}".encode()).digest()

    def of(self, what: str) -> str:
        """Returns 12 hex digits, other ones for everything asked about (`what`)."""
        return blake2b(what.encode(), key=self._key, digest_size=6).hexdigest()
