"""The checks of the cluster and of the gate's records there, each a function of one list. They write nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path
from time import time

from gatekeeper import person_keys
from gatekeeper.checkup import access, brokers, folders, measures, people, topics
from gatekeeper.checkup.finding import Finding, failed, ok, refused
from gatekeeper.ground.errors import GatekeeperError
from gatekeeper.ground.settings import Settings
from gatekeeper.keys import Keys
from gatekeeper.policy import packs
from schemas.topics import FACT_TOPICS, TOPICS, Part
from streams.client import broker_advice, inspection, progress
from streams.client.reader import Reader
from streams.operations import fleet
from streams.operations.cluster_probe import Visit


def findings(settings: Settings, part: Part | None, taken: Callable[[], object] = lambda: None) -> Iterator[Finding]:
    """Yields the finding of each check of the cluster; without a broker all but the first are unknown.

    `part`: whose user asks, None if nobody said it. `taken`: called for each record that is read.
    """
    with closing(Visit(settings, part, taken)) as visit:
        for name, check in CHECKS.items():
            yield _found(visit, name, check)


def _found(visit: Visit, name: str, check: Callable[[Visit], Finding]) -> Finding:
    try:
        return check(visit)
    except GatekeeperError as error:
        visit.close()  # what a question left behind delays no other one
        if name == "brokers":
            visit.lost = error
            return failed(name, "wrong", error)
        if error is visit.lost:
            return Finding(name, "unknown", "doctor.unreached")
        return failed(name, "unknown", error)
    except OSError as error:
        return refused(name, error)


def _brokers(visit: Visit) -> Finding:
    silent = sorted(visit.known.keys() - visit.versions.keys())
    return brokers.brokers(sorted(visit.versions), silent, address=visit.settings.bootstrap)


def _version(visit: Visit) -> Finding:
    return brokers.version(visit.versions, visit.asked(inspection.metadata_level))


def _controller(visit: Visit) -> Finding:
    return brokers.controller(visit.asked(inspection.quorum).leader)


def _clock(visit: Visit) -> Finding:
    visit.demand()
    off_ms, ahead = None, None
    with suppress(GatekeeperError):  # the cluster's state is not for everybody
        off_ms = visit.asked(inspection.quorum).off_ms
    with suppress(GatekeeperError):
        seen = {row["name"]: [one["partition_index"] for one in row["partitions"]] for row in visit.rows}
        newest = visit.asked(lambda client: inspection.newest(client, seen))
        ahead = None if newest is None else newest - int(time() * 1000)
    skew_ms = packs.load(visit.settings.policy).at(visit.now).skew_ms
    return brokers.clock(off_ms, newest_ms=ahead, skew_ms=skew_ms)


def _broker_disks(visit: Visit) -> Finding:
    return brokers.disks(visit.asked(lambda client: inspection.disks(client, visit.versions)))


def _certificates(visit: Visit) -> Finding:
    if not visit.settings.security_protocol.endswith("SSL"):
        return ok("certificates", "none")
    ends = inspection.certificates(visit.settings, visit.addresses.values())
    return folders.certificate("certificates", ends, now=time())


def _topics(visit: Visit) -> Finding:
    return topics.topics(
        [str(one) for one in visit.differences if one.aspect not in ("setting", "hidden")], count=len(TOPICS)
    )


def _topic_settings(visit: Visit) -> Finding:
    drifted = [str(one) for one in visit.differences if one.aspect == "setting"]
    missing = [one.topic for one in visit.differences if one.aspect == "missing"]
    hidden = [one.topic for one in visit.differences if one.aspect == "hidden"]
    return topics.topic_settings(drifted, missing, hidden, count=len(TOPICS))


def _replicas(visit: Visit) -> Finding:
    copies, behind, leaderless = dict[str, int](), list[str](), list[str]()
    for row in visit.rows:
        for one in row["partitions"]:
            name = f"{row['name']}/{one['partition_index']}"
            copies[row["name"]] = min(len(one["replica_nodes"]), copies.get(row["name"], 99))
            if one["leader_id"] < 0:
                leaderless.append(name)
            elif len(one["isr_nodes"]) < len(one["replica_nodes"]):
                behind.append(name)
    return topics.replicas(copies, behind, leaderless)


def _broker_settings(visit: Visit) -> Finding:
    advice, hidden = broker_advice.asked(visit.demand())
    return topics.broker_settings([str(one) for one in advice], hidden)


def _rights(visit: Visit) -> Finding:
    granted = visit.granted if visit.part else {}
    return access.rights(visit.part, visit.needed, granted, user=visit.user or "ANONYMOUS")


def _surplus(visit: Visit) -> Finding:
    granted = visit.granted if visit.part and visit.user else {}
    return access.surplus(visit.part, visit.needed, granted, user=visit.user)


def _quotas(visit: Visit) -> Finding:
    return access.quotas(
        visit.asked(inspection.quotas), writers=TOPICS["sends"].writers, address=visit.settings.bootstrap
    )


def _people(visit: Visit) -> Finding:
    log = visit.referred.log
    managers = log.roster.managers(visit.now, None)
    return people.people(managers, founder=log.endorsements.first, first=log.roster.first)


def _own_key(visit: Visit) -> Finding:
    settings = visit.settings
    file = settings.console_key if visit.part == "console" and settings.console_key else settings.user_key
    if not file:
        return people.own_key(visit.part, None, None)
    try:
        found = person_keys.read(Path(file))
    except GatekeeperError as error:
        return failed("own_key", "wrong", error)
    member = visit.referred.log.roster.member(found.by, visit.now)
    return people.own_key(visit.part, (found.by, found.key, found.public), member)


def _worker_keys(visit: Visit) -> Finding:
    used = fleet.signing(visit.reader)
    return people.worker_keys(used, {key.kid for key in Keys(visit.settings.key_folder).public("worker")})


def _policy(visit: Visit) -> Finding:
    try:
        shipped = packs.load(visit.settings.policy)
    except GatekeeperError as error:
        return failed("policy", "wrong", error)
    return people.policy(visit.referred.activations.over(shipped), now=visit.now)


def _partitioner(visit: Visit) -> Finding:
    found = fleet.totals(visit.reader, visit.taken)
    decided = sum(found["verdicts"].values())
    return people.partitioner(found["misplaced"], decided=decided, days=found["counted_days"])


def _data_need(visit: Visit) -> Finding:
    if not visit.settings.data:
        return ok("data_need", "memory")
    records = {name: _length(visit.reader, name) for name in (*FACT_TOPICS, "ledger")}
    clearances = records.pop("ledger")
    room = measures.space(Path(visit.settings.data))
    return folders.data_need(room, facts=sum(records.values()), clearances=clearances)


def _length(reader: Reader, topic: str) -> int:
    starts = reader.starts(topic)
    return sum(end - starts[number] for number, end in reader.written(topic).items())


def _seal(visit: Visit) -> Finding:
    status = fleet.seal(visit.settings)
    if status is None:
        return folders.seal(None, decided=None, now=visit.now)
    try:
        decided = max((head.at for head in progress.read(visit.reader).values()), default=None)
    except GatekeeperError:  # the age of the seal is known all the same
        decided = None
    return folders.seal(status, decided=decided, now=visit.now)


CHECKS: Mapping[str, Callable[[Visit], Finding]] = {
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
