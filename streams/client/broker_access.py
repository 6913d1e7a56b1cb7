"""The commands' access to the broker: the arguments of a client, and Kafka's errors as one sentence."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kafka.errors import KafkaError, KafkaTimeoutError, UnknownTopicOrPartitionError

from gatekeeper.ground import interruption
from gatekeeper.ground.errors import UnavailableError, UsageError
from gatekeeper.ground.settings import Settings
from schemas.topics import TOPICS
from streams.client.answering import answering, client
from streams.client.connection import reached

CONNECT_MS = 6_000
REQUEST_MS = 5_000
METADATA_MS = 3_000
"""Milliseconds until a client learns of a halted leader's successor, while it still waits for the old leader."""

# kafka-python logs keys and values at debug, and each connection attempt as an error; the commands report it once
logging.getLogger("kafka").setLevel(logging.CRITICAL)


def connection(settings: Settings) -> dict[str, Any]:
    """The arguments of every kafka-python client of ours; raises as `reached` does. Not for a running loop."""
    return {
        **reached(settings),
        "bootstrap_servers": answering(settings),
        "client_id": f"{settings.application}-cli",
        "bootstrap_timeout_ms": CONNECT_MS,
        "request_timeout_ms": REQUEST_MS,
        "kafka_client": client,
        "metadata_max_age_ms": METADATA_MS,
    }


@contextmanager
def reaching(settings: Settings) -> Iterator[None]:
    """Turns Kafka's errors into one sentence that names the broker.

    Raises UnavailableError (3), or UsageError (2) if a topic is missing or the broker forbids the request.
    Signals are held back meanwhile; a signal then ends the command, whatever the result of the call.
    """
    try:
        with interruption.held():
            yield
    except UnknownTopicOrPartitionError:
        raise UsageError("error.topics_missing", broker=settings.bootstrap) from None
    except KafkaTimeoutError:
        from streams.client.refusal import refusal

        raise refusal(settings) from None
    except (KafkaError, OSError) as error:
        if lacking := forbidden(settings, error):
            raise lacking from None
        raise UnavailableError(
            "error.broker_unreachable", broker=settings.bootstrap, detail=type(error).__name__
        ) from None


def forbidden(settings: Settings, error: Exception | None) -> UsageError | None:
    """The error for a missing right: the kind of resource, and those of our names that Kafka mentions.

    None for any other error; kafka-python words this one only when a producer asks for its id.
    """
    kind = re.search(r"(Cluster|Group|Topic|TransactionalId)AuthorizationFailed", repr(error))
    if kind is None:
        return None
    names = [settings.topic(name) for name in TOPICS if settings.topic(name) in str(error)]
    user, what = settings.sasl_username or "ANONYMOUS", " ".join((kind[1], *names))
    key = "error.broker_rights_cluster" if kind[1] == "Cluster" else "error.broker_rights"
    return UsageError(key, broker=settings.bootstrap, user=user, what=what)
