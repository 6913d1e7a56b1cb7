"""The parts of the read model, one for each subject."""

from __future__ import annotations

from gatekeeper.index import act_log, flow, items, record_places, reference_view

PARTS = (items.PART, record_places.PART, flow.PART, act_log.PART, reference_view.PART)
