"""`gatekeeper init`, `staff` and `reference`: people get keys, and a record counts once enough managers signed it."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from gatekeeper.ground.settings import Settings
from streams.client.reader import Reader
from streams.operations import endorsement
from streams.operations.endorsement import Endorsed
from tests.cli.conftest import Run, System


def known(settings: Settings) -> Endorsed:
    """The people of the log."""
    with Reader(settings) as reader:
        return endorsement.read(reader)


def lines(text: str) -> list[Any]:
    """The lines of JSON in an output."""
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.main
def test_people_get_keys_and_records_count_once_enough_managers_signed_them(
    environment: Settings, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = ("--folder", str(tmp_path))

    def as_(person: str, number: int = 1) -> None:
        monkeypatch.setenv("GATEKEEPER_USER_KEY", str(tmp_path / f"{person}-k{number}.key"))

    # the first manager
    monkeypatch.delenv("GATEKEEPER_USER")
    monkeypatch.delenv("GATEKEEPER_USER_KEY")
    assert run("topics", "create").code == 0
    refused = run("erase", "r1", "--by", "hanako", "--reason", "the person asked", "--yes").err
    assert "gatekeeper init" in refused
    assert System(environment).records("acts") == []
    first = run("init", "hanako", *folder, "--json")
    assert first.code == 0
    assert first.json["file"] == str(tmp_path / "hanako-k1.key")
    assert stat.S_IMODE((tmp_path / "hanako-k1.key").stat().st_mode) == 0o600
    assert [one.roles for one in known(environment).everybody] == [("manager",)]
    run("init", "mallory", *folder).says(2)
    assert not (tmp_path / "mallory-k1.key").exists()

    # the fingerprint of the first record tells this log from one that somebody else began
    founder = first.json["founder"]
    assert founder in run("staff", "list").err
    monkeypatch.setenv("GATEKEEPER_FOUNDER", "0000-" * 7 + "0000")
    assert "GATEKEEPER_FOUNDER" in run("init", "mallory", *folder).says(2)
    assert founder in run("status").out
    assert (known(Settings()).everybody, known(Settings()).founded) == ([], True)
    monkeypatch.setenv("GATEKEEPER_FOUNDER", founder)
    assert [one.id for one in known(Settings()).everybody] == ["hanako"]
    monkeypatch.delenv("GATEKEEPER_FOUNDER")

    # without a key nobody acts any more
    assert "gatekeeper staff key" in run("staff", "add", "taro", "--role", "manager", *folder).says(2)
    assert not (tmp_path / "taro-k1.key").exists()

    # one manager signs alone, until there is a second one; and no key has two owners
    as_("hanako")
    twin = ("staff", "add", "twin", "--role", "manager", "--public", first.json["public"])
    assert "hanako" in run(*twin).says(2)
    assert run("staff", "add", "taro", "--role", "manager", *folder, "--json").json["waiting"] is False
    added = run("staff", "add", "kenji", "--role", "reviewer", "--controller", "midori", *folder, "--json")
    assert (added.code, added.json["waiting"]) == (0, True)
    listed = lines(run("staff", "list", "--json").out)
    assert [(row["id"], row["waiting"]) for row in listed] == [("hanako", False), ("taro", False), ("kenji", True)]
    waiting = run("reference", "list", "--json")
    assert waiting.code == 1
    assert [(row["name"], row["state"], row["signed_by"]) for row in lines(waiting.out)] == [
        ("staff/kenji", "waiting", ["hanako"])
    ]
    assert "staff/kenji" in run("reference", "sign", "staff/kenji").says(2)  # hanako signed already
    as_("taro")
    assert run("reference", "sign", "staff/kenji", "--json").json["waiting"] is False
    assert run("reference", "list").code == 0
    assert known(environment).person("kenji").controllers == ("midori",)  # type: ignore[union-attr]

    # a person who is no manager signs for nothing
    as_("kenji")
    refused = run("purpose", "add", "news", "--name-ja", "案内", "--name-en", "News", "--marketing")
    assert (refused.code, refused.out) == (1, "")
    assert "counts for nothing: This act is not among the person's roles" in refused.err
    assert run("purpose", "add", "news", "--name-ja", "案内", "--name-en", "News", "--marketing").code == 1
    again = run("reference", "sign", "purpose/news", "--json")
    assert (again.code, again.json["code"]) == (1, "role")
    rows = lines(run("reference", "list", "--json").out)
    assert [(row["name"], row["state"], row.get("code")) for row in rows] == [
        ("purpose/news", "waiting", None),
        *[("purpose/news", "refused", "role")] * 3,
    ]
    assert run("purpose", "list", "--json").out == ""

    # a record that names two people needs both
    as_("hanako")
    both = ("--by", "hanako", "--by", "taro")
    told = run("purpose", "add", "orders", "--name-ja", "ご注文", "--name-en", "Orders", "--service", *both)
    assert told.code == 0
    assert "taro" in told.err
    assert run("purpose", "list", "--json").out == ""
    as_("taro")
    assert run("reference", "sign", "purpose/orders").code == 0
    assert [row["id"] for row in lines(run("purpose", "list", "--json").out)] == ["orders"]

    # a key from the person's own machine, and the end of a key
    made = run("staff", "key", "taro", "--key-id", "k2", *folder)
    assert run("staff", "add", "taro", "--public", made.out.strip(), "--json").json["waiting"] is True
    as_("hanako")
    assert run("reference", "sign", "staff/taro").code == 0
    assert [key.id for key in known(environment).person("taro").keys] == ["k1", "k2"]  # type: ignore[union-attr]
    assert run("staff", "revoke", "taro", "--key-id", "k1").code == 0
    as_("taro", 2)
    assert run("reference", "sign", "staff/taro").code == 0
    assert [key.id for key in known(environment).person("taro").keys] == ["k2"]  # type: ignore[union-attr]
    assert run("staff", "revoke", "nobody").says(2)
    assert run("staff", "revoke", "taro", "--key-id", "k1").says(2)

    # nobody acts in the name of somebody else
    refused = run("suspend", "midori", "--by", "hanako", "--reason", "an incident").says(2)
    assert "taro" in refused
    assert "hanako" in refused
