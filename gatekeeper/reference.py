"""The reference data that decide() looks up: legal entities and the versions of their notices."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256

from schemas.events import Controller, Notice


@dataclass(slots=True)
class Reference:
    """Controllers and notices by id, and the SHA-256 of each one's bytes by its key; the last record of a key wins."""

    controllers: dict[str, Controller] = field(default_factory=dict)
    notices: dict[str, Notice] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)

    def put(self, model: Controller | Notice, value: bytes) -> None:
        """Takes one record in."""
        if isinstance(model, Controller):
            self.controllers[model.id] = model
        else:
            self.notices[model.id] = model
        self.digests[f"{model.kind}/{model.id}"] = sha256(value).hexdigest()
