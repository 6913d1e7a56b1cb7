"""`gatekeeper --version`: prints the release and the version of its rules."""

from __future__ import annotations

import tomllib
from importlib.metadata import version

import click

from gatekeeper.audit.records.releases import RULES
from gatekeeper.cli.output import show_json
from gatekeeper.ground import ROOT
from gatekeeper.ground.texts import text


def release() -> str:
    """The version of the code that runs: the source tree's own, else the installed package's."""
    tree = ROOT / "pyproject.toml"
    if tree.is_file():
        return str(tomllib.loads(tree.read_text("utf-8"))["project"]["version"])
    return version("direct-mail-gatekeeper")


def show(*, as_json: bool) -> None:
    """Prints release and rules, as one sentence or as JSON: `version`, `rules`."""
    if as_json:
        show_json({"version": release(), "rules": RULES})
    else:
        click.echo(text("cli.version_is", version=release(), rules=RULES))
