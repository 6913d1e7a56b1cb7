"""No command starts with a misspelled setting."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from gatekeeper.cli import gatekeeper
from gatekeeper.ground.errors import UsageError


@pytest.mark.parametrize("words", [("schema",), ("worker",)])
def test_a_misspelled_setting_then_no_command_starts(words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEKEEPER_KEY", "keys/")
    error = CliRunner().invoke(gatekeeper, [*words], standalone_mode=False).exception
    assert isinstance(error, UsageError)
    assert (error.exit_code, error.values["name"]) == (2, "GATEKEEPER_KEY")
