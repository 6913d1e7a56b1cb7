"""`gatekeeper schema`: the published contract, without a broker and without settings."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gatekeeper.cli import gatekeeper
from gatekeeper.ground.errors import UsageError
from tests.support.renewed import contract

pytestmark = pytest.mark.main


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEKEEPER_PREFIX", "NOT A PREFIX")
    monkeypatch.delenv("GATEKEEPER_BROKER", raising=False)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(gatekeeper, ["schema", *arguments])


@pytest.mark.parametrize(
    ("arguments", "file"),
    [
        (("sends",), "sends.json"),
        (("mail.audit.v1",), "audit.json"),
        (("deadletter", "--headers"), "deadletter.headers.json"),
        (("--asyncapi",), "asyncapi.json"),
        (("--openapi",), "openapi.json"),
    ],
)
def test_a_name_then_its_file_is_printed(arguments: tuple[str, ...], file: str) -> None:
    done = run(*arguments)
    assert (done.exit_code, done.stdout) == (0, contract()[file])


def test_all_then_every_file_is_written(tmp_path: Path) -> None:
    assert run("--all", str(tmp_path / "new")).exit_code == 0
    assert {file.name: file.read_text("utf-8") for file in (tmp_path / "new").iterdir()} == contract()


@pytest.mark.parametrize("arguments", [("nothing",), ("ledger",), ("deadletter",), ("audit", "--headers")])
def test_a_topic_without_such_a_schema_then_the_message_says_which_have(arguments: tuple[str, ...]) -> None:
    error = run(*arguments).exception
    assert isinstance(error, UsageError)
    assert "cleared" in str(error)
