"""The checks of the cluster and of the gate's records there, each a function of one list. They write nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path
from time import time

from gatekeeper.checkup import access, brokers, folders, measures, people, topics
from gatekeeper.checkup.finding import Finding, failed, ok, refused
from gatekeeper.ground.errors import GatekeeperError
from gatekeeper.ground.settings import Settings
from gatekeeper.keys import Keys
from gatekeeper.policy import packs
from gatekeeper.staff import person_keys
from schemas.topics import FACT_TOPICS, TOPICS, Part
from streams.client import broker_advice, inspection, progress
from streams.client.reader import Reader
from streams.operations import fleet
from streams.operations.cluster_probe import ClusterProbe


def findings(settings: Settings, part: Part | None, taken: Callable[[], object] = lambda: None) -> Iterator[Finding]:
    """Yields the finding of each check of the cluster; without a broker all but the first are unknown.

    `part`: whose user asks, None if nobody said it. `taken`: called for each record that is read.
    """
    with closing(ClusterProbe(settings, part, taken)) as probe:
        for name, check in CHECKS.items():
            yield _found(probe, name, check)


def _found(probe: ClusterProbe, name: str, check: Callable[[ClusterProbe], Finding]) -> Finding:
    try:
        return check(probe)
    except GatekeeperError as error:
        probe.close()  # what a question left behind delays no other one
        if name == "brokers":
            probe.lost = error
            return failed(name, "wrong", error)
        if error is probe.lost:
            return Finding(name, "unknown", "doctor.unreached")
        return failed(name, "unknown", error)
    except OSError as error:
        return refused(name, error)


def _brokers(probe: ClusterProbe) -> Finding:
    silent = sorted(probe.known.keys() - probe.versions.keys())
    return brokers.brokers(sorted(probe.versions), silent, address=probe.settings.bootstrap)


def _version(probe: ClusterProbe) -> Finding:
    return brokers.version(probe.versions, probe.asked(inspection.metadata_level))


def _controller(probe: ClusterProbe) -> Finding:
    return brokers.controller(probe.asked(inspection.quorum).leader)


def _clock(probe: ClusterProbe) -> Finding:
    probe.demand()
    off_ms, ahead = None, None
    with suppress(GatekeeperError):  # the cluster's state is not for everybody
        off_ms = probe.asked(inspection.quorum).off_ms
    with suppress(GatekeeperError):
        seen = {row["name"]: [partition["partition_index"] for partition in row["partitions"]] for row in probe.rows}
        newest = probe.asked(lambda client: inspection.newest(client, seen))
        ahead = None if newest is None else newest - int(time() * 1000)
    skew_ms = packs.load(probe.settings.policy).at(probe.now).skew_ms
    return brokers.clock(off_ms, newest_ms=ahead, skew_ms=skew_ms)


def _broker_disks(probe: ClusterProbe) -> Finding:
    return brokers.disks(probe.asked(lambda client: inspection.disks(client, probe.versions)))


def _certificates(probe: ClusterProbe) -> Finding:
    if not probe.settings.security_protocol.endswith("SSL"):
        return ok("certificates", "none")
    ends = inspection.certificates(probe.settings, probe.addresses.values())
    return folders.certificate("certificates", ends, now=time())


def _topics(probe: ClusterProbe) -> Finding:
    return topics.topics(
        [str(difference) for difference in probe.differences if difference.aspect not in ("setting", "hidden")],
        count=len(TOPICS),
    )


def _topic_settings(probe: ClusterProbe) -> Finding:
    drifted = [str(difference) for difference in probe.differences if difference.aspect == "setting"]
    missing = [difference.topic for difference in probe.differences if difference.aspect == "missing"]
    hidden = [difference.topic for difference in probe.differences if difference.aspect == "hidden"]
    return topics.topic_settings(drifted, missing, hidden, count=len(TOPICS))


def _replicas(probe: ClusterProbe) -> Finding:
    copies, behind, leaderless = dict[str, int](), list[str](), list[str]()
    for row in probe.rows:
        for partition in row["partitions"]:
            name = f"{row['name']}/{partition['partition_index']}"
            copies[row["name"]] = min(len(partition["replica_nodes"]), copies.get(row["name"], 99))
            if partition["leader_id"] < 0:
                leaderless.append(name)
            elif len(partition["isr_nodes"]) < len(partition["replica_nodes"]):
                behind.append(name)
    return topics.replicas(copies, behind, leaderless)


def _broker_settings(probe: ClusterProbe) -> Finding:
    advice, hidden = broker_advice.asked(probe.demand())
    return topics.broker_settings([str(change) for change in advice], hidden)


def _rights(probe: ClusterProbe) -> Finding:
    granted = probe.granted if probe.part else {}
    return access.rights(probe.part, probe.needed, granted, user=probe.user or "ANONYMOUS")


def _surplus(probe: ClusterProbe) -> Finding:
    granted = probe.granted if probe.part and probe.user else {}
    return access.surplus(probe.part, probe.needed, granted, user=probe.user)


def _quotas(probe: ClusterProbe) -> Finding:
    return access.quotas(
        probe.asked(inspection.quotas), writers=TOPICS["sends"].writers, address=probe.settings.bootstrap
    )


def _people(probe: ClusterProbe) -> Finding:
    log = probe.referred.log
    managers = log.roster.managers(probe.now, None)
    return people.people(managers, founder=log.endorsements.first, first=log.roster.first)


def _own_key(probe: ClusterProbe) -> Finding:
    settings = probe.settings
    file = settings.console_key if probe.part == "console" and settings.console_key else settings.user_key
    if not file:
        return people.own_key(probe.part, None, None)
    try:
        own = person_keys.read(Path(file))
    except GatekeeperError as error:
        return failed("own_key", "wrong", error)
    member = probe.referred.log.roster.member(own.by, probe.now)
    return people.own_key(probe.part, (own.by, own.key, own.public), member)


def _worker_keys(probe: ClusterProbe) -> Finding:
    used = fleet.signing(probe.reader)
    return people.worker_keys(used, {key.kid for key in Keys(probe.settings.key_folder).public("worker")})


def _policy(probe: ClusterProbe) -> Finding:
    try:
        shipped = packs.load(probe.settings.policy)
    except GatekeeperError as error:
        return failed("policy", "wrong", error)
    return people.policy(probe.referred.activations.over(shipped), now=probe.now)


def _partitioner(probe: ClusterProbe) -> Finding:
    totals = fleet.totals(probe.reader, probe.taken)
    decided = sum(totals["verdicts"].values())
    return people.partitioner(totals["misplaced"], decided=decided, days=totals["counted_days"])


def _data_need(probe: ClusterProbe) -> Finding:
    if not probe.settings.data:
        return ok("data_need", "memory")
    records = {name: _length(probe.reader, name) for name in (*FACT_TOPICS, "ledger")}
    clearances = records.pop("ledger")
    room = measures.space(Path(probe.settings.data))
    return folders.data_need(room, facts=sum(records.values()), clearances=clearances)


def _length(reader: Reader, topic: str) -> int:
    starts = reader.starts(topic)
    return sum(end - starts[number] for number, end in reader.written(topic).items())


def _seal(probe: ClusterProbe) -> Finding:
    status = fleet.seal(probe.settings)
    if status is None:
        return folders.seal(None, decided=None, now=probe.now)
    try:
        decided = max((head.at for head in progress.read(probe.reader).values()), default=None)
    except GatekeeperError:  # the age of the seal is known all the same
        decided = None
    return folders.seal(status, decided=decided, now=probe.now)


CHECKS: Mapping[str, Callable[[ClusterProbe], Finding]] = {
    "brokers": _brokers,
    "version": _version,
    "controller": _controller,
    "clock": _clock,
    "broker_disks": _broker_disks,
    "certificates": _certificates,
    "topics": _topics,
    "topic_settings": _topic_settings,
    "replicas": _replicas,
    "broker_settings": _broker_settings,
    "rights": _rights,
    "surplus": _surplus,
    "quotas": _quotas,
    "people": _people,
    "own_key": _own_key,
    "worker_keys": _worker_keys,
    "policy": _policy,
    "partitioner": _partitioner,
    "data_need": _data_need,
    "seal": _seal,
}
"""The checks by name, in the order in which they are told."""
