"""`gatekeeper config`: prints the settings in force, and whence each comes."""

from __future__ import annotations

import os
from dataclasses import asdict

import click

from gatekeeper.cli.output import json_option, show_json, show_table
from gatekeeper.ground.settings import given, load
from gatekeeper.ground.texts import text


@click.command("config", help=text("cli.config"))
@json_option
def command(as_json: bool) -> None:
    """Prints each setting with its value and origin; what differs from the default is marked. Needs no broker."""
    settings = given(load(), os.environ)
    if as_json:
        for setting in settings:
            show_json({**asdict(setting), "changed": setting.changed})
        return
    rows = [
        ("*" if setting.changed else "", setting.name, setting.value, text(f"cli.config_{setting.origin}"))
        for setting in settings
    ]
    show_table([f"cli.column_{name}" for name in ("changed", "setting", "value", "origin")], rows, whole=(0, 1))
