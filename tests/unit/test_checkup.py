"""The verdict of each check of an installation, from given facts; what cannot be told is never ok."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gatekeeper.audit.log.branch_files import Held
from gatekeeper.audit.log.seal_status import SealStatus
from gatekeeper.checkup import access, brokers, folders, local, machine, people, topics
from gatekeeper.checkup.finding import Finding, Level
from gatekeeper.ground.settings import Settings
from gatekeeper.keys import ROLES, Key, Keys
from gatekeeper.policy import packs
from gatekeeper.policy.packs import PolicyIgnored, PolicyOutage
from gatekeeper.staff.roster import Member
from tests.support.certificates import certify

GIB = 1 << 30
HOUR = 3_600_000
NOW = 1_795_000_000_000
DAY = 86_400.0
HOME = packs.load("jp-pmark")
ROOM = folders.Space("data", 9 * GIB, 9_999, GIB)
ANNA = Member("anna", frozenset(("manager",)), None, {"k1": {"id": "k1", "public": "AAAA"}}, 0, None, None)


def space(**more: Any) -> folders.Space:
    return folders.Space(**{"folder": "data", "free": 9 * GIB, "inodes": 9_999, "used": GIB, **more})


def held(*roles: str, public: bool = False) -> list[Key]:
    return [
        Key(role, 1, "public only" if public else "in use", "x+0+A" if role in ("worker", "log") else None)
        for role in roles
    ]


def seal(**more: Any) -> SealStatus:
    return SealStatus(**{"size": 5, "at": NOW - HOUR, "witnessed": (5, NOW - HOUR), **more})


def may(**names: str) -> Mapping[str, frozenset[str]]:
    return {name: frozenset(operations.split()) for name, operations in names.items()}


HELD = Held(partition=3, offset=7, sealed="0" * 64, head="1" * 64)
BARRED = replace(HOME, bars=(PolicyOutage("strictest", 0, packs.NEVER, "looser", "rules"),))
IGNORED = replace(HOME, ignored=(PolicyIgnored("jp-pmark", "unlawful", "rules", "reference/0/1"),))
RATE = {"producer_byte_rate": 1e6}
VERDICTS: list[tuple[Finding, Level, str]] = [
    (machine.python((3, 14, 0)), "wrong", "python_other"),
    (machine.memory(None, "worker"), "unknown", "memory_untold"),
    (machine.memory(GIB - 1, "worker"), "warning", "memory_short"),
    (folders.disk("data_disk", ROOM), "ok", "data_disk_ok"),
    (folders.disk("log_disk", space(free=1 << 20)), "wrong", "log_disk_full"),
    (folders.data_need(ROOM, facts=0, clearances=10_000_000), "warning", "data_need_short"),
    (folders.keys(None, held("master"), [], days=3), "unknown", "keys_unasked"),
    (folders.certificate("certificates", {"a": 31 * DAY, "b": 99 * DAY}, now=0), "ok", "certificates_ok"),
    (folders.certificate("certificates", {"a": 99 * DAY, "b": 29 * DAY}, now=0), "warning", "certificates_soon"),
    (folders.seal(None, decided=NOW, now=NOW), "unknown", "seal_none"),
    (folders.seal(seal(held=(HELD,)), decided=None, now=NOW), "wrong", "seal_held"),
    (folders.seal(seal(), decided=NOW, now=NOW), "wrong", "seal_late"),
    (folders.seal(seal(), decided=None, now=NOW), "unknown", "seal_undecided"),
    (brokers.brokers([1, 2, 3], [4], address="a"), "warning", "brokers_silent"),
    (brokers.version({1: (4, 2), 2: (2, 7)}, 29), "wrong", "version_old"),
    (brokers.controller(-1), "wrong", "controller_none"),
    (brokers.clock(0, newest_ms=1_001, skew_ms=300_000), "warning", "clock_off"),
    (brokers.clock(None, newest_ms=-1, skew_ms=300_000), "unknown", "clock_unasked"),
    (brokers.disks({1: [(True, 90, 100)], 2: []}), "unknown", "broker_disks_untold"),
    (topics.topics(["mail.acts.v1 is missing."], count=16), "wrong", "topics_differ"),
    (topics.topic_settings([], [], ["mail.acts.v1"], count=16), "unknown", "topic_settings_hidden"),
    (topics.replicas({"a": 3}, ["a/1"], ["a/2"]), "wrong", "replicas_leaderless"),
    (topics.broker_settings([], [2]), "unknown", "broker_settings_hidden"),
    (access.rights(None, {}, {}, user="u"), "unknown", "rights_unasked"),
    (access.rights("worker", may(a="READ WRITE"), may(a="READ"), user="u"), "wrong", "rights_lacking"),
    (access.rights("worker", may(a="READ", b="READ"), may(a="READ"), user="u"), "unknown", "rights_untold"),
    (access.surplus("console", may(a="READ"), may(a="READ", cleared="WRITE"), user="u"), "warning", "surplus_more"),
    (access.quotas([({"user": "a"}, RATE), ({"user": "b"}, RATE)], ["p"], address="a"), "warning", "quotas_some"),
    (people.people(["anna"], founder="0f", first="anna"), "warning", "people_few"),
    (people.own_key("office", ("anna", "k1", "AAAA"), ANNA), "ok", "own_key_ok"),
    (people.own_key("office", ("anna", "k1", "BBBB"), ANNA), "wrong", "own_key_other"),
    (people.worker_keys({"a", "c"}, {"a", "b"}), "wrong", "worker_keys_strange"),
    (people.worker_keys({"a"}, set()), "unknown", "worker_keys_none"),
    (people.policy(BARRED, now=NOW), "wrong", "policy_barred"),
    (people.policy(IGNORED, now=NOW), "warning", "policy_ignored"),
    (people.partitioner(0, decided=0, days=7), "unknown", "partitioner_idle"),
]


@pytest.mark.parametrize(("found", "level", "key"), VERDICTS, ids=[f"{one[2]}-{n}" for n, one in enumerate(VERDICTS)])
def test_given_facts_then_the_verdict_with_its_sentence(found: Finding, level: Level, key: str) -> None:
    assert (found.level, found.key) == (level, key if key.startswith("error.") else f"doctor.{key}")
    assert found.found
    assert level in ("ok", "unknown") or found.next or key.startswith("error."), "an error says it itself"


def test_a_machine_of_tests_then_its_own_checks_are_made(tmp_path: Path) -> None:
    keys = Keys(tmp_path / "keys")
    for role in ROLES:
        keys.make(role, f"gk/{role}")
    certify(tmp_path)
    places = {"keys": str(keys.folder), "data": str(tmp_path / "data"), "log": str(tmp_path / "log")}
    settings = Settings(**places, serve_certificate=str(tmp_path / "server.pem"))
    found = {one.check: (one.level, one.key) for one in local.findings(settings, "crm")}
    assert [*found] == [*local.CHECKS]
    assert found["keys"] == ("warning", "doctor.keys_surplus")
    assert found["service_certificate"] == ("warning", "doctor.service_certificate_soon"), "it is made for a day"
    (keys.folder / "token-1.key").chmod(0o644)
    found = {one.check: (one.level, one.key) for one in local.findings(settings, "crm")}
    assert found["keys"] == ("wrong", "error.key_open")


def test_a_system_that_refuses_then_that_check_cannot_tell_and_the_others_are_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> Finding:
        raise PermissionError(13, "Permission denied", "/there")

    monkeypatch.setitem(local.CHECKS, "memory", refuse)  # type: ignore[arg-type]
    told = {one.check: one for one in local.findings(Settings(keys=str(tmp_path), data="", log=str(tmp_path)), "crm")}
    assert [*told] == [*local.CHECKS]
    assert (told["memory"].level, "/there" in told["memory"].found) == ("unknown", True)
