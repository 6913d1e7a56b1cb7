"""The cluster as a check-up asks it: each question once, and none after the brokers are known to be away."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from functools import cached_property
from time import time
from typing import Any

from kafka.admin import KafkaAdminClient

from gatekeeper.ground.errors import GatekeeperError
from gatekeeper.ground.settings import Settings, masked
from gatekeeper.knowledge.store import FactStore
from schemas.topics import TOPICS, Part
from streams.client import admin, inspection
from streams.client.broker_access import connection, reaching
from streams.client.reader import Reader
from streams.client.rights import rights
from streams.operations import management


class ClusterProbe:
    """The cluster as the checks ask it, each question at most once. `taken`: called for each record that is read.

    `part`: whose user asks, None if nobody said it. Every question raises GatekeeperError without an answer.
    All questions go through one admin client and one reader, until `close`.
    """

    def __init__(self, settings: Settings, part: Part | None, taken: Callable[[], object] = lambda: None) -> None:
        self.settings, self.part, self.taken = settings, part, taken
        self.now = int(time() * 1000)
        self.lost: GatekeeperError | None = None
        """The error for which no broker answers, once it is known. No question is asked any more then."""
        self._open = ExitStack()

    def close(self) -> None:
        """Disconnects; a later question connects anew."""
        self.__dict__.pop("_client", None)
        self.__dict__.pop("reader", None)
        self._open.close()

    def demand(self) -> Settings:
        """The settings; raises the error for which no broker answers."""
        if self.lost:
            raise self.lost
        return self.settings

    def asked(self, question: Callable[[Any], Any]) -> Any:
        """The answer to a question to an admin client."""
        with reaching(self.demand()):
            return question(self._client)

    @cached_property
    def _client(self) -> Any:
        return self._open.enter_context(KafkaAdminClient(**connection(self.settings)))

    @cached_property
    def reader(self) -> Reader:
        """The reader of the gate's records."""
        return self._open.enter_context(Reader(self.demand()))

    @property
    def user(self) -> str:
        """The user who asks, '' without one; a name that looks like a contact value is masked."""
        return masked(self.settings.sasl_username)

    @cached_property
    def known(self) -> dict[int, tuple[str, int] | None]:
        """Host and port of each broker, None for one that the controller has given up."""
        brokers: dict[int, tuple[str, int] | None] = self.asked(inspection.brokers)
        return brokers

    @property
    def addresses(self) -> dict[int, tuple[str, int]]:
        """Host and port of each broker that is in use."""
        return {number: address for number, address in self.known.items() if address}

    @cached_property
    def versions(self) -> dict[int, tuple[int, ...]]:
        """The version of each broker that answers."""
        versions: dict[int, tuple[int, ...]] = self.asked(lambda client: inspection.versions(client, self.addresses))
        return versions

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """The topics of the registry as Kafka describes them to this user."""
        names = [self.settings.topic(name) for name in TOPICS]
        rows: list[dict[str, Any]] = self.asked(lambda client: client.describe_topics(names))
        return rows

    @cached_property
    def differences(self) -> list[admin.Difference]:
        """Each difference between the topics and the registry."""
        return admin.verify(self.demand())

    @cached_property
    def needed(self) -> dict[str, frozenset[str]]:
        """The operations that the part needs, by Kafka's names, on each topic and group."""
        needed: dict[str, set[str]] = defaultdict(set)
        for right in rights(self.settings, self.part) if self.part else ():
            if right.resource != "transactional-id":  # Kafka tells nobody what it grants there
                for name in right.names:
                    needed[name].update(
                        operation.replace("Configs", "_Configs").upper() for operation in right.operations
                    )
        return {name: frozenset(operations) for name, operations in needed.items()}

    @cached_property
    def granted(self) -> dict[str, frozenset[str]]:
        """The user's operations on the topics, and on the groups that the part needs, as Kafka tells them."""
        groups = self.needed.keys() - {self.settings.topic(name) for name in TOPICS}
        group_rights: dict[str, frozenset[str]] = self.asked(lambda client: inspection.group_rights(client, groups))
        return inspection.topic_rights(self.rows) | group_rights

    @cached_property
    def referred(self) -> FactStore:
        """The reference data, as a worker has it now."""
        return management.referred(self.reader)
