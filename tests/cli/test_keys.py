"""`gatekeeper keys`: what is missing is made, nothing is overwritten, and secrets are their owner's alone."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gatekeeper.ground.errors import UsageError
from gatekeeper.ground.settings import Settings
from gatekeeper.keys import ROLES, Keys
from gatekeeper.service.caller_keys import digest
from streams.worker.app import create_app
from tests.cli.conftest import Run

pytestmark = pytest.mark.main


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for keys."""
    monkeypatch.setenv("GATEKEEPER_KEYS", str(tmp_path / "keys"))
    return tmp_path / "keys"


def test_no_keys_then_init_makes_one_of_each_role_for_its_owner_alone(run: Run, folder: Path) -> None:
    made = run("keys", "init", "--json").json
    assert [(key["role"], key["number"], key["state"]) for key in made] == [(role, 1, "in use") for role in ROLES]
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o077 for path in folder.iterdir()} == {0}
    told = run("keys", "list", "--json")
    assert (told.code, told.json) == (0, made)
    before = {path: path.read_bytes() for path in folder.iterdir()}
    assert run("keys", "init", "--json").json == []
    assert "keys rotate --role log" in run("keys", "init", "--role", "log").says(2)
    assert "gets the same ids" in run("keys", "init", "--role", "import").says(2)
    assert "one of master, token, event, worker, log, witness" in run("keys", "rotate", "--role", "import").says(2)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    (folder / "worker-1.key").unlink()  # the public key is another machine's: no secret is made unasked
    assert run("keys", "init", "--json").json == []
    assert [key["number"] for key in run("keys", "init", "--role", "worker", "--json").json] == [2]


def test_given_a_rotation_then_the_next_key_is_in_use_and_the_former_stays(run: Run, folder: Path) -> None:
    assert "gatekeeper keys init --role log" in run("keys", "rotate", "--role", "log").says(2)
    run("keys", "init", "--role", "log")
    run("keys", "rotate", "--role", "log")
    states = {(key["number"], key["state"]) for key in run("keys", "list", "--json").json}
    assert states == {(1, "former"), (2, "in use")}
    keys = Keys(folder)
    assert keys.signer("log").verifier == keys.verifiers("log")[1]


def test_a_secret_open_to_others_then_list_exits_1(run: Run, folder: Path) -> None:
    run("keys", "init", "--role", "log")
    (folder / "log-1.key").chmod(0o640)
    told = run("keys", "list")
    assert (told.code, "chmod 600" in told.err) == (1, True)


def test_a_folder_that_others_may_write_to_then_nothing_trusts_it(
    run: Run, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nowhere: str
) -> None:
    monkeypatch.chdir(tmp_path)
    run("keys", "init")
    folder.chmod(0o720)
    for words in (
        ("seal", "--once"),
        ("witness", "--once"),
        ("coverage",),
        ("export", "--out", "out"),
        ("prove", "A" * 26, "--out", "proof"),
        ("explain", "A" * 26),
        ("replay", "--live"),
    ):
        assert f"{folder} (mode 720)" in run("audit", *words).says(2)
    assert [path.name for path in tmp_path.iterdir()] == ["keys"]
    assert (run("keys", "list").code, "chmod 700" in run("keys", "list").err) == (1, True)
    for file in folder.iterdir():
        file.unlink()
    assert "chmod 700" in run("keys", "init").says(2)
    assert list(folder.iterdir()) == []


def test_keys_that_a_worker_cannot_trust_or_lacks_then_it_does_not_begin(run: Run, folder: Path) -> None:
    async def begun() -> None:
        create_app(Settings())

    run("keys", "init")
    token = folder / "token-1.key"
    for change, key in (
        (lambda: folder.chmod(0o702), "error.key_folder_open"),
        (lambda: (folder.chmod(0o700), token.chmod(0o640)), "error.key_open"),
        (token.unlink, "error.worker_keyless"),
    ):
        change()
        with pytest.raises(UsageError) as told:
            asyncio.run(begun())
        assert told.value.key == key


def test_a_caller_then_its_key_is_shown_once_and_its_entry_has_the_digest_alone(run: Run) -> None:
    made = run("keys", "caller", "crm", "--scope", "facts", "--json").json
    assert made["entry"] == {"id": "crm", "scopes": ["facts"], "key_sha256": [digest(made["key"])]}
    printed = run("keys", "caller", "crm", "--scope", "facts").out
    assert printed.count("key: ") == 1
    assert made["key"] not in printed, "each key is new"
    assert "ID" in run("keys", "caller", "c r m", "--scope", "facts").says(2)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("worker-7.pub", b"\xff\xfe", "cannot be read as a key"),
        ("worker-7.key", None, "cannot be read as a key"),
        ("log-3.key", "worker-1.key", "not a key of the role log"),
        ("witness-3.pub", "log-1.pub", "not a key of the role witness"),
    ],
)
def test_given_a_file_that_is_no_such_key_then_list_names_it_and_exits_1(
    run: Run, folder: Path, name: str, content: bytes | str | None, said: str
) -> None:
    run("keys", "init")
    file = folder / name
    if content is None:
        file.symlink_to(folder / "gone")
    else:
        file.write_bytes(content if isinstance(content, bytes) else (folder / content).read_bytes())
        file.chmod(0o600)
    told = run("keys", "list", "--json")
    assert (told.code, len(told.json)) == (1, len(ROLES) + 1)
    assert f"{file}" in told.err
    assert said in told.err
    if file.suffix == ".key":
        with pytest.raises(UsageError, match=name):
            Keys(folder).signer(name.partition("-")[0])
