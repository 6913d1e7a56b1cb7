"""`gatekeeper policy`: lists, shows, checks, compares and activates the versions of policies."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import click

from gatekeeper.cli import activate
from gatekeeper.cli.activate import file_policy, show_differences
from gatekeeper.cli.activate import version as version_of
from gatekeeper.cli.output import json_option, note, reading, show_json, show_table
from gatekeeper.ground.settings import load
from gatekeeper.ground.texts import language, text
from gatekeeper.ground.times import local
from gatekeeper.ground.words import law
from gatekeeper.management.policy_change import KnownPolicies, check, every
from gatekeeper.policy import packs
from gatekeeper.policy.clauses import Clause
from gatekeeper.policy.comparison import differences
from gatekeeper.policy.policy import Policy
from streams.operations import management


@click.group("policy", help=text("cli.policy"))
def command() -> None:
    """Holds the sub-commands."""


command.add_command(activate.command)

_APART = ("since", "clauses", "later")
_OFFLINE = ("policy", "since", "countries", "sha256")


@command.command("list", help=text("cli.policy_list"))
@click.option("--live", is_flag=True, help=text("cli.policy_live"))
@json_option
def list_policies(live: bool, as_json: bool) -> None:
    """Prints every version of every shipped pack; with --live, the versions by which the running system decides."""
    rows = _live() if live else [_plainly(policy) for policy in every()]
    if as_json:
        show_json(rows)
        return
    columns = ("policy", "since", "countries", "state", "by", "place", "sha256") if live else _OFFLINE
    show_table([f"cli.column_{name}" for name in columns], [[_cell(row, name) for name in columns] for row in rows])


def _plainly(policy: Policy) -> dict[str, Any]:
    return {**policy.ref, "effective_from": _since(policy), "jurisdictions": sorted(policy.jurisdictions)}


def _live() -> list[dict[str, Any]]:
    """The versions in order of their start, pack by pack, each with its activator, and the bars of each pack.

    The last rows are the records that put nothing in force.
    """
    settings = load()
    with reading() as taken:
        policies = management.policies(settings, taken)
    now = _now()
    rows: list[dict[str, Any]] = []
    ids = [*packs.shipped(), *sorted(policies.store.activations.ids - packs.shipped().keys())]
    for id_ in ids:
        held, line = policies.over(id_ if id_ in packs.shipped() else settings.policy), policies.line(id_)
        barring = [bar for bar in held.barring(now) if bar.id == id_]
        places = {policy: order for order, policy in policies.store.activations.of(id_)}
        for policy in line:
            state = "scheduled" if policy.since > now * 1000 else "past"
            if policy == packs.in_force(line, now * 1000):
                state = "barred" if barring else "in_force"
            order = places.get(policy)
            by = policies.records[order].by if order else None
            place = "reference/{}/{}".format(*order) if order else None
            rows.append({**_plainly(policy), "state": state, "by": by, "place": place})
        for bar in held.bars:
            if bar.id == id_ and bar.until > now * 1000:
                rows.append({"id": id_, "state": bar.case, "place": bar.what, "effective_from": None})
    for ignored in policies.over(settings.policy).ignored:
        id_, _, version = ignored.name.rpartition("@")
        rows.append(
            {"id": id_, "version": int(version), "state": ignored.case, "place": ignored.place, "what": ignored.what}
        )
    return rows


def _cell(row: dict[str, Any], column: str) -> str:
    if column == "policy":
        return f"{row['id']}@{row['version']}" if "version" in row else str(row["id"])
    if column == "state":
        return text(f"cli.policy_{row['state']}")
    name = {"since": "effective_from", "countries": "jurisdictions"}.get(column, column)
    value = row.get(name)
    return " ".join(value) if isinstance(value, list | tuple) else value or "-"


@command.command("show", help=text("cli.policy_show"))
@click.argument("policy")
@click.option("--version", type=click.IntRange(min=1), help=text("cli.policy_version"))
@click.option("--clause", help=text("cli.policy_clause"))
@click.option("--text", "as_text", is_flag=True, help=text("cli.policy_text"))
@click.option("--live", is_flag=True, help=text("cli.policy_show_live"))
@json_option
def show(policy: str, version: int | None, clause: str | None, as_text: bool, live: bool, as_json: bool) -> None:
    """Prints one version line by line: POLICY is a file, an id (the version in force) or id@version.

    With --text, prints its text. With --clause, prints the rows that cite a clause, found by its former number as well.
    With --live, reads the versions that were put in force.
    """
    policies = management.policies(load()) if live else None
    chosen = version_of(policy if version is None else f"{policy}@{version}", policies)
    if as_text:
        content = (
            Path(policy).read_text("utf-8") if policy.endswith(".toml") else (policies or KnownPolicies()).text(chosen)
        )
        show_json({**chosen.ref, "text": content}) if as_json else click.echo(content, nl=False)
        return
    plain = {field.name: _plain(getattr(chosen, field.name)) for field in fields(Policy) if field.name not in _APART}
    plain |= {"effective_from": _since(chosen), "later": list(chosen.later), "unknown": list(chosen.unknown)}
    named = chosen.citing(clause) if clause else chosen.clauses
    plain["clauses"] = {
        name: [
            {
                **row._asdict(),
                "channels": sorted(row.channels),
                "verified": row.verified.model_dump() if row.verified else False,
            }
            for row in rows
        ]
        for name, rows in groupby(named, key=lambda row: row.name)
    }
    if clause:
        plain = {"clauses": plain["clauses"]}
    if as_json:
        show_json(plain)
        return
    lines = [(key, _told(value)) for key, value in plain.items() if key != "clauses"]
    cites = [(f"clauses.{row.name}", _cited(row)) for row in named]
    show_table([f"cli.column_{name}" for name in ("key", "set_to")], [*lines, *cites])
    _note_unverified(chosen)
    _note_other_rules(chosen)


@command.command("lint", help=text("cli.policy_lint"))
@click.argument("files", nargs=-1, required=True)
@json_option
def lint(files: tuple[str, ...], as_json: bool) -> None:
    """Checks policy files as `activate` does; exit 2 with file, key path and hint for the first wrong one."""
    policies = {file: _checked(file) for file in files}
    if as_json:
        show_json([{"file": file, **policy.ref} for file, policy in policies.items()])
    for file, policy in policies.items():
        note("cli.policy_right", file=file, name=policy.name)
        _note_other_rules(policy)


@command.command("diff", help=text("cli.policy_diff"))
@click.argument("old")
@click.argument("new")
@json_option
@click.pass_context
def diff(context: click.Context, old: str, new: str, as_json: bool) -> None:
    """Prints the differences from OLD to NEW; exit 1 if the new one lets more through.

    A file that `activate` would refuse is refused here, too.
    """
    for file in (old, new):
        if file.endswith(".toml"):
            _checked(file)
    changes = differences(version_of(old), version_of(new))
    if as_json:
        show_json([difference._asdict() for difference in changes])
    else:
        show_differences(changes)
    context.exit(1 if any(difference.widens for difference in changes) else 0)


def _checked(file: str) -> Policy:
    """The policy of a file after all checks of `activate` but that of its day."""
    policy = file_policy(file)
    check(policy, Path(file).read_text("utf-8"))
    return policy


def _note_other_rules(policy: Policy) -> None:
    """Notes the reasons that came after the text of a policy, and the rows that this release does not know."""
    for key, rows in (("later", policy.later), ("carried", policy.unknown)):
        if rows:
            note(f"cli.policy_{key}", policy=policy.name, rows=", ".join(rows))


def _note_unverified(policy: Policy) -> None:
    """Notes once which rows nobody has compared with the text of the law."""
    names, every = policy.unverified, {clause.name for clause in policy.clauses}
    if every and len(names) == len(every):
        note("cli.policy_unverified_all", policy=policy.name, count=len(names))
    elif names:
        note("cli.policy_unverified", policy=policy.name, rows=", ".join(names))


def _now() -> int:
    return int(datetime.now(UTC).timestamp() * 1000)


def _since(policy: Policy) -> str:
    return local(policy.since, policy.timezone)


def _cited(clause: Clause) -> str:
    channels = f" ({', '.join(text(f'word.channel.{name}') for name in sorted(clause.channels))})"
    return law(clause.cite, language()) + (channels if clause.channels else "")


def _plain(value: Any) -> Any:
    if isinstance(value, frozenset):
        return sorted(value)
    return dict(value) if isinstance(value, tuple) else value


def _told(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(value) or "-"
    if isinstance(value, dict):
        return ", ".join(f"{key} {number}" for key, number in value.items())
    return "-" if value is None else str(value)
