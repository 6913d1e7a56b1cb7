"""The cluster as this user sees it: versions, controller and its clock, disks, rights, quotas, certificates.

Every function asks and writes nothing. The first argument is an admin client of `cluster.connected`.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterable, Mapping, Sequence
from time import monotonic, time
from typing import Any, NamedTuple

from kafka import TopicPartition
from kafka.admin import OffsetSpec
from kafka.errors import (
    CoordinatorNotAvailableError,
    GroupAuthorizationFailedError,
    KafkaError,
    TopicAuthorizationFailedError,
    for_code,
)
from kafka.protocol.admin import DescribeClientQuotasRequest, DescribeGroupsRequest

from gatekeeper.ground import interruption
from gatekeeper.ground.settings import Settings
from streams.client.broker_access import REQUEST_MS
from streams.client.connection import reached

TLS_SECONDS = 3.0
GROUPS_VERSION = 5
"""The last version of DescribeGroups that tells the rights on a group that does not exist."""
AGAIN_SECONDS = 0.1
ANY_NAME = 2
"""Kafka's number for a filter that takes every user, the default one too."""
Quota = tuple[dict[str, str | None], dict[str, float]]
"""The entity of a quota (by `user` and `client-id`; None is the default one), and its limits by Kafka's names."""


class Quorum(NamedTuple):
    """The controller, -1 without one, and the milliseconds by which its clock differs from ours at least."""

    leader: int
    off_ms: int


def brokers(admin: Any) -> dict[int, tuple[str, int] | None]:
    """Host and port of each broker of the cluster, None for one that the controller has given up."""
    rows = admin.describe_cluster()["brokers"]
    return {row["broker_id"]: None if row.get("is_fenced") else (row["host"], row["port"]) for row in rows}


def versions(admin: Any, nodes: Iterable[int]) -> dict[int, tuple[int, ...]]:
    """The version of each broker that answers, from the requests that it takes."""
    by_broker = {}
    for node in nodes:
        try:
            by_broker[node] = tuple(admin.get_broker_version_data(node).broker_version)
        except (KafkaError, OSError):
            continue
    return by_broker


def metadata_level(admin: Any) -> int | None:
    """The newest `metadata.version` that the asked broker knows, None if it tells none."""
    supported = admin.describe_features().get("metadata.version", {}).get("supported")
    return None if supported is None else int(supported[1])


def quorum(admin: Any) -> Quorum:
    """The controller and its clock, which the leader of the quorum states as its own last fetch."""
    before = time()
    row = admin.describe_metadata_quorum()["topics"][0]["partitions"][0]
    after = time()
    leader = row["leader_id"]
    stamps = (voter["last_fetch_timestamp"] for voter in row["current_voters"] if voter["replica_id"] == leader)
    at = next((stamp for stamp in stamps if stamp and stamp > 0), None)
    off = 0 if at is None else max(int(before * 1000) - at, at - int(after * 1000) - 1, 0)
    return Quorum(leader, off)


def newest(admin: Any, partitions: Mapping[str, Sequence[int]]) -> int | None:
    """The newest time stamp on these partitions by topic, in milliseconds; None without a record."""
    wanted = {
        TopicPartition(topic, number): OffsetSpec.MAX_TIMESTAMP for topic in partitions for number in partitions[topic]
    }
    answers = admin.list_partition_offsets(wanted).values() if wanted else ()
    return max((answer.timestamp for answer in answers if answer.timestamp >= 0), default=None)


def disks(admin: Any, nodes: Iterable[int]) -> dict[int, list[tuple[bool, int, int]]]:
    """The disks of each broker: whether it works, its free and all its bytes; [] where the user may not ask."""
    return {
        row["broker"]: [(not disk["error_code"], disk["usable_bytes"], disk["total_bytes"]) for disk in row["log_dirs"]]
        for row in admin.describe_log_dirs([], list(nodes))
    }


def topic_rights(rows: Iterable[Mapping[str, Any]]) -> dict[str, frozenset[str]]:
    """The operations that the user may do on each topic that exists. `rows`: of `describe_topics`."""
    rights = {}
    for row in rows:
        if for_code(row["error_code"]) is TopicAuthorizationFailedError:
            rights[row["name"]] = frozenset[str]()
        elif not row["error_code"]:
            rights[row["name"]] = frozenset(row["authorized_operations"])
    return rights


def group_rights(admin: Any, groups: Iterable[str]) -> dict[str, frozenset[str]]:
    """The operations that the user may do on each of these groups, whether they exist or not.

    The request's newer versions tell nothing of a group that nobody has joined. Its version is set through a private
    name of kafka-python.
    """
    admin._describe_groups_request = lambda named: DescribeGroupsRequest(
        groups=list(named), include_authorized_operations=True, max_version=GROUPS_VERSION
    )
    try:
        return {group: _group_rights(admin, group) for group in groups}
    finally:
        del admin._describe_groups_request


def _group_rights(admin: Any, group: str) -> frozenset[str]:
    """A new broker, which has no coordinator of groups yet, gets a few seconds to answer."""
    give_up = monotonic() + REQUEST_MS / 1000
    while True:
        try:
            row = admin.describe_groups([group])[group]
            if row["authorized_operations"] is not None:
                return frozenset(row["authorized_operations"])
            if "GroupAuthorizationFailed" in row["error"]:
                return frozenset()
            error: KafkaError = CoordinatorNotAvailableError(row["error"])  # kafka-python keeps only the sentence
        except GroupAuthorizationFailedError:
            return frozenset()
        except KafkaError as raised:
            error = raised
        if not error.retriable or monotonic() > give_up:
            raise error
        interruption.wait(AGAIN_SECONDS)


def quotas(admin: Any) -> list[Quota]:
    """All quotas of users. A private name of kafka-python, which has the request and no method for it."""
    component = DescribeClientQuotasRequest.ComponentData(entity_type="user", match_type=ANY_NAME, match=None)

    async def ask() -> Any:
        return await admin._manager.send(DescribeClientQuotasRequest(components=[component], strict=False))

    answer = admin._manager.run(ask)
    if answer.error_code:
        raise for_code(answer.error_code)(answer.error_message)
    return [
        ({of.entity_type: of.entity_name for of in entry.entity}, {limit.key: limit.value for limit in entry.values})
        for entry in answer.entries or ()
    ]


def certificates(settings: Settings, addresses: Iterable[tuple[str, int]]) -> dict[str, float | str | None]:
    """The end of each broker's certificate, in seconds since the epoch; None if the broker does not answer.

    A text is OpenSSL's reason for which it is not believed.
    """
    context = reached(settings).get("ssl_context")
    return {f"{host}:{port}": _ends(context, host, port) for host, port in addresses} if context else {}


def _ends(context: ssl.SSLContext, host: str, port: int) -> float | str | None:
    try:
        with (
            socket.create_connection((host, port), TLS_SECONDS) as plain,
            context.wrap_socket(plain, server_hostname=host) as through,
        ):
            shown: Any = through.getpeercert() or {}
    except ssl.SSLCertVerificationError as error:
        return error.verify_message
    except OSError:
        return None
    return float(ssl.cert_time_to_seconds(shown["notAfter"])) if "notAfter" in shown else None
