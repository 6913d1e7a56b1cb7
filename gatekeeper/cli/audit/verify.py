"""`gatekeeper audit verify`: checks an export offline, by the same check that each export holds as one file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import Any

import click

from gatekeeper.audit.verify.certificate import certificate
from gatekeeper.audit.verify.export_check import verify
from gatekeeper.audit.verify.findings import Report, Trouble, tell
from gatekeeper.audit.verify.trust import read_witness
from gatekeeper.cli.output import json_option, progress_bar
from gatekeeper.cli.output import whole as written
from gatekeeper.ground.errors import UsageError
from gatekeeper.ground.texts import text


@dataclass(frozen=True, slots=True)
class CheckOptions:
    """The caller's demands on the log, and the form of the report: `whole` shows each finding.

    `log`: its name. `witness`: the witness's key as text. `min_size`: the least number of leaves. `out`: the file of
    the certificate.
    """

    log: str | None
    witness: str | None
    require_witness: bool
    min_size: int | None
    whole: bool
    out: Path | None
    as_json: bool

    def demands(self) -> dict[str, Any]:
        """The demands as a check takes them; raises UsageError (2) for a witness that is no key."""
        try:
            key = read_witness(self.witness) if self.witness is not None else None
        except Trouble:
            raise UsageError("error.witness_key") from None
        return {
            "witness": key,
            "min_size": self.min_size,
            "log": self.log,
            "require_witness": self.require_witness,
        }

    def put_out(self, report: Report, checked: Path) -> None:
        """Prints a report, writes its certificate, and ends with its exit code. `checked`: folder or file."""
        if self.out is not None:
            with written(self.out) as file:
                file.write(certificate(report, checked.resolve().name, datetime.now(UTC)))
        tell(report, as_json=self.as_json, whole=self.whole)
        click.get_current_context().exit(report.exit_code)


def check_options(command: Callable[..., None]) -> Callable[..., None]:
    """Adds CheckOptions to a command, as `options`."""

    @wraps(command)
    def gathered(**given: Any) -> None:
        mine = {field.name: given.pop(field.name) for field in fields(CheckOptions)}
        command(**given, options=CheckOptions(**mine))

    decorated: Callable[..., None] = gathered
    for decorate in (
        json_option,
        click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help=text("cli.audit_certificate")),
        click.option("-v", "--verbose", "whole", is_flag=True, help=text("cli.audit_verbose")),
        click.option("--min-size", type=click.IntRange(min=1), help=text("cli.audit_min_size")),
        click.option("--require-witness", is_flag=True, help=text("cli.audit_require_witness")),
        click.option("--witness", metavar="KEY", help=text("cli.audit_trusted")),
        click.option("--log", metavar="NAME", help=text("cli.audit_wanted_log")),
    ):
        decorated = decorate(decorated)
    return decorated


@click.command("verify", help=text("cli.audit_verify"))
@click.argument("folder", type=click.Path(path_type=Path))
@check_options
def command(folder: Path, options: CheckOptions) -> None:
    """Reports faults with their places, and the manipulations that were excluded; exit 1, 4 or 5 for a fault."""
    demands = options.demands()
    with progress_bar() as bar:
        task = bar.add_task(text("cli.audit_verifying"), total=None)
        report = verify(folder, **demands, progress=lambda done, total: bar.update(task, completed=done, total=total))
    options.put_out(report, folder)
