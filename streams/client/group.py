"""The workers' consumer group: a worker leaves it so that others continue at once."""

from __future__ import annotations

import structlog
from kafka.admin import KafkaAdminClient, MemberToRemove
from kafka.errors import KafkaError, NoError, UnknownMemberIdError

from gatekeeper.ground.settings import Settings
from streams.client.broker_access import connection

log = structlog.get_logger(__name__)


def leave(settings: Settings) -> None:
    """Removes this worker from the group, so that the others get its partitions at once.

    A static member does not leave by itself, so its partitions would wait until its session ends. Never raises for an
    error of Kafka; the session ends all the same.
    """
    if not settings.worker:
        return
    try:
        with KafkaAdminClient(**connection(settings)) as admin:
            answers = admin.remove_group_members(settings.group, [MemberToRemove(group_instance_id=settings.worker)])
        for error in {outcome for outcome in answers.values() if outcome is not NoError} - {UnknownMemberIdError}:
            log.warning("group_not_left", worker=settings.worker, error=error.__name__)
    except (KafkaError, OSError) as error:
        log.warning("group_not_left", worker=settings.worker, error=type(error).__name__)
