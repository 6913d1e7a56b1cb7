"""The people in force by `reference`, read from outside a worker."""

from __future__ import annotations

from gatekeeper.ground.errors import UsageError
from gatekeeper.ground.settings import Settings
from gatekeeper.knowledge.store import FactStore
from streams.client.reader import Reader


def demand(settings: Settings) -> None:
    """Raises UsageError (2) if acts may be unsigned by the settings although somebody is registered."""
    if settings.acts == "signed":
        return
    with Reader(settings) as reader:
        store = FactStore(settings.group, settings.founder)
        for record in reader.read("reference"):
            store.apply(record)
            if first := store.log.roster.first:
                raise UsageError("error.acts_unsigned", person=first)
