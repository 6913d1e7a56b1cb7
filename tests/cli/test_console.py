"""`gatekeeper user` keeps the user file, and `gatekeeper console` refuses what would be open to everybody."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from gatekeeper.console import passwords
from gatekeeper.console.users import Users
from tests.cli.conftest import Run
from tests.support.provider import provider_file

pytestmark = pytest.mark.main

PASSWORD = "correct horse battery"


@pytest.fixture
def add(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(passwords, "LOG_N", 10)  # a hash is made to take long

    def add(name: str, *roles: str, password: str = PASSWORD, more: tuple[str, ...] = ()):
        monkeypatch.setattr("sys.stdin", io.StringIO(f"{password}\n"))
        chosen = [word for role in roles for word in ("--role", role)]
        return run("user", "add", name, *chosen, *more, "--password-stdin", "--users", str(tmp_path / "users.json"))

    return add


def test_people_added_listed_and_removed_then_the_file_says_so(run: Run, add, tmp_path: Path) -> None:
    file = tmp_path / "users.json"
    assert add("hanako", "reviewer").code == 0
    assert add("taro", "approver", "auditor").code == 0
    assert file.stat().st_mode & 0o777 == 0o600
    assert PASSWORD not in file.read_text()
    users = Users(file)
    assert users.admitted("hanako", PASSWORD)
    assert not users.admitted("hanako", PASSWORD + "x")
    assert not users.admitted("jiro", PASSWORD)
    assert run("user", "list", "--users", str(file), "--json").json == [
        {"user": "hanako", "roles": ["reviewer"]},
        {"user": "taro", "roles": ["approver", "auditor"]},
    ]
    assert add("hanako", "manager", password="another long password").code == 0
    assert users.get("hanako").roles == ("manager",)
    assert not users.admitted("hanako", PASSWORD)
    assert run("user", "remove", "hanako", "--users", str(file)).code == 0
    assert users.get("hanako") is None
    assert "jiro" in run("user", "remove", "jiro", "--users", str(file)).says(2)


def test_a_user_file_that_is_none_absent_or_open_to_others_then_2_names_it(run: Run, add, tmp_path: Path) -> None:
    file = tmp_path / "users.json"
    console = ("console", "--users", str(file))
    run(*console).says(2)
    file.touch(0o600)
    for content in ("", '{"users": {"x": {"roles": ["king"], "password": "p"}}}', "\xff"):
        file.write_text(content, "latin-1")
        assert str(file) in run(*console).says(2)
    file.unlink()
    assert "12" in add("hanako", "viewer", password="short").says(2)
    assert not file.exists()
    add("hanako", "viewer")
    file.chmod(0o644)
    assert "chmod 600" in run(*console).says(2)


def test_another_address_without_users_then_2_and_it_does_not_listen(run: Run) -> None:
    assert "gatekeeper user add" in run("console", "--host", "0.0.0.0").says(2)


def test_a_provider_beside_a_user_file_then_2_and_a_provider_alone_is_enough(
    run: Run, add, nowhere: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = provider_file(tmp_path, "https://login.midori.example")
    monkeypatch.setenv("GATEKEEPER_CONSOLE_PROVIDER", str(file))
    monkeypatch.setenv("GATEKEEPER_DATA", str(tmp_path))
    assert nowhere in run("console", "--host", "0.0.0.0", "--port", "0").says(3), "it would listen to everybody"
    add("hanako", "viewer")
    both = run("console", "--users", str(tmp_path / "users.json")).says(2)
    assert "GATEKEEPER_CONSOLE_PROVIDER" in both
    file.write_text("issuer = 1")
    assert "issuer" in run("console").says(2)
