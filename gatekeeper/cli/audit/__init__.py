"""`gatekeeper audit`: the sealed log, and the proofs that stand on it."""

from __future__ import annotations

import click

from gatekeeper.cli import Verbs
from gatekeeper.texts import text

VERBS = {
    "seal": "seal",
    "witness": "witness",
    "export": "export",
    "verify": "verify",
    "prove": "prove",
    "check": "check",
    "replay": "replay",
    "what-if": "what_if",
}
"""Verb to the module of this package that holds it, as a click command named `command`."""


@click.group("audit", cls=Verbs, package="gatekeeper.cli.audit", modules=VERBS, help=text("cli.audit"))
def command() -> None:
    """Runs one verb."""
