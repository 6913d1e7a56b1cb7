"""The parts of the read model, one for each subject."""

from __future__ import annotations

from gatekeeper.console import flow, items, record_places, registered, registry

PARTS = (items.PART, record_places.PART, flow.PART, registry.PART, registered.PART)
