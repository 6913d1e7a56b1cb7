"""The parts of the read model, one for each subject."""

from __future__ import annotations

from gatekeeper.index import act_log, flow, items, record_places, referred

PARTS = (items.PART, record_places.PART, flow.PART, act_log.PART, referred.PART)
