"""The workers' consumer group, as one of its members leaves it."""

from __future__ import annotations

import structlog
from kafka.admin import KafkaAdminClient, MemberToRemove
from kafka.errors import KafkaError, NoError, UnknownMemberIdError

from gatekeeper.settings import Settings
from streams.client.reader import connection

log = structlog.get_logger(__name__)


def leave(settings: Settings) -> None:
    """Takes this worker out of the group, so that the others get its partitions at once.

    A static member does not leave by itself: its partitions would wait until its session ends. Never raises for what
    Kafka says; the session ends all the same.
    """
    if not settings.worker:
        return
    try:
        with KafkaAdminClient(**connection(settings)) as admin:
            told = admin.remove_group_members(settings.group, [MemberToRemove(group_instance_id=settings.worker)])
        for error in {one for one in told.values() if one is not NoError} - {UnknownMemberIdError}:
            log.warning("group_not_left", worker=settings.worker, error=error.__name__)
    except (KafkaError, OSError) as error:
        log.warning("group_not_left", worker=settings.worker, error=type(error).__name__)
