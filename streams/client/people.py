"""The people in force by `reference`, read from outside a worker."""

from __future__ import annotations

from gatekeeper.errors import UsageError
from gatekeeper.knowledge.store import FactStore
from gatekeeper.settings import Settings
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
