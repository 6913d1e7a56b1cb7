"""The first page of help, and the version: whole sentences under headings, in the reader's language."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import version as installed
from pathlib import Path

import pytest
from click.testing import CliRunner

from gatekeeper.audit.records.releases import RULES
from gatekeeper.cli import HEADINGS, gatekeeper, version
from gatekeeper.ground.errors import UsageError
from gatekeeper.ground.texts import text

HOUSE = Path(__file__).parents[2]
PAGES = """
from gatekeeper.cli import gatekeeper
gatekeeper(["--help"], prog_name="gatekeeper", standalone_mode=False)
print("====")
gatekeeper(["audit", "--help"], prog_name="gatekeeper", standalone_mode=False)
"""
"""Shows two pages of help in one process, for the language is asked for once in its life."""


@pytest.mark.parametrize("lang", ["ja", "en"])
def test_help_then_each_verb_stands_under_its_heading_with_a_whole_sentence(lang: str) -> None:
    environment = os.environ | {"GATEKEEPER_LANG": lang}
    call = [sys.executable, "-c", PAGES]
    done = subprocess.run(call, cwd=HOUSE, env=environment, capture_output=True, text=True, timeout=60, check=True)
    first, audit = done.stdout.split("====\n")
    assert "..." not in first.partition("\n")[2] + audit.partition("\n")[2]
    titles = {text(heading, lang): set(verbs) for heading, verbs in HEADINGS.items()}  # type: ignore[arg-type]
    sections = dict(part.split(":\n", 1) for part in first.split("\n\n")[3:])
    starts = {title: re.findall(r"^  (\S+)", rows, re.M) for title, rows in sections.items()}
    assert {title: set(verbs) for title, verbs in starts.items()} == titles


def test_version_then_it_is_the_trees_with_the_version_of_its_rules() -> None:
    project = tomllib.loads((HOUSE / "pyproject.toml").read_text("utf-8"))["project"]
    done = CliRunner().invoke(gatekeeper, ["--version", "--json"])
    assert json.loads(done.output) == {"version": project["version"], "rules": RULES}
    assert project["version"] in CliRunner().invoke(gatekeeper, ["--version"]).output


def test_version_without_a_source_tree_then_it_is_the_installed_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(version, "ROOT", tmp_path)
    assert version.release() == installed("direct-mail-gatekeeper")


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


@pytest.mark.parametrize("words", [("keys", "list"), ("schema",), ("audit", "verify", "export"), ("worker",)])
def test_a_misspelled_setting_then_no_command_starts(words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEKEEPER_KEY", "keys/")
    error = CliRunner().invoke(gatekeeper, [*words], standalone_mode=False).exception
    assert isinstance(error, UsageError)
    assert (error.exit_code, error.values["name"]) == (2, "GATEKEEPER_KEY")
