"""`gatekeeper audit`: the sealed log, and the proofs that stand on it."""

from __future__ import annotations

import click

from gatekeeper.cli.verbs import Verbs
from gatekeeper.ground.texts import text

HEADINGS = {
    "cli.heading_seal": {"seal": "seal", "branch": "branch", "witness": "witness"},
    "cli.heading_export": {"export": "export", "verify": "verify", "prove": "prove", "check": "check"},
    "cli.heading_ask": {
        "explain": "explain",
        "coverage": "coverage",
        "replay": "replay",
        "what-if": "what_if",
        "reemit": "reemit",
    },
}
"""Headings of the help, each with its verbs and their modules here; a module has a click command `command`."""


@click.group("audit", cls=Verbs, package="gatekeeper.cli.audit", headings=HEADINGS, help=text("cli.audit"))
def command() -> None:
    """Runs one verb."""
