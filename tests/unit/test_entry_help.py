"""What any command does before its own work: it starts quickly, and not with a misspelled setting."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from gatekeeper.cli import gatekeeper
from gatekeeper.ground.errors import UsageError

HOUSE = Path(__file__).parents[2]


STARTED = ("audit.explain", "review", "campaign", "check", "import_")
"""Commands that people wait for, by their modules."""
START = """
import sys
from importlib import import_module
from gatekeeper.ground.texts import catalogue
from schemas import events
for name in sys.argv[1:]:
    import_module(f"gatekeeper.cli.{name}")
print(sorted({name.partition(".")[0] for name in sys.modules}))
print([name for name in events.__all__ if getattr(getattr(events, name), "__pydantic_complete__", False)])
print(sorted({"cli", "error", "page", "reason"} - set(catalogue()._unread)))
"""
SERVERS = {"faust", "mode", "fastapi", "starlette", "uvicorn", "jinja2", "aiohttp", "requests", "authlib", "lmdb"}
"""Packages of the worker, the console and the report."""


def test_commands_that_people_wait_for_then_they_start_without_what_may_be_unneeded() -> None:
    call = [sys.executable, "-c", START, *STARTED]
    done = subprocess.run(call, cwd=HOUSE, capture_output=True, text=True, timeout=60, check=True)
    packages, models, subjects = map(ast.literal_eval, done.stdout.splitlines())
    assert not SERVERS & set(packages)
    assert set(models) <= {"Scope"}, "a model's validator takes milliseconds to build"  # an empty one is a constant
    assert subjects == ["cli"]


@pytest.mark.parametrize("words", [("schema",), ("worker",)])
def test_a_misspelled_setting_then_no_command_starts(words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEKEEPER_KEY", "keys/")
    error = CliRunner().invoke(gatekeeper, [*words], standalone_mode=False).exception
    assert isinstance(error, UsageError)
    assert (error.exit_code, error.values["name"]) == (2, "GATEKEEPER_KEY")
