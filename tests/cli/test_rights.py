"""A broker that asks for TLS, a user and rights: each part does its work with its own, and nothing beyond it."""

from __future__ import annotations

import json
import os
import shlex
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gatekeeper.keys import ROLES, Keys, key_name
from streams.client import broker_access
from streams.client.rights import WRITES, rights
from tests.cli.conftest import Outcome, Run
from tests.support.invented import KEY
from tests.support.secure import Secured, secured
from tests.support.world import World, send

As = Callable[..., Outcome]
"""Runs a command as one of the parts."""


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    with secured(tmp_path_factory.mktemp("secured")) as running:
        yield running


@pytest.fixture(scope="module")
def world(kafka: Secured, tmp_path_factory: pytest.TempPathFactory) -> World:
    keys = Keys(tmp_path_factory.mktemp("keys") / "keys")
    world = World(kafka.plain, f"t{uuid.uuid4().hex}.", partitions=2, max_lag=60.0, keys=str(keys.folder)).create()
    for role in ROLES:
        keys.make(role, key_name(world.settings.group, role), secret=KEY if role == "token" else None)
    world.people(["anna", "ben"])
    return world


@pytest.fixture(scope="module")
def users(kafka: Secured, world: World) -> dict[str, dict[str, str]]:
    """The settings of a user for each part, by the part's name."""
    return {part: kafka.user(part, rights(world.settings, part)) for part in WRITES}


@pytest.fixture
def as_(world: World, users: dict[str, dict[str, str]], run: Run, monkeypatch: pytest.MonkeyPatch) -> As:
    def ran(part: str, *arguments: str, **settings: str) -> Outcome:
        told = {f"GATEKEEPER_{name.upper()}": value for name, value in (users[part] | settings).items()}
        for name, value in (world.environment | told | {"GATEKEEPER_USER": "hanako"}).items():
            monkeypatch.setenv(name, value)
        return run(*arguments)

    return ran


def test_each_part_with_its_own_rights_then_all_of_it_works_and_the_auditor_changes_nothing(
    world: World, users: dict[str, dict[str, str]], as_: As, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEKEEPER_LOG", str(tmp_path / "log"))
    campaign = tmp_path / "campaign.jsonl"

    def publishes(*numbers: int, new: bool | None) -> None:
        lines = [json.dumps(send(name, number)) for number in numbers for name in ("anna", "ben")]
        campaign.write_text("\n".join(lines))
        told = as_("platform", "publish", str(campaign), "--json")
        assert (told.code, told.json["published"]) == (0, 2), told
        assert {one["new"] for one in told.json["campaigns"]} == {new}

    with world.process(tmp_path / "worker.log", **users["worker"]):
        publishes(1, new=True)  # there is no send at all yet
        world.await_audits(2)
        assert as_("office", "withdraw", "ben").code == 0
        publishes(2, new=None)  # it may not read them
        world.await_audits(4)
        listed = as_("office", "review", "list", "--json")
        assert listed.code == 0
        assert '"CONSENT_WITHDRAWN"' in listed.out
        assert as_("office", "status", "--json").code == 0
    sealed = as_("sealer", "audit", "seal", "--once", "--json")
    assert sealed.code == 0, sealed
    assert "Group" in as_("sealer", "status").says(2), "owners that cannot be read are not taken for none"
    before = {topic: world.ends(topic) for topic in ("audit", "manifests", "cleared", "review", "acts", "ledger")}
    replayed = as_("auditor", "audit", "replay", "--live", "--rate", "0", "--json")
    assert replayed.code == 0, replayed
    for command in (("coverage",), ("export", "--out", str(tmp_path / "export")), ("verify", str(tmp_path / "export"))):
        assert (done := as_("auditor", "audit", *command)).code == 0, done
    for forbidden in (
        ("withdraw", "anna"),
        ("publish", str(campaign)),
        ("audit", "seal", "--once"),
        ("suspend", "C1", "--reason", "a test"),
    ):
        said = as_("auditor", *forbidden).says(2)
        assert "auditor" in said, said
        assert "gatekeeper topics rights" in said, said
    assert {topic: world.ends(topic) for topic in before} == before


def test_a_worker_that_lacks_a_right_then_it_ends_and_says_so_instead_of_starting_over(
    kafka: Secured, world: World, tmp_path: Path
) -> None:
    lacking = [right for right in rights(world.settings, "worker") if right.resource != "transactional-id"]
    with world.process(tmp_path / "worker.log", **kafka.user("lacking", lacking)) as worker:
        assert worker.wait() == 2
        assert "gatekeeper topics rights worker" in worker.tail()


def test_who_only_publishes_then_reads_nothing_and_clears_nothing(as_: As) -> None:
    for part in ("platform", "crm"):
        assert part in as_(part, "review", "list").says(2)


def test_a_user_or_a_broker_that_is_not_believed_then_one_sentence_says_what_to_change(
    as_: As, kafka: Secured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker_access, "CONNECT_MS", 500)
    wrong, open_, empty = tmp_path / "wrong", tmp_path / "open", tmp_path / "empty"
    for path, mode, text in ((wrong, 0o600, "of another\n"), (open_, 0o644, "open auditor"), (empty, 0o600, "\n")):
        path.write_text(text)
        path.chmod(mode)
    os.mkfifo(tmp_path / "pipe", 0o600)
    for settings, named in (
        ({"sasl_password_file": str(wrong)}, "GATEKEEPER_SASL_PASSWORD_FILE"),
        ({"sasl_username": "nobody"}, "nobody"),
        ({"sasl_mechanism": "PLAIN"}, "GATEKEEPER_SASL_MECHANISM"),
        ({"ssl_cafile": ""}, "GATEKEEPER_SSL_CAFILE"),
        ({"ssl_cafile": str(wrong)}, str(wrong)),
        ({"broker": kafka.secure.replace("127.0.0.1", "localhost")}, "TLS"),
        ({"sasl_password_file": ""}, "GATEKEEPER_SASL_PASSWORD_FILE"),
        ({"sasl_password_file": str(open_)}, "chmod 600"),
        ({"sasl_password_file": str(empty)}, str(empty)),
        ({"sasl_password_file": str(tmp_path / "pipe")}, str(tmp_path / "pipe")),
        ({"sasl_password_file": str(tmp_path / "none")}, str(tmp_path / "none")),
        ({"security_protocol": "PLAINTEXT", "ssl_cafile": ""}, "GATEKEEPER_SASL_USERNAME"),
        ({"security_protocol": "SASL_PLAINTEXT"}, "GATEKEEPER_SSL_CAFILE"),
    ):
        said = as_("auditor", "topics", "verify", **settings).says(2)
        assert named in said, (settings, said)
        assert "of another" not in said
    for protocol in ("PLAINTEXT", "SSL"):
        alone = {"security_protocol": protocol, "sasl_username": "", "sasl_password_file": ""}
        at = {"ssl_cafile": ""} if protocol == "PLAINTEXT" else {}
        said = as_("auditor", "topics", "verify", **alone, **at).says(3)
        assert f"GATEKEEPER_SECURITY_PROTOCOL is {protocol}" in said, said


def test_tls_without_users_then_commands_work(as_: As, kafka: Secured) -> None:
    alone = {"broker": kafka.tls, "security_protocol": "SSL", "sasl_username": "", "sasl_password_file": ""}
    assert as_("auditor", "topics", "verify", **alone).code == 0


def test_rights_then_calls_of_kafkas_own_command_that_grant_them(as_: As, world: World) -> None:
    printed = as_("office", "topics", "rights", "auditor", "--principal", "auditor-7")
    calls = [shlex.split(line) for line in printed.out.splitlines()]
    assert all(call[0] == "kafka-acls.sh" and "User:auditor-7" in call for call in calls)
    operations = {call[place + 1] for call in calls for place, word in enumerate(call) if word == "--operation"}
    assert operations == {"Read", "DescribeConfigs", "Describe"}
    told = as_("office", "topics", "rights", "worker", "--json")
    named = [json.loads(line) for line in told.out.splitlines()]
    assert {one["resource"] for one in named} == {"topic", "group", "transactional-id"}
    written = next(one["names"] for one in named if one["operations"] == ["Write"])
    assert world.topic("sources") not in written, "the worker writes no topic that its barrier waits for"


def test_no_broker_set_then_rights_are_printed_all_the_same(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("GATEKEEPER_BROKER", raising=False)
    monkeypatch.chdir(tmp_path)  # in which no `gatekeeper broker` left its address
    for part in WRITES:
        printed, told = run("topics", "rights", part), run("topics", "rights", part, "--json")
        assert (printed.code, printed.err, told.code, told.err) == (0, "", 0, "")
        assert len(printed.out.splitlines()) == len(told.out.splitlines()) > 0
        assert all("--bootstrap-server HOST:PORT" in line for line in printed.out.splitlines())
